"""Which engine is chosen: the fastest of those that answer as single precision does, measured once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geometry.clock import ManualClock
from geometry.points import Singles
from reconstruction.network.engines.choice import (
    ROUNDS,
    Candidate,
    Choice,
    Processor,
    choose_fastest,
    this_processor,
)
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights

AMX = Processor("a processor with bf16", "2026.4", has_bf16=True)
PLAIN = Processor("a processor without", "2026.4", has_bf16=False)
FRAMES = np.linspace(0, 1, 2 * 200 * 200, dtype=np.float32).reshape(2, 1, 200, 200)


@pytest.fixture(scope="module")
def forms() -> list[Weights]:
    names = ("ultrasound_nerve_vessel_tiny", "ultrasound_nerve_vessel_tiny_int8")
    return [load_weights(DEFAULT_WEIGHTS.parent / f"{name}.json") for name in names]


def truth(frame: Singles) -> Singles:
    """Logits of three classes: 1 in the middle of the image, 2 on the right, else 0."""
    logits = np.zeros((1, 3, *frame.shape[2:]), np.float32)
    logits[:, 1, 10:30, 5:20] = 1
    logits[:, 2, 10:30, 25:35] = 1
    return logits


class FakeEngine:
    """Takes a stated time on a clock by hand, and answers by a function."""

    def __init__(self, name: str, clock: ManualClock, ms: float, answer: Callable[[Singles], Singles]) -> None:
        self.name = name
        self.shapes: list[tuple[int, ...]] = []
        self._clock, self._ms, self._answer = clock, ms, answer

    def run(self, batch: Singles) -> Singles:
        self.shapes.append(batch.shape)
        self._clock.advance_ns(round(self._ms * 1e6))
        return self._answer(batch)


class Laboratory:
    """Engines by the end of their candidate's name, with ms and answer; counts how many were made."""

    def __init__(self, **engines: tuple[float, Callable[[Singles], Singles]]) -> None:
        self.clock = ManualClock()
        self.made: dict[str, FakeEngine] = {}
        self._engines = engines

    def make(self, candidate: Candidate, threads: int) -> FakeEngine:
        kind = ("int8_" if candidate.weights.name.endswith("int8") else "fp32_") + candidate.arithmetic
        if kind not in self._engines:
            raise EngineError(f"{kind}, which does not load", "another", "choose another")
        self.made[kind] = FakeEngine(kind, self.clock, *self._engines[kind])
        return self.made[kind]

    def choose(self, forms: list[Weights], cache: Path | None = None, processor: Processor = AMX, threads: int = 2):
        return choose_fastest(forms, FRAMES, self.clock, cache, threads, processor, self.make)


def test_the_fastest_of_four_is_chosen_one_frame_at_a_time(forms):
    laboratory = Laboratory(
        fp32_f32=(9.0, truth), fp32_bf16=(6.0, truth), int8_f32=(7.0, truth), int8_bf16=(5.0, truth)
    )
    choice = laboratory.choose(forms)
    assert choice.engine is laboratory.made["int8_bf16"]
    assert choice.weights is forms[1]
    assert [row.median_ms for row in choice.measured] == [9.0, 6.0, 7.0, 5.0]
    assert set(laboratory.made["fp32_f32"].shapes) == {(1, 1, 200, 200)}


def test_without_bf16_in_the_processor_it_is_not_tried(forms):
    laboratory = Laboratory(fp32_f32=(9.0, truth), int8_f32=(7.0, truth))
    assert laboratory.choose(forms, processor=PLAIN).engine is laboratory.made["int8_f32"]
    assert set(laboratory.made) == {"fp32_f32", "int8_f32"}


def shifted(frame: Singles) -> Singles:
    """The vessel a column too far: few pixels differ, yet its Dice falls to 0.9."""
    return np.concatenate([truth(frame)[:, :2], np.roll(truth(frame)[:, 2:], 1, axis=3)], axis=1)


