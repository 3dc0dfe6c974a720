"""From an ONNX file to a TensorRT plan: parsed and built by `tensorrt`, or by `tensorrt_rtx` where that is installed.

TensorRT for RTX builds without a GPU, and its plans are compiled further on the GPU that loads them; TensorRT needs the
GPU that the plan is for. Where versions from 8.5 to 11 differ, the difference is in this file.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights

MODULES = ("tensorrt", "tensorrt_rtx")
WORKSPACE_BYTES = 4 << 30
_INSTALL = "install the extra [tensorrt] on a machine with an NVIDIA GPU and driver, or [tensorrt-rtx]"


@dataclass(frozen=True)
class InputShapes:
    """The range of input shapes that a plan takes, batch and channel included; it is fastest at `usual`."""

    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


@dataclass(frozen=True)
class TensorRtPlan:
    """A built plan, and what it was built from.

    Attributes:
        content: the serialised engine.
        builder: module and version; the plan runs with no other.
        layers: number of layers as the parser made them, before the builder fuses any.
        precisions: data type, as TensorRT calls it, to the number of convolutions and quantisations that compute in it.
    """

    content: bytes
    builder: str
    layers: int
    precisions: Mapping[str, int]


def import_tensorrt() -> ModuleType:
    """TensorRT, or TensorRT for RTX.

    Raises:
        EngineError: neither is installed.
    """
    faults = []
    for module in MODULES:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            faults.append(str(error))
    raise EngineError(f"no TensorRT ({'; '.join(faults)})", " or ".join(MODULES), _INSTALL)


def window_shapes(weights: Weights) -> InputShapes:
    """From the smallest window that the network takes to the one that it was trained on, one at a time."""
    smallest = (2 * weights.stride,) * len(weights.window)
    return InputShapes((1, 1, *smallest), (1, 1, *weights.window), (1, 1, *weights.window))


def build_plan(onnx: bytes, shapes: InputShapes, timing_cache: Path | None = None) -> TensorRtPlan:
    """Parses the network and builds a plan for it, each layer in the precision that the ONNX file states.

    Args:
        onnx: the ONNX file's content, with one input.
        shapes: what the input may be.
        timing_cache: file in which TensorRT keeps what it measured from one build to the next; made if it is not there.

    Raises:
        EngineError: no TensorRT, a network that it cannot parse, or one that it cannot build here.
    """
    trt: Any = import_tensorrt()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    if builder is None:
        raise EngineError("no builder of TensorRT", "a driver that fits the installed TensorRT", "run nvidia-smi")
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        faults = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
        raise EngineError(
            f"a network that TensorRT cannot read: {faults}", "operators that it supports", "export it for another one"
        )
    config = _build_config(trt, builder, network, shapes)
    if trt.__name__ == "tensorrt_rtx":
        timing_cache = None  # it measures on the GPU that loads the plan, not when it builds
    cache = _open_timing_cache(config, timing_cache)
    content = builder.build_serialized_network(network, config)
    if content is None:
        raise EngineError("a network that TensorRT cannot build", "a GPU with 4 GB free", "choose another engine")
    _keep_timing_cache(config, cache, timing_cache)
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return TensorRtPlan(bytes(content), f"{trt.__name__} {trt.__version__}", len(layers), _precisions(trt, layers))


def _network_flags(trt: Any) -> int:
    """Strongly typed, so that the file alone decides the precision; before TensorRT 9 there is no such network."""
    flags = trt.NetworkDefinitionCreationFlag
    if hasattr(flags, "STRONGLY_TYPED"):
        return 1 << int(flags.STRONGLY_TYPED)
    return 1 << int(flags.EXPLICIT_BATCH)


def _build_config(trt: Any, builder: Any, network: Any, shapes: InputShapes) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # single precision means single precision
    if not hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        for flag in ("FP16", "INT8"):  # allowed; the file's own types and Q/DQ nodes say where
            config.set_flag(getattr(trt.BuilderFlag, flag))
    profile = builder.create_optimization_profile()
    profile.set_shape(network.get_input(0).name, shapes.smallest, shapes.usual, shapes.largest)
    config.add_optimization_profile(profile)
    return config


def _open_timing_cache(config: Any, path: Path | None) -> Any | None:
    if path is None:
        return None
    cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
    config.set_timing_cache(cache, ignore_mismatch=True)  # of another GPU or version: it is measured again
    return cache


def _keep_timing_cache(config: Any, cache: Any | None, path: Path | None) -> None:
    if path is None or cache is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(bytes(config.get_timing_cache().serialize()))
    temporary.replace(path)


def _precisions(trt: Any, layers: list[Any]) -> dict[str, int]:
    counted = {trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION, trt.LayerType.QUANTIZE}
    return dict(Counter(layer.get_output(0).dtype.name for layer in layers if layer.type in counted))
