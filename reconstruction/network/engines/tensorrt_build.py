"""From an ONNX file to a TensorRT plan: parsed and built by `tensorrt`, or by `tensorrt_rtx` where that is installed.

TensorRT for RTX builds without a GPU, and its plans are compiled further on the GPU that loads them; TensorRT needs the
GPU that the plan is for. What differs between versions is in `tensorrt_versions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconstruction.network.engines import tensorrt_versions as versions
from reconstruction.network.engines.tensorrt_versions import Gpu, TensorRt, import_tensorrt
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights

if TYPE_CHECKING:
    import tensorrt

WORKSPACE_BYTES = 4 << 30


@dataclass(frozen=True)
class InputShapes:
    """The range of input shapes that a plan takes, batch and channel included; it is fastest at `usual`."""

    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuses a shape outside the range, before TensorRT does so in its log.

        Raises:
            EngineError: another number of axes, or one that is too short or too long.
        """
        fits = len(shape) == len(self.usual) and all(
            least <= side <= most for least, side, most in zip(self.smallest, shape, self.largest, strict=True)
        )
        if not fits:
            raise EngineError(
                f"an input of shape {shape}", f"{self.smallest} to {self.largest}", "cut it into windows of that size"
            )


@dataclass(frozen=True)
class TensorRtPlan:
    """A built plan, and what it was built from.

    Attributes:
        content: the serialised engine.
        builder: module and version; the plan runs with no other.
        layers: number of layers as the parser made them, before the builder fuses any.
        precisions: data type, as TensorRT calls it, to the number of convolutions that take it in; INT8 is what was
            quantised just before.
    """

    content: bytes
    builder: str
    layers: int
    precisions: Mapping[str, int]


def window_shapes(weights: Weights) -> InputShapes:
    """From the smallest window that the network takes to the one that it was trained on, one at a time."""
    smallest = (weights.stride,) * len(weights.window)
    return InputShapes((1, 1, *smallest), (1, 1, *weights.window), (1, 1, *weights.window))


def build_plan(
    onnx: bytes, shapes: InputShapes, gpu: Gpu | None = None, timing_cache: Path | None = None
) -> TensorRtPlan:
    """Parses the network and builds a plan for it, each layer in the precision that the ONNX file states.

    Args:
        onnx: the ONNX file's content, with one input.
        shapes: what the input may be.
        gpu: the one that is here, and that the plan is for; None where there is none.
        timing_cache: file in which TensorRT keeps what it measured on this GPU from one build to the next; made if it
            is not there.

    Raises:
        EngineError: no TensorRT, a network that it cannot parse, or one that it cannot build here.
    """
    trt = import_tensorrt()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = versions.create(trt.Builder, logger)
    network = builder.create_network(versions.network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        faults = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
        raise EngineError(
            f"a network that TensorRT cannot read: {faults}", "operators that it supports", "export it for another one"
        )
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    versions.set_precision(trt, config, layers)
    versions.set_target(trt, config, gpu)
    profile = builder.create_optimization_profile()
    profile.set_shape(network.get_input(0).name, *map(trt.Dims, (shapes.smallest, shapes.usual, shapes.largest)))
    config.add_optimization_profile(profile)
    versions.open_timing_cache(trt, config, timing_cache)
    failed = EngineError("a network that TensorRT cannot build", "a GPU with 4 GB free", "choose another engine")
    content = versions.present(builder.build_serialized_network(network, config), failed)
    versions.keep_timing_cache(trt, config, timing_cache)
    return TensorRtPlan(bytes(content), versions.builder_name(trt), len(layers), _precisions(trt, layers))


def _precisions(trt: TensorRt, layers: list[tensorrt.ILayer]) -> dict[str, int]:
    """Between dequantisation and the next quantisation TensorRT computes in INT8, though the types say float."""
    dequantised = {layer.get_output(0).name for layer in layers if layer.type == trt.LayerType.DEQUANTIZE}
    counted = [layer for layer in layers if layer.type in {trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION}]
    inputs = [layer.get_input(0) for layer in counted]
    return dict(Counter("INT8" if tensor.name in dequantised else tensor.dtype.name for tensor in inputs))
