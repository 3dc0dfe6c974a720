"""torch as what runs CUDA: which GPU is there, and a computation of one shape with its buffers, stream and CUDA graph.

A CUDA graph holds the addresses and shapes that it was captured with (NVIDIA, "Optimizing TensorRT Performance", CUDA
graphs): so a session has one input shape, its buffers are allocated once, and nothing that was captured is used for
anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra, install_command
from reconstruction.network.engines.tensorrt_versions import Gpu
from reconstruction.network.errors import EngineError

if TYPE_CHECKING:
    import torch

    Computation = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]

# Of a replay from the plain run, relative and absolute; the same kernels in the same order differ by nothing.
GRAPH_TOLERANCE = 1e-4


def find_gpu() -> tuple[Gpu, torch.device]:
    """The NVIDIA GPU that torch uses here.

    Raises:
        EngineError: no torch, one without CUDA, or no GPU that it can use.
    """
    try:
        import torch
    except ImportError as error:
        raise EngineError(f"no torch ({error})", "the package torch", install_command("training")) from error
    if torch.version.cuda is None:
        raise EngineError(
            f"torch {torch.__version__}, which was built without CUDA",
            "the CUDA build, which allocates the memory that TensorRT works in",
            "on a machine with an NVIDIA GPU, SURGNAV_TORCH=cuda make setup installs it",
        )
    if not torch.cuda.is_available():
        raise EngineError(
            f"no NVIDIA GPU that torch {torch.__version__} can use",
            f"a GPU with a driver for CUDA {torch.version.cuda}",
            "run nvidia-smi; if it finds the GPU, install a newer driver or a torch for an older CUDA",
        )
    device = torch.device("cuda", torch.cuda.current_device())
    return Gpu(torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)), device


class Session:
    """Runs one computation on inputs of one shape.

    On a GPU the input is copied from page-locked memory, computed on a stream of the session's own, by a CUDA graph
    where that is asked for and works, and copied back to page-locked memory.

    Args:
        computation: input tensor to result tensors, all on `device`; must do the same whatever the values are.
        shape, dtype: of the input.
        graph: whether to capture a CUDA graph.

    Attributes:
        no_graph: why the session runs without a CUDA graph; empty where it has one.
    """

    def __init__(
        self, computation: Computation, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, *, graph: bool
    ) -> None:
        with from_extra("training"):
            import torch

        on_gpu = device.type == "cuda"
        self._computation = computation
        self._stream = torch.cuda.Stream(device) if on_gpu else None
        self._from_host = torch.empty(shape, dtype=dtype, pin_memory=on_gpu)
        self._input = torch.empty(shape, dtype=dtype, device=device)
        self._to_host: list[torch.Tensor] = []
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured: tuple[torch.Tensor, ...] = ()
        # The first run allocates and compiles, neither of which a graph may hold. Its values differ from pixel to
        # pixel, so that a graph that holds nothing, or reads elsewhere, gives another result.
        trial = (torch.arange(self._input.numel()) % 256).reshape(shape).to(dtype).numpy()
        plain = self.run(trial)
        self.no_graph = "not asked for"
        if graph:
            self.no_graph = self._capture(trial, plain) if on_gpu else "no GPU"

    def run(self, values: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """The computation's results on these values; the arrays are the caller's to keep."""
        with from_extra("training"):
            import torch

        self._from_host.numpy()[...] = values
        with torch.cuda.stream(self._stream):
            self._input.copy_(self._from_host, non_blocking=True)
            if self._graph is None:
                results = self._computation(self._input)
            else:
                self._graph.replay()
                results = self._captured
            if not self._to_host:
                locked = self._stream is not None
                self._to_host = [torch.empty(r.shape, dtype=r.dtype, pin_memory=locked) for r in results]
            for target, result in zip(self._to_host, results, strict=True):
                target.copy_(result, non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        return [target.numpy().copy() for target in self._to_host]

    def _capture(self, trial: NDArray[np.generic], plain: list[NDArray[np.generic]]) -> str:
        """Captures the computation and keeps the graph if it repeats the plain run; otherwise returns why not."""
        with from_extra("training"):
            import torch

        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads may use the GPU meanwhile, so only this one's calls are watched.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
            ):
                captured = self._computation(self._input)
        except (RuntimeError, EngineError) as error:
            self._stream = torch.cuda.Stream(self._input.device)  # the old one may still be capturing
            return f"the capture failed: {error}"
        with torch.cuda.stream(self._stream):
            for result in captured:
                result.zero_()
        self._graph, self._captured = graph, captured
        replayed = self.run(trial)
        if all(np.allclose(a, b, GRAPH_TOLERANCE, GRAPH_TOLERANCE) for a, b in zip(replayed, plain, strict=True)):
            return ""
        self._graph, self._captured = None, ()
        return "its replay differs from the plain run"
