"""OpenVINO on the CPU: in single precision, or where asked in bfloat16; a network in INT8 as it is."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np

from geometry.extras import from_extra, install_command
from geometry.points import Singles
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights

# Compiled for a window's exact shape, which is about twice as fast as free dimensions; a case needs one or two shapes.
KEPT_SHAPES = 4


Arithmetic = Literal["f32", "bf16"]


@cache
def the_core() -> Any:
    """The one `openvino.Core` of this process, never taken down.

    Each Core gives the thread that makes it a signal stack, and takes it away when it ends. Several that end in the
    order they began leave the thread with a stack that is no longer there: the next signal, a Ctrl-C or the end of a
    child, is written over whatever lies there by then, or ends the process with a segmentation fault.
    """
    with from_extra("segmentation"):
        import openvino

    return openvino.Core()


class OpenVinoEngine:
    """Compiles the network once for each window shape.

    Args:
        arithmetic: of what the file states in floating point. ``f32`` gives the same result on every machine.
        threads: at most so many; None leaves it to OpenVINO, which takes the physical cores.

    Raises:
        EngineError: OpenVINO is not installed, or bf16 is asked of a processor that has none.
    """

    def __init__(self, weights: Weights, arithmetic: Arithmetic = "f32", threads: int | None = None) -> None:
        try:
            import openvino
        except ImportError as error:
            raise EngineError(
                f"no OpenVINO ({error})", "the package openvino", install_command("segmentation")
            ) from error
        self._core = the_core()
        if arithmetic == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError(
                "bf16 on a processor without it, where OpenVINO computes in single precision instead",
                "a processor with AVX-512 BF16 or AMX",
                "compute in f32",
            )
        self._path = str(weights.onnx)
        # Without the hint OpenVINO computes in bf16 where the CPU has it, and surfaces would differ by machine.
        self._properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": arithmetic, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            self._properties["INFERENCE_NUM_THREADS"] = threads
        self._compiled: dict[tuple[int, ...], Any] = {}
        self.name = f"openvino {openvino.__version__.split('-')[0]} CPU {arithmetic}"
        if threads is not None:
            self.name += f" {threads} thread{'s' if threads > 1 else ''}"

    def run(self, batch: Singles) -> Singles:
        if batch.shape not in self._compiled:
            self._compile(batch.shape)
        # The input is read where it lies. The output is copied: the next call overwrites OpenVINO's own.
        return np.asarray(self._compiled[batch.shape](np.ascontiguousarray(batch), share_inputs=True)[0], np.float32)

    def _compile(self, shape: tuple[int, ...]) -> None:
        try:
            model = self._core.read_model(self._path)
            model.reshape(list(shape))
            compiled = self._core.compile_model(model, "CPU", self._properties)
        except RuntimeError as error:
            raise EngineError(
                f"a window of shape {shape}, for which OpenVINO cannot compile the network ({error})",
                "a working CPU plugin of OpenVINO",
                "choose another engine",
            ) from error
        while len(self._compiled) >= KEPT_SHAPES:
            self._compiled.pop(next(iter(self._compiled)))
        self._compiled[shape] = compiled
