"""nnU-Net's networks on our engines: exported to ONNX once loaded, on torch itself where there is no engine."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from geometry.extras import from_extra
from reconstruction.guests.nnunet.plan import NnunetPlan
from reconstruction.guests.nnunet.unet import PlannedUnet
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.errors import EngineError
from reconstruction.network.export import write_onnx
from reconstruction.network.weights import Weights

if TYPE_CHECKING:
    import torch

INPUT = "image"


class FoldEngine:
    """One fold's network on the first engine that loads it; the exported file lives as long as this.

    Args:
        unet: with the fold's parameters.
        plan: whose patch is the window.
    """

    def __init__(self, unet: PlannedUnet, plan: NnunetPlan) -> None:
        with from_extra("training"):
            import torch
        self._from_numpy = torch.from_numpy
        self._folder = tempfile.TemporaryDirectory(prefix="surgnav-nnunet-")
        path = Path(self._folder.name) / "fold.onnx"
        write_onnx(_as_module(unet.run), plan.patch, path, INPUT, half=False)
        self._run: Callable[[torch.Tensor], torch.Tensor] = unet.run
        self.name = f"torch {torch.__version__}, CPU"
        try:
            self._engine = choose_engine(weights=_as_weights(path, plan))
        except EngineError:
            return
        self.name, self._run = self._engine.name, self._run_engine

    def run(self, batch: torch.Tensor) -> torch.Tensor:
        """Normalised CT ``(1, 1, *patch)`` to logits ``(1, heads, *patch)``."""
        return self._run(batch)

    def _run_engine(self, batch: torch.Tensor) -> torch.Tensor:
        return self._from_numpy(self._engine.run(batch.numpy()))


def _as_module(run: Callable[[torch.Tensor], torch.Tensor]) -> torch.nn.Module:
    with from_extra("training"):
        import torch

    class Network(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return run(batch)

    return Network().eval()


def _as_weights(path: Path, plan: NnunetPlan) -> Weights:
    return Weights(
        name="a fold of nnU-Net",
        onnx=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        dimensions=3,
        task=f"{len(plan.structures)} structures in CT",
        classes=tuple(plan.structures.values()),
        input_name=INPUT,
        spacing_mm=None,
        window=plan.patch,
        channels=(),
        family=None,
        stride=1,
        temperature=1.0,
        trained_on=(),
    )
