"""Familiar and unfamiliar frames: properties of the descriptor, statistics made and read, and what ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from reconstruction.errors import FamiliarityError
from reconstruction.network.weights import DEFAULT_WEIGHTS
from reconstruction.training.images.familiarity import fit_familiarity, with_gain
from reconstruction.training.images.files import read_pixels, to_grey
from reconstruction.training.images.split import read_split
from reconstruction.ultrasound.frame_descriptor import NAMES, describe
from reconstruction.ultrasound.frame_familiarity import (
    SUFFIX,
    Familiarity,
    familiarity_beside,
    load_familiarity,
    write_familiarity,
)
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState
from tests.conftest import REPOSITORY
from tests.reconstruction.ultrasound import other_pictures
from tests.reconstruction.ultrasound.frames import made_frame

SHIPPED = [DEFAULT_WEIGHTS.parent / f"ultrasound_nerve_vessel{size}{SUFFIX}" for size in ("", "_tiny")]


@pytest.fixture(scope="module")
def familiar() -> Familiarity:
    """Of made frames, each a group of its own."""
    frames = [made_frame(None, seed) for seed in range(30)]
    return fit_familiarity(frames, [str(seed) for seed in range(30)], "made frames")


def test_the_descriptor_does_not_know_left_from_right_nor_the_margin():
    frame = made_frame(150.0 + 20.0 * np.cos(np.arange(300) / 40.0))
    plain = describe(frame)
    assert len(plain) == len(NAMES)
    np.testing.assert_allclose(describe(np.ascontiguousarray(frame[:, ::-1])), plain, atol=0.06)
    np.testing.assert_allclose(describe(np.pad(frame, ((0, 0), (50, 50)))), plain, atol=0.06)


def test_gain_changes_the_mean_and_little_else():
    frame = made_frame(None)
    change = describe(with_gain(frame, 0.8)) - describe(frame)
    assert change[0] == pytest.approx(np.log(0.8), abs=0.05)
    assert np.abs(change[1:]).max() < 0.2


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=300)))
def test_every_picture_has_finite_numbers(pixels: np.ndarray):
    assert np.isfinite(describe(pixels)).all()


@given(st.integers(0, 255), st.integers(64, 700), st.integers(64, 700))
def test_every_flat_picture_has_finite_numbers(grey: int, height: int, width: int):
    assert np.isfinite(describe(np.full((height, width), grey, np.uint8))).all()


def test_new_frames_of_the_same_kind_are_familiar_and_others_are_not(familiar: Familiarity):
    judge = FrameJudge(familiar)
    fresh = [judge.judge(made_frame(None, seed), None).state for seed in range(100, 130)]
    assert fresh.count(FrameState.USABLE) >= 27
    rng = np.random.default_rng(0)
    frame = made_frame(None)
    others = [255 - frame, frame[::-1], *other_pictures.noise(rng), other_pictures.menu((400, 300), rng)]
    judged = [judge.judge(np.ascontiguousarray(other), None) for other in others]
    assert FrameState.USABLE not in {judgement.state for judgement in judged}
    assert "most unusual" in judged[0].reason


def test_statistics_come_back_from_the_file(familiar: Familiarity, tmp_path: Path):
    path = tmp_path / f"network{SUFFIX}"
    write_familiarity(familiar, path)
    back = familiarity_beside(tmp_path / "network.json")
    assert back is not None
    assert back.limit == pytest.approx(familiar.limit, abs=1e-3)
    frame = made_frame(None, 99)
    assert back.distance(frame)[0] == pytest.approx(familiar.distance(frame)[0], rel=1e-2)
    assert familiarity_beside(tmp_path / "another.json") is None


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("format", 2),
        ("limit", -1.0),
        ("limit", "far"),
        ("numbers", {"mean grey": [1.0, 2.0]}),
        ("numbers", []),
        ("whitening", [[1.0]]),
        ("whitening", [[0.0]] * len(NAMES)),
        ("whitening", [[float("nan")]] * len(NAMES)),
        ("whitening", None),
    ],
)
def test_damaged_statistics_are_refused(wrong: str, value: object, tmp_path: Path):
    text = json.loads(SHIPPED[0].read_text("utf-8"))
    path = tmp_path / "statistics.json"
    path.write_text(json.dumps({**text, wrong: value}), "utf-8")
    with pytest.raises(FamiliarityError, match=r"statistics\.json"):
        load_familiarity(path)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}"])
def test_what_is_no_statistics_is_refused(content: str, tmp_path: Path):
    path = tmp_path / "statistics.json"
    path.write_text(content, "utf-8")
    with pytest.raises(FamiliarityError):
        load_familiarity(path)


def test_both_networks_that_ship_have_seen_the_same_frames():
    assert len({path.read_bytes() for path in SHIPPED}) == 1


def test_held_out_nerves_are_familiar_to_the_networks_that_ship_and_photographs_are_not(shared_data: Path):
    judge = FrameJudge(load_familiarity(SHIPPED[0]))
    split = read_split(REPOSITORY / "reconstruction" / "training" / "images" / "usgra_split.csv")
    images = shared_data / "us" / "usgra_train" / "images"
    frames = [
        to_grey(read_pixels(images / f"{n}.png")).astype(np.uint8) for n, part in split.items() if part == "held_out"
    ]
    for gain in (0.7, 1.0, 1.4):
        states = [judge.judge(with_gain(frame, gain), None).state for frame in frames]
        assert states.count(FrameState.USABLE) >= 0.95 * len(states)
    wrong = [*other_pictures.photographs(), *(255 - frame for frame in frames), *(np.rot90(frame) for frame in frames)]
    assert FrameState.USABLE not in {judge.judge(np.ascontiguousarray(frame), None).state for frame in wrong}
