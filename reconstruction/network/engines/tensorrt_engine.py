"""TensorRT on an NVIDIA GPU, or TensorRT for RTX where that is installed instead: networks of volumes and of images.

torch allocates, TensorRT computes: both work on the same stream and the same memory. For each input shape there is one
execution context with buffers that stay, and a CUDA graph of the whole computation where one can be captured. For
images, scaling to the grid, softmax and temperature run on the GPU too, so that only the frame's bytes go in.

No machine that this project was built on had an NVIDIA GPU that it could use: the tests marked `gpu` have yet to run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.engines import tensorrt_versions as versions
from reconstruction.network.engines.cuda_session import Session, find_gpu
from reconstruction.network.engines.frame_operations import FrameOperations
from reconstruction.network.engines.tensorrt_build import window_shapes
from reconstruction.network.engines.tensorrt_plans import default_folder, find_or_build
from reconstruction.network.engines.tensorrt_versions import TensorRt
from reconstruction.network.errors import EngineError
from reconstruction.network.letterbox import letterbox
from reconstruction.network.weights import Weights

if TYPE_CHECKING:
    import tensorrt
    import torch

# Contexts of this many input shapes are kept: a case needs one or two, a stream of frames one.
KEPT_SHAPES = 4


class TensorRtEngine:
    """Finds or builds the plan at construction; prepares each input shape when it first comes.

    Args:
        plans: folder of plans and caches; by default `plans` beside the ONNX file.
        graph: whether to use CUDA graphs; without, each operation is launched by itself.

    Attributes:
        notes: what is not as it should be, and why: a plan that could not be kept, a shape without a CUDA graph.

    Raises:
        EngineError: no TensorRT, no CUDA build of torch, no GPU, or a plan that cannot be built or loaded.
    """

    def __init__(self, weights: Weights, plans: Path | None = None, *, graph: bool = True) -> None:
        self._trt = versions.import_tensorrt()
        gpu, self._device = find_gpu()
        self._weights, self._graph = weights, graph
        self._captures = graph and not versions.captures_graphs_itself(self._trt)
        self._shapes = window_shapes(weights)
        self.name = f"{versions.builder_name(self._trt)} {gpu.name}"
        self.notes: list[str] = []
        folder = plans or default_folder(weights)
        plan, path = find_or_build(weights, folder, gpu)
        if path is None:
            self.notes.append(f"{folder} cannot be written to: the plan is built at every start")
        # What TensorRT for RTX compiles for this GPU is kept beside the plan, which is for many.
        self._compiled = None if path is None else path.with_suffix(f".sm{gpu.capability[0]}{gpu.capability[1]}")
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._runtime = versions.create(self._trt.Runtime, self._logger)
        came, action = f"a plan of {self.name} that it cannot load", "see its log; choose another engine"
        failed = EngineError(came, "a GPU that this TensorRT supports", action)
        self._engine = versions.present(self._runtime.deserialize_cuda_engine(plan.content), failed)
        self._sessions: dict[tuple[int, ...], Session] = {}

    def run(self, batch: Singles) -> Singles:
        """As the Protocol says; of a batch, one input at a time."""
        shape = (1, *batch.shape[1:])
        self._shapes.check(shape)
        session = self._session(shape, self._windows)
        results = [session.run(np.asarray(one[None], np.float32))[0] for one in batch]
        return np.concatenate(results).astype(np.float32, copy=False)

    def run_frame(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Singles]:
        """A frame ``(h, w)`` of any size to what the network sees of it and what it says, on the network's grid.

        Returns:
            Grey values ``(H, W)``, and calibrated probabilities ``(classes, H, W)``; `letterbox` says where they lie.

        Raises:
            EngineError: the network takes volumes, or TensorRT failed.
        """
        if self._weights.dimensions != 2:
            came = f"a frame for {self._weights.name}, which takes volumes"
            raise EngineError(came, "a network of images", "name another network, or pass windows to run()")
        session = self._session((pixels.shape[0], pixels.shape[1]), self._frames)
        grey, probabilities = session.run(pixels)
        return grey.astype(np.uint8, copy=False), probabilities.astype(np.float32, copy=False)

    def _session(self, shape: tuple[int, ...], make: Callable[[tuple[int, ...]], tuple[Session, _Network]]) -> Session:
        """Of a frame's shape ``(h, w)`` or a window's ``(1, 1, ...)``; prepared when it first comes."""
        if shape not in self._sessions:
            with from_extra("training"):
                import torch

            while len(self._sessions) >= KEPT_SHAPES:
                self._sessions.pop(next(iter(self._sessions)))
            with torch.cuda.device(self._device):  # contexts are made on the current one
                self._sessions[shape], network = make(shape)
            if self._captures and (reason := self._sessions[shape].no_graph):
                self.notes.append(f"no CUDA graph for {shape}: {reason}")
            if self._compiled is not None:
                versions.keep_runtime_cache(self._trt, network.cache, self._compiled)
        return self._sessions[shape]

    def _windows(self, shape: tuple[int, ...]) -> tuple[Session, _Network]:
        with from_extra("training"):
            import torch

        network = self._network(shape)
        session = Session(lambda window: (network(window),), shape, torch.float32, self._device, graph=self._captures)
        return session, network

    def _frames(self, shape: tuple[int, ...]) -> tuple[Session, _Network]:
        with from_extra("training"):
            import torch

        grid = (self._weights.window[0], self._weights.window[1])
        operations = FrameOperations(letterbox((shape[0], shape[1]), grid), self._weights.temperature, self._device)
        network = self._network((1, 1, *grid))

        def compute(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            image = operations.before(pixels)
            return operations.after(image, network(image))

        return Session(compute, shape, torch.uint8, self._device, graph=self._captures), network

    def _network(self, shape: tuple[int, ...]) -> _Network:
        return _Network(self._trt, self._engine, shape, self._device, self._compiled, graph=self._graph)


class _Network:
    """The network in an execution context of its own, for one input shape, on memory that torch allocated."""

    def __init__(
        self,
        trt: TensorRt,
        engine: tensorrt.ICudaEngine,
        shape: tuple[int, ...],
        device: torch.device,
        cache: Path | None,
        *,
        graph: bool,
    ) -> None:
        with from_extra("training"):
            import torch

        self._context, self.cache = versions.create_context(trt, engine, cache, graph=graph)
        tensors = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        names = {engine.get_tensor_mode(name): name for name in tensors}
        source, target = names[trt.TensorIOMode.INPUT], names[trt.TensorIOMode.OUTPUT]
        if not self._context.set_input_shape(source, shape):
            raise EngineError(f"an input of shape {shape}", "one that the plan was built for", "cut it into windows")
        # Bound once: TensorRT for RTX captures anew when an address changes.
        self._input = torch.empty(shape, device=device)
        sides = self._context.get_tensor_shape(target)
        self._output = torch.empty([sides[axis] for axis in range(len(sides))], device=device)
        for name, tensor in ((source, self._input), (target, self._output)):
            if engine.get_tensor_dtype(name) != trt.DataType.FLOAT:
                raise EngineError(
                    f"a plan whose {name!r} is not float32", "float32 in and out", "export the network again"
                )
            self._context.set_tensor_address(name, tensor.data_ptr())

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Enqueues the network on torch's current stream; the result is overwritten by the next call."""
        with from_extra("training"):
            import torch

        self._input.copy_(values)
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise EngineError("a failure while TensorRT ran", "a working GPU", "see its log; choose another engine")
        return self._output
