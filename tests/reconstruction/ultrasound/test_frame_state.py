"""The judge of frames: made frames whose state is known, recorded ones, and whatever else may come."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from reconstruction.ultrasound.frame_state import FrameJudge, FrameJudgement, FrameState
from tests.reconstruction.ultrasound.frames import made_frame
from tests.reconstruction.ultrasound.recordings import plus_sequence

MS = 1_000_000
STEP = 40 * MS


def states(frames: list[np.ndarray], judge: FrameJudge | None = None, first_ns: int = 0) -> list[FrameState]:
    """The states of frames 40 ms apart."""
    judge = judge or FrameJudge(None)
    return [judge.judge(frame, first_ns + i * STEP).state for i, frame in enumerate(frames)]


def test_tissue_is_usable_and_has_no_reason():
    assert FrameJudge(None).judge(made_frame(None), 0) == FrameJudgement(FrameState.USABLE)


@pytest.mark.parametrize("grey", [0, 3, 128, 255])
def test_a_picture_of_one_grey_value_is_black_and_is_out_at_once(grey: int):
    rng = np.random.default_rng(0)
    flat = np.clip(rng.integers(-3, 4, (400, 300)) + grey, 0, 255).astype(np.uint8)
    seen = states([made_frame(None), flat, made_frame(None, 1)])
    assert seen == [FrameState.USABLE, FrameState.BLACK, FrameState.USABLE]


def test_the_same_picture_for_longer_than_a_quarter_of_a_second_is_frozen():
    frame, judge = made_frame(None), FrameJudge(None)
    assert judge.judge(frame, 0).state is FrameState.USABLE
    assert judge.judge(frame, 250 * MS).state is FrameState.USABLE
    frozen = judge.judge(frame.copy(), 251 * MS)
    assert frozen.state is FrameState.FROZEN
    assert "251 ms" in frozen.reason
    assert judge.judge(made_frame(None, 1), 300 * MS).state is FrameState.USABLE
    assert judge.judge(frame, 320 * MS).state is FrameState.USABLE  # time counts anew


def test_a_grabber_that_repeats_frames_of_a_slow_scanner_is_not_frozen():
    frames = [made_frame(None, number // 3) for number in range(30)]
    assert set(states(frames)) == {FrameState.USABLE}


def test_a_clock_and_video_noise_over_a_frozen_picture_are_no_new_picture():
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(10):
        frame = np.clip(made_frame(None).astype(int) + rng.integers(-1, 2, (400, 300)), 0, 255).astype(np.uint8)
        frame[380:395, 240:290] = rng.integers(0, 2, (15, 50)) * 255
        frames.append(frame)
    assert states(frames)[-1] is FrameState.FROZEN


def test_the_judge_keeps_its_own_copy_of_the_last_picture():
    buffer, judge = made_frame(None), FrameJudge(None)
    for number in range(20):
        buffer[:] = made_frame(None, number % 2)
        assert judge.judge(buffer, number * 100 * MS).state is FrameState.USABLE


def test_stills_are_never_frozen_and_may_differ_in_size():
    judge, frame = FrameJudge(None), made_frame(None)
    assert {judge.judge(frame, None).state for _ in range(20)} == {FrameState.USABLE}
    assert judge.judge(frame[:300], None).state is FrameState.USABLE


def test_another_size_stays_out_until_it_is_back():
    frames = [made_frame(None, n) for n in range(6)]
    small = [frame[:300] for frame in frames]
    seen = states([frames[0], small[1], small[2], frames[3], small[4]])
    changed = FrameState.SIZE_CHANGED
    assert seen == [FrameState.USABLE, changed, changed, FrameState.USABLE, changed]


def test_a_person_may_accept_another_size():
    judge = FrameJudge(None)
    states([made_frame(None), made_frame(None, 1)[:300]], judge)
    judge.accept_geometry()
    later = [made_frame(None, 2)[:300], made_frame(None, 3)]
    assert states(later, judge, 10 * STEP) == [FrameState.USABLE, FrameState.SIZE_CHANGED]


@pytest.mark.parametrize("other", [(0.1, 0.12), (0.13, 0.1), None])
def test_another_stated_pixel_size_is_another_depth(other: tuple[float, float] | None):
    judge = FrameJudge(None)
    assert judge.judge(made_frame(None), 0, (0.1, 0.1)).state is FrameState.USABLE
    changed = judge.judge(made_frame(None, 1), STEP, other)
    assert changed.state is FrameState.DEPTH_CHANGED
    assert "0.1 x 0.1 mm" in changed.reason
    assert judge.judge(made_frame(None, 2), 2 * STEP, (0.10000001, 0.1)).state is FrameState.USABLE


def test_the_first_usable_frame_gives_the_geometry_not_a_black_one():
    seen = states([np.zeros((200, 200), np.uint8), made_frame(None)])
    assert seen == [FrameState.BLACK, FrameState.USABLE]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["right", "small", "black", "accept"]), max_size=8))
def test_size_as_a_state_machine(events: list[str]):
    judge, accepted = FrameJudge(None), None
    for number, event in enumerate(events):
        if event == "accept":
            judge.accept_geometry()
            accepted = None
            continue
        whole = made_frame(None, number)
        frame = {"right": whole, "small": whole[:300], "black": np.zeros_like(whole)}[event]
        judged = judge.judge(frame, number * STEP)
        if event == "black":
            assert judged.state is FrameState.BLACK
        else:
            accepted = accepted or event
            assert (judged.state is FrameState.USABLE) == (event == accepted)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            arrays(
                st.sampled_from([np.uint8, np.float32, np.bool_]),
                array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=80),
            ),
            st.none() | st.integers(-(10**10), 10**10),
            st.none() | st.tuples(st.floats(), st.floats()),
        ),
        max_size=6,
    )
)
def test_whatever_comes_is_judged_and_what_is_not_usable_has_a_reason(
    frames: list[tuple[np.ndarray, int | None, tuple[float, float] | None]],
):
    judge = FrameJudge(None)
    for pixels, time_ns, pixel_mm in frames:
        judged = judge.judge(pixels, time_ns, pixel_mm)
        assert (judged.state is FrameState.USABLE) == (judged.reason == "")


@pytest.mark.parametrize("name", ["BoneUltrasound_L14", "SpinePhantomFreehand"])
def test_recorded_sequences_of_tissue_are_usable(shared_data: Path, name: str):
    assert Counter(states(plus_sequence(shared_data, name))) == {FrameState.USABLE: 21}
