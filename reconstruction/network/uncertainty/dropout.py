"""Monte-Carlo dropout for a network that was exported without it: channels are left out in the weights themselves.

Leaving out an input channel of a convolution, and scaling the rest by the inverse of the share that stays, is dropout
of that channel (Gal and Ghahramani, ICML 2016). Written into the weights, it is one more ONNX file with the same
parameters' names, which every engine runs as it is; and one sample is one network for the whole scan, so that windows
agree with one another. The network was not trained with dropout, so only few channels may go (dropout injection,
Ledda, Fumera and Roli, Neurocomputing 2023).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from reconstruction.network.errors import WeightsError
from reconstruction.network.weights import Weights

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

# Operator to the axis of its weights that counts input channels.
_INPUT_AXIS = {"Conv": 1, "ConvTranspose": 0}
# Convolutions of fewer channels stay whole: the two windows of HU, and the head, where one channel is a tenth of all.
FEWEST_CHANNELS = 16


def thinned(weights: Weights, rate: float, rng: np.random.Generator, folder: Path) -> Weights:
    """Writes one sample of the network under dropout into a folder.

    All convolutions that read the same features lose the same channels. The same state of `rng` gives the same file.

    Args:
        rate: share of the channels that is left out, 0 to below 1.

    Raises:
        WeightsError: the file has no weights in floating point (an INT8 form).
    """
    with from_extra("segmentation"):
        import onnx
        from onnx import numpy_helper

    model = onnx.load(str(weights.onnx))
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    masks: dict[str, np.ndarray] = {}
    for node in graph.node:
        tensor = tensors.get(_stored(graph, node)) if node.op_type in _INPUT_AXIS else None
        values = None if tensor is None else numpy_helper.to_array(tensor)
        if tensor is None or values is None or values.dtype.kind != "f":
            continue
        axis = _INPUT_AXIS[node.op_type]
        if values.shape[axis] < FEWEST_CHANNELS:
            continue
        if node.input[0] not in masks:
            masks[node.input[0]] = _mask(values.shape[axis], rate, rng)
        scale = masks[node.input[0]].reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        tensor.CopyFrom(numpy_helper.from_array((values * scale).astype(values.dtype), tensor.name))
    if not masks:
        raise WeightsError(
            f"{weights.onnx.name}, whose convolutions have no weights in floating point to leave channels out of",
            "a network in single or half precision",
            "run without uncertainty, or name the network in single precision",
        )
    content = model.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{weights.onnx.stem}_{digest[:12]}.onnx"
    path.write_bytes(content)
    return replace(weights, onnx=path, sha256=digest)


def _mask(channels: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Per channel 0 or the factor that keeps the expected sum."""
    stays = rng.random(channels) >= rate
    stays[int(rng.integers(channels))] = True
    return np.where(stays, 1.0 / (1.0 - rate), 0.0)


def _stored(graph: GraphProto, convolution: NodeProto) -> str:
    """Name under which a convolution's weights are stored, in half precision where a Cast stands before it."""
    name = convolution.input[1]
    for node in graph.node:
        if node.op_type in {"Cast", "Identity"} and node.output[0] == name:
            return str(node.input[0])
    return str(name)
