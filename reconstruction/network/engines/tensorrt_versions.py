"""What differs between TensorRT 8.5, 10, 11 and TensorRT for RTX, and nothing else; the rest of the code knows one API.

* Precision: from 9 on a network is strongly typed, so that the file alone decides; 8.5 has flags that allow more.
* Building: on the GPU that the plan is for; TensorRT for RTX without one, for all from compute capability 8.0 on.
* Kept from one build to the next: a timing cache; TensorRT for RTX would ask for a GPU to use one, and gains nothing.
* Kept from one start to the next: TensorRT for RTX compiles kernels when it loads a plan, and has a cache for them.
* CUDA graphs: the caller captures them; TensorRT for RTX does so itself, with the kernels that it compiles.

Sources: NVIDIA's migration guides from 8.x to 10.x and from 10.x to 11.x; TensorRT for RTX, "Working with RTX CUDA
Graphs", "Working with Runtime Cache", "CPU-Only AOT" and "Timing Cache Migration".
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from case.atomic import atomic_write
from reconstruction.network.errors import EngineError

if TYPE_CHECKING:
    import tensorrt

Made = TypeVar("Made")
MODULES = ("tensorrt", "tensorrt_rtx")
INSTALL = "install the extra [tensorrt] on a machine with an NVIDIA GPU and driver, or [tensorrt-rtx]"
# Plans of TensorRT for RTX run from here on unless they are built for one older GPU.
PORTABLE_FROM = (8, 0)


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU: its name and compute capability."""

    name: str
    capability: tuple[int, int]


class TensorRt(Protocol):
    """What this project uses of either module, typed by the stubs of `tensorrt`; `tensorrt_rtx` has the same names."""

    __name__: str

    Builder: type[tensorrt.Builder]
    BuilderFlag: type[tensorrt.BuilderFlag]
    DataType: type[tensorrt.DataType]
    Dims: type[tensorrt.Dims]
    LayerType: type[tensorrt.LayerType]
    Logger: type[tensorrt.Logger]
    MemoryPoolType: type[tensorrt.MemoryPoolType]
    NetworkDefinitionCreationFlag: type[tensorrt.NetworkDefinitionCreationFlag]
    OnnxParser: type[tensorrt.OnnxParser]
    Runtime: type[tensorrt.Runtime]
    TensorIOMode: type[tensorrt.TensorIOMode]


def import_tensorrt() -> TensorRt:
    """TensorRT, or TensorRT for RTX.

    Raises:
        EngineError: neither is installed.
    """
    faults = []
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError) as error:
            faults.append(str(error))
            continue
        if hasattr(module, "Builder"):  # a folder of type stubs imports as well, and is empty
            return cast(TensorRt, module)
        faults.append(f"{name} holds type stubs only")
    raise EngineError(f"no TensorRT ({'; '.join(faults)})", " or ".join(MODULES), INSTALL)


def builder_name(trt: TensorRt) -> str:
    """Module and version, as they stand in plans' descriptions and engines' names."""
    return f"{trt.__name__} {cast(Any, trt).__version__}"  # which the stubs lack


def is_rtx(trt: TensorRt) -> bool:
    """Whether this is TensorRT for RTX."""
    return bool(trt.__name__ == "tensorrt_rtx")


def create(kind: Callable[[tensorrt.Logger], Made], logger: tensorrt.Logger) -> Made:
    """A builder or runtime of TensorRT.

    Raises:
        EngineError: the driver is missing or does not fit; the bindings say no more than that they got nothing.
    """
    try:
        return kind(logger)
    except (TypeError, RuntimeError) as error:
        raise EngineError(
            f"a TensorRT that does not start ({error})",
            "a driver that fits the installed TensorRT",
            "run nvidia-smi, and compare its CUDA version with that of TensorRT",
        ) from error


def present(made: Made | None, error: EngineError) -> Made:
    """What TensorRT returned; the stubs do not say that it returns None where it fails.

    Raises:
        EngineError: the one that was passed, for None.
    """
    if made is None:
        raise error
    return made


def target_gpu(trt: TensorRt, gpu: Gpu | None) -> str:
    """The GPUs that a plan built now will run on, in words.

    Raises:
        EngineError: TensorRT builds for the GPU it runs on, and there is none.
    """
    if is_rtx(trt) and not _is_old(gpu):
        return f"compute capability {PORTABLE_FROM[0]}.{PORTABLE_FROM[1]} and later"
    if gpu is None:
        raise EngineError(
            "no NVIDIA GPU to build a plan for", "the GPU that the plan will run on", "build it on that machine"
        )
    return f"{gpu.name}, compute capability {gpu.capability[0]}.{gpu.capability[1]}"


