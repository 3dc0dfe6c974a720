"""The fastest form and arithmetic of a 2D network on this processor that answers as single precision does.

Which is fastest depends on the processor: bfloat16 where it has the instructions for it, INT8 on most, single precision
on some. So every candidate is measured once, on real frames, and the result is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.clock import Clock
from geometry.extras import install_command
from geometry.points import Singles
from reconstruction.network.engines.engine import InferenceEngine
from reconstruction.network.engines.openvino_engine import Arithmetic, OpenVinoEngine, the_core
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import Weights

SAME_CLASS = 0.995
STRUCTURE_DICE = 0.98
ROUNDS = 30
FORMAT = 1
NOTHING_FOUND = "single precision finds no structure in these frames, so nothing shows that another keeps it"


@dataclass(frozen=True)
class Processor:
    """What decides which candidates there are, and whether an earlier measurement still holds."""

    name: str
    openvino: str
    has_bf16: bool


@dataclass(frozen=True)
class Candidate:
    """A form of the network, and the arithmetic of what it leaves in floating point."""

    weights: Weights
    arithmetic: Arithmetic

    @property
    def name(self) -> str:
        return f"{self.weights.name} {self.arithmetic}"


@dataclass(frozen=True)
class Measured:
    """What was found of one candidate.

    Attributes:
        candidate: its name.
        median_ms: time of one frame; None if it was not timed.
        same_class: share of pixels with the class that single precision gives; None if it did not run.
        lowest_dice: the lowest Dice of a structure against single precision; None if neither finds any here.
        refused: why it is not used whatever its speed; empty if it may be.
    """

    candidate: str
    median_ms: float | None = None
    same_class: float | None = None
    lowest_dice: float | None = None
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Choice:
    """The engine to use, the form that it runs, and what was measured; `from_cache` if that was done earlier."""

    engine: InferenceEngine
    weights: Weights
    measured: tuple[Measured, ...]
    from_cache: bool


MakeEngine = Callable[[Candidate, int], InferenceEngine]


def this_processor() -> Processor:
    """Of this machine, as OpenVINO sees it.

    Raises:
        EngineError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        came = f"no OpenVINO ({error})"
        raise EngineError(came, "the package openvino", install_command("segmentation")) from error
    core = the_core()
    can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    name = f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} ({' '.join(sorted(can))})"
    return Processor(name, openvino.__version__, "BF16" in can)


def openvino_engine(candidate: Candidate, threads: int) -> InferenceEngine:
    """The engine of a candidate."""
    return OpenVinoEngine(candidate.weights, candidate.arithmetic, threads)


def choose_fastest(
    forms: Sequence[Weights],
    batch: Singles,
    clock: Clock,
    cache: Path | None = None,
    threads: int = 2,
    processor: Processor | None = None,
    make: MakeEngine = openvino_engine,
) -> Choice:
    """Measures every form in every arithmetic of this processor, and returns the fastest that keeps the accuracy.

    It keeps the accuracy if, on the frames given, at least 99.5 % of all pixels have the class that single precision
    gives them, and each structure that either of the two finds there has a Dice of at least 0.98 with single
    precision's, all frames as one picture. Frames on which nothing is found cannot show that a structure is kept: then
    it is single precision, and that is not written into the cache.

    Speed is the median over frames that come one at a time. The candidates take turns, so that a moment in which the
    machine is busy falls on all of them.

    Args:
        forms: of one network; the first in single precision, which is the measure of the others and always usable.
        batch: real frames as the network gets them ``(n, 1, h, w)``.
        cache: folder in which the result is kept, by the forms' hashes, processor, OpenVINO's version and number of
            threads. A file in it that is damaged counts as none.
        threads: of the processor.
        processor: this one.
        make: the engine of a candidate with a number of threads.

    Raises:
        EngineError: OpenVINO is not there, or does not run the network in single precision.
    """
    processor = processor or this_processor()
    arithmetics: tuple[Arithmetic, ...] = ("f32", "bf16") if processor.has_bf16 else ("f32",)
    candidates = [Candidate(weights, arithmetic) for weights in forms for arithmetic in arithmetics]
    key = {
        "format": FORMAT,
        "forms": [weights.sha256 for weights in forms],
        "processor": processor.name,
        "openvino": processor.openvino,
        "threads": threads,
    }
    path = None if cache is None else cache / f"engine_{_digest(key)}.json"
    kept = None if path is None else _read(path, key, candidates)
    if kept is not None:
        chosen, measured = kept
        return Choice(make(chosen, threads), chosen.weights, measured, from_cache=True)
    chosen, engine, measured = _measure(candidates, batch, clock, threads, make)
    if path is not None and not any(row.refused == NOTHING_FOUND for row in measured):
        _write(path, {"key": key, "chosen": chosen.name, "measured": [asdict(row) for row in measured]})
    return Choice(engine, chosen.weights, measured, from_cache=False)


