"""Eager torch: the reference that the other engines are compared with, built from the very same ONNX parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra, install_command
from geometry.points import Singles
from reconstruction.network.architecture import build_network
from reconstruction.network.errors import EngineError
from reconstruction.network.image_network import build_image_network, fold_batch_norm
from reconstruction.network.weights import Weights, read_parameters

if TYPE_CHECKING:
    import torch


class TorchEngine:
    """The network as it was trained, on the GPU where torch sees one."""

    def __init__(self, weights: Weights) -> None:
        try:
            import torch

            network = load_network(weights)
        except ImportError as error:
            raise EngineError(f"no torch ({error})", "the package torch", install_command("training")) from error
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device)
        self.name = f"torch {torch.__version__} {self._device.type}"

    def run(self, batch: Singles) -> Singles:
        with from_extra("training"):
            import torch

        with torch.inference_mode():
            logits = self._network(torch.from_numpy(np.ascontiguousarray(batch)).to(self._device))
        return logits.float().cpu().numpy()


def load_network(weights: Weights) -> torch.nn.Module:
    """The network as a torch module, in evaluation mode, with the parameters of its ONNX file.

    Raises:
        EngineError: the file does not hold them, as after quantisation.
    """
    with from_extra("training"):
        import torch

    if weights.family is None:
        network = build_network(weights.channels, weights.ct_anatomy.channels)
    else:
        network = fold_batch_norm(build_image_network(weights.channels, len(weights.classes), weights.family))
    values = read_parameters(weights.onnx)
    missing = sorted(set(network.state_dict()) - set(values))
    if missing:
        came = f"an ONNX file without the parameter {missing[0]!r}"
        raise EngineError(came, "a file that this version exported", "export the weights again")
    network.load_state_dict({name: torch.from_numpy(values[name].copy()) for name in network.state_dict()})
    return network.eval()
