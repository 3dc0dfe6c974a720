"""Each watch by itself, on frames whose truth is written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.result import CalibrationResult
from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.devices.driver import Role, Tool
from navigation.devices.frame_order import Arrival, FrameOrder
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.watches.jumps import JumpWatch
from navigation.live.watches.papers import OLDEST, PaperWatch
from navigation.live.watches.second_reference import SecondReferenceWatch
from navigation.live.watches.trends import FitWatch, RateWatch, TrendSettings

MS = 1_000_000
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def at(tool: str, x_mm: float = 0.0, turn_deg: float = 0.0, fit_rms_mm: float = 0.1) -> ToolObservation:
    turn = Rotation.from_euler("z", turn_deg, degrees=True)
    pose = Transform.from_rotation(turn, [x_mm, 0.0, 1000.0], TRACKER, tool)
    return ToolObservation(Visibility.VISIBLE, pose, fit_rms_mm)


def frame(number: int, *, sequence: int | None = None, **tools: ToolObservation) -> TrackerFrame:
    return TrackerFrame(number if sequence is None else sequence, number * 10 * MS, tools)


def test_a_marker_that_fits_less_and_less_is_doubted_and_believed_again_half_way_back() -> None:
    watch = FitWatch(TrendSettings(learning_frames=10, recent_frames=5))
    found = []
    for number in range(100):
        worn_mm = 0.2 if number < 20 else 0.2 + 0.02 * min(number - 20, 20) - 0.02 * max(0, number - 60)
        watch.note(frame(number, stylus=at(STYLUS, fit_rms_mm=worn_mm)), 0)
        found.append(bool(watch.doubts(0)))
    begun, ended = found.index(True), len(found) - found[::-1].index(True)
    assert 32 <= begun <= 36  # above 2 x 0.2 mm from frame 31 on; the median of five is two behind
    assert 76 <= ended <= 79  # at or below 0.3 mm from frame 75 on
    assert found[begun:ended] == [True] * (ended - begun)


def test_a_device_that_makes_half_its_frames_is_doubted_and_one_whose_frames_were_not_read_is_not() -> None:
    watch = RateWatch((REFERENCE, STYLUS), TrendSettings(learning_frames=10, recent_frames=10))
    for number in range(0, 80, 2):
        watch.note(frame(number, sequence=number), 0)  # every other frame was not read
    assert watch.doubts(0) == {}
    for number in range(80, 200, 4):
        watch.note(frame(number, sequence=80 + (number - 80) // 4), 0)
    doubts = watch.doubts(0)
    assert set(doubts) == {REFERENCE, STYLUS}
    assert doubts[STYLUS].reason == "the tracker makes 25 frames a second, where 100 are usual"
    for number in range(200, 240):
        watch.note(frame(number, sequence=number), 0)
    assert watch.doubts(0) == {}


@pytest.mark.parametrize(("x_mm", "turn_deg"), [(2.0, 0.0), (0.0, 1.5)])
def test_a_reference_that_drifts_from_the_second_one_is_doubted_however_slowly_and_not_if_both_move(
    x_mm: float, turn_deg: float
) -> None:
    watch = SecondReferenceWatch("anchor")

    def note(number: int, share: float, both: float = 0.0) -> None:
        reference = at(REFERENCE, both + share * x_mm, share * turn_deg)
        watch.note(frame(number, reference=reference, anchor=at("anchor", both)), 0)

    for number in range(60):
        note(number, 0.0, both=3.0 * number)
    assert watch.doubts(0) == {}
    for number in range(60, 560):
        note(number, (number - 60) / 500.0)
    for number in range(560, 600):
        note(number, 1.0)
    assert "one of them was moved" in watch.doubts(0)[REFERENCE].reason
    watch.registered()
    for number in range(600, 660):
        note(number, 1.0)
    assert watch.doubts(0) == {}


def tool(**more: object) -> Tool:
    return replace(Tool(name=STYLUS, role=Role.STYLUS, id="1", settings=None), **more)


def result(kind: str, made: datetime) -> CalibrationResult:
    return CalibrationResult(
        kind=kind, subject=STYLUS, made=made.isoformat(), method="by hand", n_used=0, verdict="refused", reasons=("",)
    )


def test_a_tip_is_doubted_when_it_is_old_or_from_the_future_or_of_another_geometry() -> None:
    def doubts(of: Tool) -> str:
        found = PaperWatch([of], NOW).doubts(0)
        return found[STYLUS].reason if found else ""

    young, old = (NOW - timedelta(days=1)).isoformat(), (NOW - OLDEST - timedelta(days=2)).isoformat()
    assert doubts(tool()) == doubts(tool(tip_calibrated=young)) == ""
    assert "184 days ago" in doubts(tool(tip_calibrated=old))
    assert "a clock is or was wrong" in doubts(tool(tip_calibrated=(NOW + timedelta(days=2)).isoformat()))
    geometry, pivot = NOW - timedelta(days=3), NOW - timedelta(days=5)
    before = (result("pivot", pivot), result("tool_geometry", geometry))
    assert "of the geometry before" in doubts(tool(tip_calibrated=young, calibrations=before))
    after = (result("tool_geometry", pivot), result("pivot", geometry))
    assert doubts(tool(tip_calibrated=young, calibrations=after)) == ""


@pytest.mark.parametrize(("lasts_s", "is_bump"), [(0.05, True), (0.2, True), (1.5, False)])
def test_a_reference_that_is_carried_along_for_a_while_is_believed_once_it_rests_and_one_that_is_bumped_is_not(
    lasts_s: float, is_bump: bool
) -> None:
    """At 20 Hz, 300 mm/s for so long, after five seconds of rest with 0.1 mm of noise."""
    watch, rng, doubted = JumpWatch((REFERENCE, STYLUS)), np.random.default_rng(1), []
    for number in range(200):
        x_mm = 300.0 * min(max(number * 0.05 - 5.0, 0.0), lasts_s) + rng.normal(0.0, 0.1)
        tools = {REFERENCE: at(REFERENCE, x_mm), STYLUS: at(STYLUS, 500.0)}
        watch.note(TrackerFrame(number, number * 50 * MS, tools), 0)
        doubted.append(REFERENCE in watch.doubts(0))
    first, last = 100 + 1, 100 + round(lasts_s / 0.05)
    assert doubted[:first] == [False] * first
    assert doubted[first : last + 4] == [True] * (last + 4 - first)
    assert doubted[-1] is is_bump


def test_a_frame_from_the_future_is_no_truer_when_its_time_has_come() -> None:
    order = FrameOrder()
    ahead = frame(40, reference=at(REFERENCE))
    assert order.take(ahead, 0) is Arrival.AHEAD
    assert order.take(ahead, 400 * MS) is Arrival.AHEAD
    assert order.take(frame(41, reference=at(REFERENCE)), 410 * MS) is Arrival.NEW
