"""Inference engines behind one Protocol: OpenVINO on CPUs, TensorRT on NVIDIA, ONNX Runtime, torch to compare.

All compute in single precision from the same ONNX file, so they agree to rounding; `available_engines` runs each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geometry.clock import Clock
from geometry.extras import install_command
from geometry.points import Singles
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights, load_weights


class InferenceEngine(Protocol):
    """Runs the network on windows of HU."""

    @property
    def name(self) -> str:
        """Engine, version and device, for manifests."""
        ...

    def run(self, batch: Singles) -> Singles:
        """HU ``(n, 1, d, h, w)`` float32 to logits ``(n, 5, d, h, w)``; d, h, w multiples of the weights' stride.

        Raises:
            EngineError: the engine cannot run this here.
        """
        ...


@dataclass(frozen=True)
class EngineReport:
    """The result of running one engine on a tiny window.

    Attributes:
        ms: time of the second run, without loading and compiling; None where it did not run.
        reason: why it does not run, and what to do; empty where it runs.
    """

    name: str
    ok: bool
    version: str
    reason: str
    ms: float | None


def _openvino(weights: Weights) -> InferenceEngine:
    from reconstruction.network.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(weights)


def _tensorrt(weights: Weights) -> InferenceEngine:
    from reconstruction.network.engines.tensorrt_engine import TensorRtEngine

    return TensorRtEngine(weights)


def _onnxruntime(weights: Weights) -> InferenceEngine:
    from reconstruction.network.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(weights)


def _torch(weights: Weights) -> InferenceEngine:
    from reconstruction.network.engines.torch_engine import TorchEngine

    return TorchEngine(weights)


# In the order of preference.
ENGINES: dict[str, Callable[[Weights], InferenceEngine]] = {
    "tensorrt": _tensorrt,
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "torch": _torch,
}


def choose_engine(name: str | None = None, weights: Weights | None = None) -> InferenceEngine:
    """The engine of that name, or the first by preference that loads here.

    Raises:
        EngineError: unknown name, or it (or, without a name, none) cannot be loaded.
        WeightsError: the weights are missing or damaged.
    """
    weights = weights or load_weights()
    if name is not None:
        if name not in ENGINES:
            raise EngineError(f"the engine {name!r}", f"one of {', '.join(ENGINES)}", "choose one of these")
        return ENGINES[name](weights)
    reasons = []
    for candidate, make in ENGINES.items():
        try:
            return make(weights)
        except EngineError as error:
            reasons.append(f"{candidate}: {error.came}")
    came = f"no engine that loads ({'; '.join(reasons)})"
    raise EngineError(came, f"one of {', '.join(ENGINES)}", install_command("segmentation"))


def available_engines(clock: Clock, weights: Weights | None = None) -> tuple[EngineReport, ...]:
    """Loads and runs every engine on the smallest window; returns a report for each."""
    weights = weights or load_weights()
    return tuple(_try_engine(name, weights, clock) for name in ENGINES)


def _try_engine(name: str, weights: Weights, clock: Clock) -> EngineReport:
    side = 2 * weights.stride
    shape = (1, 1, *(side,) * weights.dimensions)
    lowest, highest = (-1000, 1000) if weights.dimensions == 3 else (0, 1)
    batch = np.linspace(lowest, highest, np.prod(shape), dtype=np.float32).reshape(shape)
    try:
        engine = ENGINES[name](weights)
        engine.run(batch)
        start_ns = clock.now_ns()
        logits = engine.run(batch)
        ms = (clock.now_ns() - start_ns) / 1e6
    except EngineError as error:
        return EngineReport(name, False, "", f"{error.came}; {error.action}", None)
    if not np.isfinite(logits).all():
        return EngineReport(name, False, engine.name, "it returned values that are not finite; do not use it", None)
    return EngineReport(name, True, engine.name, "", ms)