def speckled(frame: Singles) -> Singles:
    """Structures as they are, and 0.64 % of all pixels of class 1 elsewhere."""
    logits = truth(frame)
    logits[:, 1, 100:116, 100:116] = 2
    return logits


def structureless(frame: Singles) -> Singles:
    return np.zeros((1, 3, *frame.shape[2:]), np.float32)


def one_pixel(frame: Singles) -> Singles:
    logits = structureless(frame)
    logits[0, 1, 3, 3] = 1
    return logits


@pytest.mark.parametrize(
    ("wrong", "said"), [(shifted, "Dice"), (speckled, "% of the pixels"), (lambda f: truth(f) * np.nan, "not finite")]
)
def test_a_fast_candidate_that_answers_otherwise_is_refused(forms, wrong, said: str):
    laboratory = Laboratory(fp32_f32=(9.0, truth), int8_f32=(1.0, wrong))
    choice = laboratory.choose(forms, processor=PLAIN)
    assert choice.engine is laboratory.made["fp32_f32"]
    assert said in choice.measured[1].refused
    assert choice.measured[1].median_ms is None


def test_a_structure_that_single_precision_does_not_see_is_refused(forms):
    laboratory = Laboratory(fp32_f32=(9.0, structureless), int8_f32=(1.0, one_pixel))
    assert laboratory.choose(forms, processor=PLAIN).engine is laboratory.made["fp32_f32"]


def test_a_candidate_that_does_not_load_is_left_out_but_single_precision_must(forms):
    laboratory = Laboratory(fp32_f32=(9.0, truth))
    choice = laboratory.choose(forms)
    assert choice.engine is laboratory.made["fp32_f32"]
    assert [bool(row.refused) for row in choice.measured] == [False, True, True, True]
    with pytest.raises(EngineError, match="does not load"):
        Laboratory(int8_f32=(7.0, truth)).choose(forms)


def test_a_busy_moment_falls_on_all_candidates(forms):
    """The machine is four times slower for a third of the rounds: whoever ran alone in them would lose."""
    laboratory = Laboratory(fp32_f32=(3.0, truth), int8_f32=(2.0, truth))
    calls = 0

    def run_slowly(engine: FakeEngine, batch: Singles) -> Singles:
        nonlocal calls
        calls += 1
        busy = calls > 4 * len(forms) and calls < 4 * len(forms) + 2 * ROUNDS // 3
        laboratory.clock.advance_ns(round((4.0 if busy else 1.0) * engine._ms * 1e6))
        return truth(batch)

    class Slow(FakeEngine):
        def run(self, batch: Singles) -> Singles:
            return run_slowly(self, batch)

    def make(candidate: Candidate, threads: int) -> FakeEngine:
        engine = laboratory.make(candidate, threads)
        return Slow(engine.name, laboratory.clock, engine._ms, truth)

    choice = choose_fastest(forms, FRAMES, laboratory.clock, None, 2, PLAIN, make)
    assert [row.median_ms for row in choice.measured] == [3.0, 2.0]
    assert choice.engine.name == "int8_f32"


def fast_int8() -> Laboratory:
    return Laboratory(fp32_f32=(9.0, truth), int8_f32=(5.0, truth))


def fast_single() -> Laboratory:
    return Laboratory(fp32_f32=(2.0, truth), int8_f32=(5.0, truth))


def test_what_was_measured_is_used_again(forms, tmp_path: Path):
    first = fast_int8().choose(forms, tmp_path / "cache", PLAIN)
    later = fast_single()
    second = later.choose(forms, tmp_path / "cache", PLAIN)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert second.engine is later.made["int8_f32"]
    assert second.weights is forms[1]
    assert second.measured == first.measured
    assert list(later.made) == ["int8_f32"], "nothing else is even loaded"


def other_weights(forms: list[Weights]) -> list[Weights]:
    return [forms[0], dataclasses.replace(forms[1], sha256="0" * 64)]


