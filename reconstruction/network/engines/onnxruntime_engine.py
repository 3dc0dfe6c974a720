"""ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np

from geometry.extras import install_command
from geometry.points import Singles
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights


class OnnxRuntimeEngine:
    """One session with free dimensions."""

    def __init__(self, weights: Weights) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError(
                f"no ONNX Runtime ({error})", "the package onnxruntime", install_command("segmentation")
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Windows of this size come once or twice a case; an arena would keep their memory for good.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(str(weights.onnx), options, providers=["CPUExecutionProvider"])
        self._input = weights.input_name
        self.name = f"onnxruntime {onnxruntime.__version__} CPU"

    def run(self, batch: Singles) -> Singles:
        try:
            return np.asarray(self._session.run(None, {self._input: np.ascontiguousarray(batch)})[0], np.float32)
        except RuntimeError as error:
            raise EngineError(
                f"a batch of shape {batch.shape}, on which ONNX Runtime failed ({error})",
                "windows whose sides are multiples of the stride",
                "pad them",
            ) from error