def _is_old(gpu: Gpu | None) -> bool:
    return gpu is not None and gpu.capability < PORTABLE_FROM


def network_flags(trt: TensorRt) -> int:
    """Strongly typed, so that the file alone decides the precision; before 9 there is no such network."""
    flags = trt.NetworkDefinitionCreationFlag
    if hasattr(flags, "STRONGLY_TYPED"):
        return 1 << int(flags.STRONGLY_TYPED)
    return 1 << int(flags.EXPLICIT_BATCH)


def set_precision(trt: TensorRt, config: tensorrt.IBuilderConfig, layers: Iterable[tensorrt.ILayer]) -> None:
    """Single precision means single precision; what the file states in less, and only that, may be computed in less."""
    config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        return
    if any(layer.type == trt.LayerType.QUANTIZE for layer in layers):
        config.set_flag(trt.BuilderFlag.INT8)
    if any(layer.get_output(0).dtype == trt.DataType.HALF for layer in layers):
        config.set_flag(trt.BuilderFlag.FP16)


def set_target(trt: TensorRt, config: tensorrt.IBuilderConfig, gpu: Gpu | None) -> None:
    """Tells TensorRT for RTX about a GPU that its portable plans leave out."""
    if is_rtx(trt) and gpu is not None and _is_old(gpu):
        rtx, rtx_config = cast(Any, trt), cast(Any, config)
        rtx_config.num_compute_capabilities = 1
        capability = getattr(rtx.ComputeCapability, f"SM{gpu.capability[0]}{gpu.capability[1]}")
        rtx_config.set_compute_capability(capability, 0)


def open_timing_cache(trt: TensorRt, config: tensorrt.IBuilderConfig, path: Path | None) -> None:
    """Lets the builder reuse what it measured on this GPU before, if a file holds that."""
    if path is None or is_rtx(trt):
        return
    cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
    # Times of another GPU would be believed if a mismatch were ignored.
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def keep_timing_cache(trt: TensorRt, config: tensorrt.IBuilderConfig, path: Path | None) -> None:
    """Writes what the builder measured, for the next build."""
    if path is not None and not is_rtx(trt):
        atomic_write(path, bytes(config.get_timing_cache().serialize()))


def captures_graphs_itself(trt: TensorRt) -> bool:
    """Whether an execution context captures its own CUDA graph, so that the caller must not."""
    return is_rtx(trt)


def create_context(
    trt: TensorRt, engine: tensorrt.ICudaEngine, runtime_cache: Path | None, *, graph: bool
) -> tuple[tensorrt.IExecutionContext, Any]:
    """A context to run one input shape in, and the runtime cache that it fills; the latter is None for TensorRT.

    Args:
        runtime_cache: for TensorRT for RTX: file with kernels compiled earlier; one of another GPU or version is left
            aside by its own check.
        graph: whether a context that captures graphs itself may.

    Raises:
        EngineError: too little memory.
    """
    cache = None
    if is_rtx(trt):
        rtx, config = cast(Any, trt), cast(Any, engine.create_runtime_config())
        graphs, kernels = rtx.CudaGraphStrategy, rtx.DynamicShapesKernelSpecializationStrategy
        config.cuda_graph_strategy = graphs.WHOLE_GRAPH_CAPTURE if graph else graphs.DISABLED
        # All kernels at once: lazily compiled ones would change time and last bits from one frame to another.
        config.dynamic_shapes_kernel_specialization_strategy = kernels.EAGER
        cache = config.create_runtime_cache()
        if runtime_cache is not None and runtime_cache.exists():
            cache.deserialize(runtime_cache.read_bytes())
        config.set_runtime_cache(cache)
        context = engine.create_execution_context(runtime_config=config)
    else:
        context = engine.create_execution_context()
    too_little = EngineError("too little GPU memory for TensorRT", "a GPU with 4 GB free", "close other programs")
    return present(context, too_little), cache


def keep_runtime_cache(trt: TensorRt, cache: Any, path: Path) -> None:
    """Writes the kernels that a context has compiled, for the next start."""
    if is_rtx(trt):
        atomic_write(path, bytes(cache.serialize()))


if TYPE_CHECKING:
    _fits: TensorRt = tensorrt
