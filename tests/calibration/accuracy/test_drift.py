"""The drift check: unchanged tools pass at the stated rate, bent ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import calibrate_pivot
from calibration.accuracy.drift import Drift, DriftSettings, check_at_point, check_in_divot
from calibration.accuracy.errors import CheckRefusedError
from calibration.errors import PivotRefusedError
from calibration.pivot.results import pivot_result
from calibration.result import CalibrationResult
from calibration.streams import PoseStream
from tests.calibration.streams_of import PIVOT_MM, pivoted

MADE = "2026-11-27T02:15:03+00:00"


def result_of(stream: PoseStream) -> CalibrationResult:
    return pivot_result(calibrate_pivot(stream), stream, MADE)


def bent(stream: PoseStream, by_mm: tuple[float, float, float]) -> PoseStream:
    """The same hand, with a tip that is elsewhere on the marker: about the same divot."""
    poses = stream.poses.copy()
    poses[:, :3, 3] -= poses[:, :3, :3] @ np.array(by_mm)
    return PoseStream(stream.to_frame, stream.from_frame, stream.time_s, poses, 0, "bent")


def test_unchanged_tools_pass_at_the_stated_rate():
    """Of 100 checks at 1 % false alarms, 4 or more would come by chance in 2 % of the runs; noise alone is judged."""
    settings = DriftSettings(common_rms_mm=1e-6, false_alarms=0.01)
    result = result_of(pivoted(60, seed=1))
    passed = [check_in_divot(result, pivoted(60, seed=seed), settings).is_unchanged for seed in range(100, 140)]
    assert sum(passed) >= 38


@pytest.mark.parametrize("by_mm", [(1.5, 0.0, 0.0), (0.0, -1.5, 0.0), (0.0, 0.0, 1.5)])
def test_a_bent_tip_is_told_with_how_much(by_mm: tuple[float, float, float]):
    found = check_in_divot(result_of(pivoted(seed=1)), bent(pivoted(seed=9), by_mm))
    assert not found.is_unchanged
    assert found.off_mm == pytest.approx(1.5, abs=0.2)
    assert "does NOT match its calibration: its tip is 1." in found.line("stylus", "3 days old")


def test_at_a_known_point():
    result, held = result_of(pivoted(seed=1)), pivoted(seed=5)
    found = check_at_point(result, held, PIVOT_MM)
    assert found.is_unchanged
    assert found.off_mm < 0.1
    assert not check_at_point(result, bent(held, (0.0, 0.0, 1.5)), PIVOT_MM).is_unchanged
    assert not check_at_point(result, held, PIVOT_MM + [0.0, 2.0, 0.0]).is_unchanged


def test_a_slip_for_a_second_does_not_hide_the_point():
    held = pivoted(seed=5)
    poses = held.poses.copy()
    poses[60:80, :3, 3] += (9.0, 0.0, 0.0)
    slipped = PoseStream("tracker", "stylus", held.time_s, poses, 0, "slipped")
    assert check_at_point(result_of(pivoted(seed=1)), slipped, PIVOT_MM).off_mm < 0.1


def test_a_tip_that_travels_is_no_touch():
    held = pivoted(seed=5)
    poses = held.poses.copy()
    poses[:, 0, 3] += np.linspace(0.0, 40.0, len(poses))
    moving = PoseStream("tracker", "stylus", held.time_s, poses, 0, "moving")
    with pytest.raises(CheckRefusedError, match="a tip that moved"):
        check_at_point(result_of(pivoted(seed=1)), moving, PIVOT_MM)


def test_a_static_tool_says_nothing():
    with pytest.raises(PivotRefusedError, match="hardly moved"):
        check_in_divot(result_of(pivoted(seed=1)), pivoted(100, largest_rad=0.001))


def test_a_check_too_poor_to_notice_anything_is_refused():
    settings = DriftSettings(common_rms_mm=2.0)
    with pytest.raises(CheckRefusedError, match="would notice"):
        check_in_divot(result_of(pivoted(seed=1)), pivoted(seed=2), settings)


def test_a_calibration_without_a_tip():
    result = result_of(pivoted(60)).model_copy(update={"transforms": ()})
    with pytest.raises(CheckRefusedError, match="no tip"):
        check_at_point(result, pivoted(60), PIVOT_MM)


def test_the_line_of_what_matches():
    said = Drift(0.213, 0.84, 0.35, 100).line("stylus", "3 days old")
    assert said == (
        "stylus still matches its calibration: its tip is 0.21 mm from where the calibration has it (3 days old); "
        "0.35 mm RMS expected, 0.84 mm allowed"
    )
