"""Every engine with every form of a network, on the same input: how fast, and how far from single precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from geometry.clock import Clock
from geometry.points import Singles
from reconstruction.network.engines.engine import ENGINES, InferenceEngine
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.errors import EngineError
from reconstruction.network.segmentation import softmax
from reconstruction.network.weights import Weights

REFERENCE = "onnxruntime"


@dataclass(frozen=True)
class BenchRow:
    """One engine with one form of the network.

    Attributes:
        network: the form's name.
        engine: name, version, device and arithmetic; where it did not run, the name alone.
        median_ms, p99_ms: time of one call, after a first that compiles; None where it did not run.
        same_class: share of voxels whose likeliest class is that of the reference.
        largest_difference: of any class probability from the reference's.
        reason: why it did not run; empty where it did.
    """

    network: str
    engine: str
    median_ms: float | None = None
    p99_ms: float | None = None
    same_class: float | None = None
    largest_difference: float | None = None
    reason: str = ""


def bench(forms: Iterable[Weights], batch: Singles, clock: Clock, runs: int = 20) -> Iterator[BenchRow]:
    """Runs each engine with each form, one after the other.

    Args:
        forms: the first is the reference, in single precision.
        batch: input ``(n, 1, ...)``, as in use.
        runs: timed calls of each.

    Raises:
        EngineError: the reference itself does not run.
    """
    forms = list(forms)
    reference = softmax(ENGINES[REFERENCE](forms[0]).run(batch))
    for weights in forms:
        makers: dict[str, Callable[[Weights], InferenceEngine]] = {**ENGINES, "openvino bf16": _openvino_bf16}
        for name, make in makers.items():
            yield _row(weights, name, make, batch, reference, clock, runs)


def _openvino_bf16(weights: Weights) -> InferenceEngine:
    return OpenVinoEngine(weights, "bf16")


def _row(
    weights: Weights,
    name: str,
    make: Callable[[Weights], InferenceEngine],
    batch: Singles,
    reference: Singles,
    clock: Clock,
    runs: int,
) -> BenchRow:
    try:
        engine = make(weights)
        probabilities = softmax(engine.run(batch))
        times_ms = []
        for _ in range(runs):
            start_ns = clock.now_ns()
            engine.run(batch)
            times_ms.append((clock.now_ns() - start_ns) / 1e6)
    except EngineError as error:
        return BenchRow(weights.name, name, reason=error.came)
    same = probabilities.argmax(axis=1) == reference.argmax(axis=1)
    return BenchRow(
        network=weights.name,
        engine=engine.name,
        median_ms=float(np.median(times_ms)),
        p99_ms=float(np.percentile(times_ms, 99)),
        same_class=float(same.mean()),
        largest_difference=float(np.abs(probabilities - reference).max()),
    )