def _measure(
    candidates: Sequence[Candidate], batch: Singles, clock: Clock, threads: int, make: MakeEngine
) -> tuple[Candidate, InferenceEngine, tuple[Measured, ...]]:
    frames = [batch[index : index + 1] for index in range(len(batch))]
    reference = make(candidates[0], threads)
    expected = _classes(reference, frames)
    usable = {candidates[0].name: (candidates[0], reference)}
    rows = {candidates[0].name: Measured(candidates[0].name, same_class=1.0)}
    for candidate in candidates[1:]:
        try:
            engine = make(candidate, threads)
            row = _compared(candidate.name, _classes(engine, frames), expected)
        except EngineError as error:
            row = Measured(candidate.name, refused=error.came)
        rows[candidate.name] = row
        if not row.refused:
            usable[candidate.name] = (candidate, engine)
    times_ms = _take_turns({name: engine for name, (_, engine) in usable.items()}, frames, clock)
    measured = [Measured(**(asdict(row) | {"median_ms": times_ms.get(name)})) for name, row in rows.items()]
    chosen, engine = usable[min(times_ms, key=times_ms.__getitem__)]
    return chosen, engine, tuple(measured)


def _take_turns(engines: dict[str, InferenceEngine], frames: Sequence[Singles], clock: Clock) -> dict[str, float]:
    """Median time of one frame in ms by name."""
    times_ms: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(ROUNDS):
        for name, engine in engines.items():
            start_ns = clock.now_ns()
            engine.run(frames[turn % len(frames)])
            times_ms[name].append((clock.now_ns() - start_ns) / 1e6)
    return {name: float(np.median(values)) for name, values in times_ms.items()}


def _classes(engine: InferenceEngine, frames: Sequence[Singles]) -> NDArray[np.intp]:
    logits = np.concatenate([engine.run(frame) for frame in frames])
    if not np.isfinite(logits).all():
        raise EngineError(f"values of {engine.name} that are not finite", "finite logits", "choose another engine")
    return logits.argmax(axis=1)


def _compared(name: str, found: NDArray[np.intp], expected: NDArray[np.intp]) -> Measured:
    same = float((found == expected).mean())
    dice = [
        2.0
        * float(((found == index) & (expected == index)).sum())
        / float((found == index).sum() + (expected == index).sum())
        for index in np.union1d(found, expected)
        if index > 0
    ]
    lowest = min(dice) if dice else None
    refused = ""
    if same < SAME_CLASS:
        refused = f"{100 * same:.2f} % of the pixels have single precision's class; at least {100 * SAME_CLASS} % must"
    elif lowest is None:
        refused = NOTHING_FOUND
    elif lowest < STRUCTURE_DICE:
        refused = f"Dice {lowest:.3f} of a structure with single precision's; at least {STRUCTURE_DICE} is needed"
    return Measured(name, None, same, lowest, refused)


def _digest(key: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]


def _read(
    path: Path, key: dict[str, Any], candidates: Sequence[Candidate]
) -> tuple[Candidate, tuple[Measured, ...]] | None:
    """What an earlier call kept; None if there is nothing whole."""
    try:
        text = json.loads(path.read_text("utf-8"))
        if text["key"] != key:
            return None
        chosen = next(candidate for candidate in candidates if candidate.name == text["chosen"])
        return chosen, tuple(Measured(**row) for row in text["measured"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _write(path: Path, content: dict[str, Any]) -> None:
    # A cache that cannot be written costs a second at the next start, no more.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        temporary.replace(path)