@pytest.mark.parametrize(
    "other",
    [
        lambda forms: (forms, Processor("another", PLAIN.openvino, has_bf16=False), 2),
        lambda forms: (forms, Processor(PLAIN.name, "2027.0", has_bf16=False), 2),
        lambda forms: (forms, PLAIN, 1),
        lambda forms: (other_weights(forms), PLAIN, 2),
    ],
    ids=["processor", "OpenVINO", "threads", "weights"],
)
def test_what_was_measured_of_something_else_is_not_used(forms, tmp_path: Path, other):
    fast_int8().choose(forms, tmp_path, PLAIN)
    given, processor, threads = other(forms)
    later = fast_single()
    choice: Choice = later.choose(given, tmp_path, processor, threads)
    assert not choice.from_cache
    assert choice.engine is later.made["fp32_f32"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: json.dumps(json.loads(text) | {"chosen": "a form of nobody"}),
        lambda text: json.dumps(json.loads(text) | {"measured": [{"unknown": 1}]}),
        lambda text: json.dumps(json.loads(text) | {"key": {}}),
    ],
)
def test_a_damaged_cache_is_measured_again_and_mended(forms, tmp_path: Path, damage):
    fast_int8().choose(forms, tmp_path, PLAIN)
    (path,) = tmp_path.iterdir()
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    again = fast_single().choose(forms, tmp_path, PLAIN)
    assert (again.from_cache, again.engine.name) == (False, "fp32_f32")
    assert fast_int8().choose(forms, tmp_path, PLAIN).from_cache


def test_a_cache_that_cannot_be_written_stops_nothing(forms, tmp_path: Path):
    (tmp_path / "file").write_text("no folder", "utf-8")
    assert fast_int8().choose(forms, tmp_path / "file", PLAIN).engine.name == "int8_f32"


def test_on_this_processor_an_engine_is_chosen(forms, tmp_path: Path):
    """Real engines on speckle around dark discs; whatever wins answers as single precision."""
    processor = this_processor()
    assert processor.name
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:256, :256]
    disc = (rows - 100) ** 2 + (columns - 128) ** 2 < 30**2
    grey = np.rint(rng.gamma(4.0, 20.0, (2, 1, 256, 256)) * np.where(disc, 0.1, 1.0)).clip(0, 255)
    batch = (grey / 255).astype(np.float32)
    choice = choose_fastest(forms, batch, ManualClock(), tmp_path, threads=1)
    expected = OpenVinoEngine(forms[0]).run(batch)
    assert (choice.engine.run(batch).argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.995


def test_bf16_is_refused_where_openvino_would_compute_in_f32_instead(forms):
    if this_processor().has_bf16:
        assert OpenVinoEngine(forms[0], "bf16").name.endswith("bf16")
    else:
        with pytest.raises(EngineError, match="processor without it"):
            OpenVinoEngine(forms[0], "bf16")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_nothing_but_speed(forms, threads: int):
    """The input is not touched, and an answer outlives the next call, though neither is copied on the way in."""
    batch = np.random.default_rng(6).random((1, 1, 64, 64), dtype=np.float32)
    before = batch.copy()
    engine = OpenVinoEngine(forms[0], threads=threads)
    first = engine.run(batch)
    kept = first.copy()
    engine.run(1 - batch)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(batch, before)
    np.testing.assert_allclose(first, OpenVinoEngine(forms[0]).run(batch), atol=1e-4)
    assert engine.name.endswith(f"{threads} thread{'s' if threads > 1 else ''}")


def test_frames_without_a_structure_prove_nothing_and_nothing_is_kept(forms, tmp_path):
    def nothing(frame: Singles) -> Singles:
        return np.stack([np.ones_like(frame[:, 0]), *[np.zeros_like(frame[:, 0])] * 2], axis=1)

    laboratory = Laboratory(fp32_f32=(8.0, nothing), fp32_bf16=(2.0, nothing))
    choice = laboratory.choose(forms, tmp_path)
    assert choice.engine.name == "fp32_f32"
    assert any("no structure" in row.refused for row in choice.measured)
    assert not list(tmp_path.iterdir())
    assert not laboratory.choose(forms, tmp_path).from_cache
