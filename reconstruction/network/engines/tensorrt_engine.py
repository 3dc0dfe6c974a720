"""TensorRT on an NVIDIA GPU, or TensorRT for RTX where that is installed instead; the extra `[tensorrt]`.

The engine is built from the ONNX file for a range of window shapes, in single precision without TF32, and kept in the
cache folder where one is given. Building takes a minute, loading a moment.

No machine that this project was built on had an NVIDIA GPU: the test for it is marked `gpu` and has yet to run.
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from geometry.points import Singles
from reconstruction.network.engines.tensorrt_build import build_plan, import_tensorrt, window_shapes
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights

_INSTALL = "on a machine with an NVIDIA GPU and driver, install the extra: pip install 'surgnav[tensorrt]'"


class TensorRtEngine:
    """Builds or loads the engine at construction, runs one window batch at a time."""

    def __init__(self, weights: Weights, cache: Path | None = None) -> None:
        self._trt: Any = import_tensorrt()
        self._cuda = _CudaRuntime()
        self.name = f"{self._trt.__name__} {self._trt.__version__} {self._cuda.device_name} f32"
        self._input, self._classes = weights.input_name, len(weights.classes)
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._engine = self._load_or_build(weights, cache)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError("too little GPU memory for TensorRT", "a GPU with 4 GB free", "close other programs")

    def run(self, batch: Singles) -> Singles:
        batch = np.ascontiguousarray(batch, np.float32)
        if not self._context.set_input_shape(self._input, batch.shape):
            raise EngineError(
                f"a batch of shape {batch.shape}", "at most the shape of the trained window", "use smaller windows"
            )
        logits = np.empty((batch.shape[0], self._classes, *batch.shape[2:]), np.float32)
        with self._cuda.buffer(batch.nbytes) as source, self._cuda.buffer(logits.nbytes) as target:
            self._cuda.to_device(source, batch)
            self._context.set_tensor_address(self._input, source)
            self._context.set_tensor_address("logits", target)
            if not self._context.execute_async_v3(self._cuda.stream):
                raise EngineError("a failure while TensorRT ran", "a working GPU", "see its log; choose another engine")
            self._cuda.synchronise()
            self._cuda.to_host(logits, target)
        return logits

    def _load_or_build(self, weights: Weights, cache: Path | None) -> Any:
        runtime = self._trt.Runtime(self._logger)
        # A plan runs only with the TensorRT and the GPU it was built for.
        key = hashlib.sha256(f"{weights.sha256} {weights.window} {self.name}".encode()).hexdigest()[:24]
        path = cache / f"{key}.plan" if cache is not None else None
        timing_cache = cache / "timing.cache" if cache is not None else None
        if path is not None and path.exists():
            engine = runtime.deserialize_cuda_engine(path.read_bytes())
            if engine is not None:
                return engine
        plan = build_plan(weights.onnx.read_bytes(), window_shapes(weights), timing_cache).content
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".tmp")
            temporary.write_bytes(plan)
            temporary.replace(path)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            came = "an engine that TensorRT has built and cannot load"
            raise EngineError(came, "a GPU that TensorRT supports", "choose another engine")
        return engine


class _CudaRuntime:
    """The few calls of the CUDA runtime that an engine needs, each checked."""

    def __init__(self) -> None:
        try:
            runtime = importlib.import_module("cuda.bindings.runtime")
        except ImportError as error:
            raise EngineError(f"no CUDA runtime ({error})", "the package cuda-python", _INSTALL) from error
        self._runtime = runtime
        if self._call(runtime.cudaGetDeviceCount()) < 1:
            raise EngineError("no NVIDIA GPU", "at least one", _INSTALL)
        self.device_name = self._call(runtime.cudaGetDeviceProperties(0)).name.decode().strip("\0")
        self.stream = int(self._call(runtime.cudaStreamCreate()))

    def _call(self, result: tuple[Any, ...]) -> Any:
        code, *values = result
        if int(code) != 0:
            raise EngineError(f"the CUDA error {code}", "a working NVIDIA driver", _INSTALL)
        return values[0] if values else None

    def buffer(self, size: int) -> _Buffer:
        return _Buffer(self, size)

    def allocate(self, size: int) -> int:
        return int(self._call(self._runtime.cudaMalloc(size)))

    def free(self, pointer: int) -> None:
        self._call(self._runtime.cudaFree(pointer))

    def to_device(self, pointer: int, array: Singles) -> None:
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call(self._runtime.cudaMemcpy(pointer, array.ctypes.data, array.nbytes, kind))

    def to_host(self, array: Singles, pointer: int) -> None:
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call(self._runtime.cudaMemcpy(array.ctypes.data, pointer, array.nbytes, kind))

    def synchronise(self) -> None:
        self._call(self._runtime.cudaStreamSynchronize(self.stream))


class _Buffer:
    """Device memory for the length of a `with`."""

    def __init__(self, cuda: _CudaRuntime, size: int) -> None:
        self._cuda, self._size, self._pointer = cuda, size, 0

    def __enter__(self) -> int:
        self._pointer = self._cuda.allocate(self._size)
        return self._pointer

    def __exit__(self, *_: object) -> None:
        self._cuda.free(self._pointer)
