"""OpenVINO on the CPU: in single precision, or where asked in bfloat16; a network in INT8 as it is."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from geometry.extras import install_command
from geometry.points import Singles
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights

# Compiled for a window's exact shape, which is about twice as fast as free dimensions; a case needs one or two shapes.
KEPT_SHAPES = 4


Arithmetic = Literal["f32", "bf16"]


class OpenVinoEngine:
    """Compiles the network once for each window shape.

    Args:
        arithmetic: of what the file states in floating point. ``f32`` gives the same result on every machine.
    """

    def __init__(self, weights: Weights, arithmetic: Arithmetic = "f32") -> None:
        try:
            import openvino
        except ImportError as error:
            raise EngineError(
                f"no OpenVINO ({error})", "the package openvino", install_command("segmentation")
            ) from error
        self._core = openvino.Core()
        self._path = str(weights.onnx)
        self._arithmetic = arithmetic
        self._compiled: dict[tuple[int, ...], Any] = {}
        self.name = f"openvino {openvino.__version__.split('-')[0]} CPU {arithmetic}"

    def run(self, batch: Singles) -> Singles:
        if batch.shape not in self._compiled:
            self._compile(batch.shape)
        return np.asarray(self._compiled[batch.shape](np.ascontiguousarray(batch))[0], np.float32)

    def _compile(self, shape: tuple[int, ...]) -> None:
        try:
            model = self._core.read_model(self._path)
            model.reshape(list(shape))
            # Without the hint OpenVINO computes in bf16 where the CPU has it, and surfaces would differ by machine.
            compiled = self._core.compile_model(
                model, "CPU", {"INFERENCE_PRECISION_HINT": self._arithmetic, "PERFORMANCE_HINT": "LATENCY"}
            )
        except RuntimeError as error:
            raise EngineError(
                f"a window of shape {shape}, for which OpenVINO cannot compile the network ({error})",
                "a working CPU plugin of OpenVINO",
                "choose another engine",
            ) from error
        while len(self._compiled) >= KEPT_SHAPES:
            self._compiled.pop(next(iter(self._compiled)))
        self._compiled[shape] = compiled
