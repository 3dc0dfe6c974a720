"""How long a tip was held, or swept, goes by when frames were captured: not by how many came, or when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, STYLUS_TIP
from navigation.acquisition.collect import collect_poses, collect_sweep, collect_touch
from navigation.acquisition.live_poses import LivePoses
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.errors import AcquisitionError
from tests.navigation.live.harness import HIDDEN, MS, TOOLS, seen

TIP = Transform(np.eye(4), STYLUS, STYLUS_TIP)


class At:
    """Says 100 Hz, delivers frames that were captured at these times; the stylus stands at the time in ms, or at 0."""

    tools, rate_hz = TOOLS, 100.0

    def __init__(self, times_ms: Iterable[float], still: bool = False, hidden_ms: Iterable[float] = ()) -> None:
        self.frames = []
        hidden = set(hidden_ms)
        for number, time_ms in enumerate(times_ms):
            stylus = HIDDEN if time_ms in hidden else seen(STYLUS, 0.0 if still else time_ms)
            tools = {REFERENCE: seen(REFERENCE), STYLUS: stylus}
            self.frames.append(TrackerFrame(number, round(time_ms * MS), tools))

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        return self.frames.pop(0) if self.frames else None


@pytest.mark.parametrize("period_ms", [1, 10, 50])
def test_a_sweep_and_a_pivot_last_as_long_as_they_say_at_any_rate(period_ms: int) -> None:
    times_ms = range(0, 2000, period_ms)
    expected = list(range(0, 500, period_ms))
    assert collect_sweep(At(times_ms), TIP, 0.5).points_reference_mm[:, 0].tolist() == expected
    assert [pose.translation_mm[0] for pose in collect_poses(At(times_ms), STYLUS, 0.5)] == expected


@pytest.mark.parametrize("period_ms", [1, 10, 50])
def test_a_tip_must_be_still_for_as_long_as_it_says_at_any_rate(period_ms: int) -> None:
    tracker = At(range(0, 2000, period_ms), still=True)
    touched = collect_touch(tracker, TIP)
    assert touched.n_frames == 600 / period_ms
    assert tracker.frames[0].capture_ns == (600 + period_ms) * MS


def test_frames_that_a_busy_machine_lost_do_not_lengthen_the_hold() -> None:
    times_ms = [time_ms for time_ms in range(0, 2000, 10) if time_ms % 50 == 0 or time_ms > 900]
    tracker = At(times_ms, still=True)
    assert collect_touch(tracker, TIP).n_frames == 12
    assert tracker.frames[0].capture_ns == 650 * MS


def test_a_tip_that_was_out_of_sight_for_long_was_not_seen_to_be_still() -> None:
    short = At(range(0, 2000, 10), still=True, hidden_ms=range(200, 400, 10))
    assert collect_touch(short, TIP).n_frames == 40
    assert short.frames[0].capture_ns == 610 * MS
    long = At(range(0, 2000, 10), still=True, hidden_ms=range(200, 600, 10))
    assert collect_touch(long, TIP).n_frames == 60
    assert long.frames[0].capture_ns == 1210 * MS


def test_a_burst_that_a_network_held_back_is_no_time() -> None:
    """Sixty frames in one millisecond are no 0.6 s, though they are as many frames as 0.6 s have."""
    with pytest.raises(AcquisitionError, match="no new frame"):
        collect_touch(At(np.arange(60) / 60.0, still=True), TIP)


def test_what_is_kept_of_another_message_is_no_sample_and_no_longer_there_when_it_is_old() -> None:
    """One message for each tool, as over OpenIGTLink: those of the reference hold the stylus as it was seen before."""
    tracker = At(range(0, 1000, 10))
    kept: ToolObservation | None = None
    for number, frame in enumerate(tracker.frames):
        stylus = frame.tools[STYLUS]
        if number % 2 == 0 and number < 40:
            kept = replace(stylus, capture_ns=frame.capture_ns)
        else:
            stylus = kept
        tracker.frames[number] = TrackerFrame(number, frame.capture_ns, {REFERENCE: seen(REFERENCE), STYLUS: stylus})
    told: list[str] = []
    swept = collect_sweep(tracker, TIP, 0.6, watch=lambda points, unseen: told.append(unseen))
    assert swept.points_reference_mm[:, 0].tolist() == list(range(0, 400, 20))
    assert swept.n_lost == 0, "nothing was lost: nothing came"
    assert kept.visibility is Visibility.VISIBLE


def test_a_reference_that_is_seen_no_more_makes_no_points() -> None:
    tracker = At(range(0, 1000, 10))
    last = replace(seen(REFERENCE), capture_ns=0)
    for number, frame in enumerate(tracker.frames):
        tracker.frames[number] = replace(frame, tools={REFERENCE: last, STYLUS: frame.tools[STYLUS]})
    told: list[str] = []
    swept = collect_sweep(tracker, TIP, 0.6, watch=lambda points, unseen: told.append(unseen))
    assert swept.points_reference_mm[:, 0].tolist() == [0.0], "where it is at any later time nobody knows"
    assert swept.n_lost == 60 - 1
    assert told == ["", "reference not seen for a while"]


def test_a_tip_that_another_device_sees_is_placed_by_the_reference_at_its_own_time() -> None:
    """Camera and patient are pushed at 1 mm/ms, and the tip goes along; its device is 30 ms behind."""
    tracker = At(range(0, 1000, 10))
    for number, frame in enumerate(tracker.frames):
        then_ms = max(0, number * 10 - 30)
        stylus = replace(seen(STYLUS, 7.0 + then_ms), capture_ns=then_ms * MS)
        tools = {REFERENCE: seen(REFERENCE, number * 10.0), STYLUS: stylus}
        tracker.frames[number] = TrackerFrame(number, frame.capture_ns, tools)
    swept = collect_sweep(tracker, TIP, 0.5)
    np.testing.assert_allclose(swept.points_reference_mm[:, 0], 7.0, atol=1e-9)
    assert len(swept.points_reference_mm) > 40


def test_poses_relative_to_a_tool_of_a_later_device_are_at_one_instant() -> None:
    tracker = At(range(0, 1000, 10))
    for number, frame in enumerate(tracker.frames):
        then_ms = max(0, number * 10 - 20)
        anchor = replace(seen(REFERENCE, then_ms), capture_ns=then_ms * MS)
        tools = {REFERENCE: anchor, STYLUS: seen(STYLUS, 7.0 + number * 10.0)}
        tracker.frames[number] = TrackerFrame(number, frame.capture_ns, tools)
    poses = LivePoses(tracker, STYLUS, REFERENCE)
    found = [sample for _ in range(50) if (sample := poses.next()) is not None]
    assert [sample.pose.translation_mm[0] for sample in found] == [7.0] * len(found)
    assert [sample.time_s for sample in found][-1] == 0.47
