"""The tests of ASTM F2554 on a block whose errors are known, one error at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration import calibrate_pivot
from calibration.accuracy.errors import AccuracyRecordError, CheckRefusedError
from calibration.accuracy.f2554 import AXES, measure_f2554
from calibration.accuracy.f2554_record import keep_f2554, past_f2554
from calibration.accuracy.record import past_records
from calibration.pivot.results import pivot_result
from calibration.result import CalibratedTransform, CalibrationResult
from geometry import Transform
from tests.calibration.accuracy.block_touched import BLOCK
from tests.calibration.accuracy.f2554_touched import measured
from tests.calibration.streams_of import TIP_MM, pivoted

MADE = "2026-11-27T10:30:00+00:00"
STILL = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def result() -> CalibrationResult:
    """A calibration whose tip is exact, so that all that is found is in the streams."""
    stream = pivoted(seed=1)
    found = pivot_result(calibrate_pivot(stream), stream, MADE)
    tip = np.eye(4)
    tip[:3, 3] = TIP_MM
    return found.model_copy(update={"transforms": (CalibratedTransform.of(Transform(tip, "stylus", "stylus_tip")),)})


def test_without_an_error_nothing_is_found(result: CalibrationResult):
    record = measure_f2554(result, measured(noise_mm=STILL), BLOCK, MADE).record
    assert record.is_inside
    figures = [record.single.bias_mm, record.single.max_mm, record.worst_rotation_p95_mm, record.distances.max_mm]
    assert figures == pytest.approx([0.0] * 4, abs=1e-6)
    assert [axis.axis for axis in record.rotation] == list(AXES)
    for axis in record.rotation:
        assert (axis.low_deg, axis.high_deg) == (pytest.approx(-20.0, abs=0.5), pytest.approx(20.0, abs=0.5))


def test_a_scale_is_a_bias_of_distances_and_of_the_point(result: CalibrationResult):
    record = measure_f2554(result, measured(noise_mm=STILL, scale=1.004), BLOCK, MADE).record
    points = np.array(list(BLOCK.points_mm.values()))
    known = [np.linalg.norm(one - other) for n, one in enumerate(points) for other in points[n + 1 :]]
    assert record.distances.n == 6
    assert record.distances.bias_mm == pytest.approx(0.004 * np.mean(known), abs=1e-6)
    assert record.distances.precision_mm == pytest.approx(0.004 * np.std(known, ddof=1), abs=1e-6)
    assert record.distances.worst == "b to d"
    # The first point is that far from the middle of the others, about which the block is fitted.
    assert record.single.bias_mm == pytest.approx(0.004 * np.linalg.norm(points[1:].mean(axis=0)), rel=0.05)
    assert record.single.precision_mm == pytest.approx(0.0, abs=1e-6)


def test_the_hand_is_the_precision_of_the_point(result: CalibrationResult):
    streams = measured(noise_mm=STILL, hand_mm=0.2, touches=200)
    record = measure_f2554(result, streams, BLOCK, MADE).record
    assert record.single.n == 200
    assert record.single.precision_mm == pytest.approx(0.2 * np.sqrt(3.0), rel=0.08)
    # The chi distribution with three degrees of freedom has 95 % within 2.795.
    assert record.single.p95_mm == pytest.approx(0.2 * 2.795, rel=0.1)
    assert record.distances.max_mm == pytest.approx(0.0, abs=1e-6)


def test_a_wrong_tip_shows_where_the_tool_is_turned(result: CalibrationResult):
    """Off along the shaft it does not show in roll, and across the shaft it shows there."""
    along = TIP_MM / np.linalg.norm(TIP_MM)
    across = np.cross(along, [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    roll, pitch, yaw = measure_f2554(
        result, measured(noise_mm=STILL, tip_mm=TIP_MM + 2.0 * along), BLOCK, MADE
    ).record.rotation
    assert roll.precision_mm < 0.01
    # Turned by 20 degrees, a point that is off by 2 mm moves by 2 * 2 sin(10 degrees).
    assert pitch.max_mm == pytest.approx(0.695, abs=0.1)
    assert yaw.max_mm == pytest.approx(0.695, abs=0.1)
    roll = measure_f2554(result, measured(noise_mm=STILL, tip_mm=TIP_MM + 2.0 * across), BLOCK, MADE).record.rotation[0]
    assert roll.max_mm == pytest.approx(0.695, abs=0.1)
    assert roll.p95_mm > 0.5


def test_a_block_that_slipped_is_a_bias_of_the_rotation(result: CalibrationResult):
    record = measure_f2554(result, measured(noise_mm=STILL, moved_mm=0.7), BLOCK, MADE).record
    for axis in record.rotation:
        assert (axis.bias_mm, axis.p95_mm) == (pytest.approx(0.7, abs=1e-6), pytest.approx(0.7, abs=1e-6))
        assert axis.precision_mm == pytest.approx(0.0, abs=1e-6)


def test_bias_and_precision_of_a_tracker_with_correlated_noise(result: CalibrationResult):
    record = measure_f2554(result, measured(rounds=3), BLOCK, MADE).record
    assert record.is_inside
    assert (record.distances.n_rounds, record.distances.n) == (3, 18)
    assert record.single.bias_mm < 0.15
    # The median of 40 frames whose noise lasts for some of them: less than that of one frame, more than of 40.
    one_frame = np.linalg.norm([0.03, 0.03, 0.1])
    assert one_frame / np.sqrt(40.0) < record.single.precision_mm < one_frame
    # The turned tip has the noise of single frames.
    assert record.rotation[0].precision_mm == pytest.approx(one_frame, rel=0.3)


def test_what_is_not_the_procedure_is_refused(result: CalibrationResult):
    with pytest.raises(CheckRefusedError, match="7 touches of the point a"):
        measure_f2554(result, measured(touches=7), BLOCK, MADE)
    with pytest.raises(CheckRefusedError, match="turned by 20 degrees in roll"):
        measure_f2554(result, measured(span_deg=20.0, noise_mm=STILL), BLOCK, MADE)
    fewer = BLOCK.model_copy(update={"points_mm": dict(list(BLOCK.points_mm.items())[:3])})
    with pytest.raises(CheckRefusedError, match="4 points that the tip rested on"):
        measure_f2554(result, measured(), fewer, MADE)
    # A whole round and a part of one.
    with pytest.raises(CheckRefusedError, match="8 points that the tip rested on"):
        measure_f2554(result, measured(rounds=2), fewer, MADE)


def test_points_in_a_line_leave_the_bias_of_the_point_unknown(result: CalibrationResult):
    line = {"a": (0.0, 0.0, 0.0), "b": (50.0, 0.0, 0.0), "c": (100.0, 0.0, 0.0), "d": (150.0, 0.0, 0.0)}
    block = BLOCK.model_copy(update={"points_mm": line})
    record = measure_f2554(result, measured(block=block), block, MADE).record
    assert record.single.bias_mm is None
    assert "bias not known" in record.lines()[1]
    assert record.is_inside


def test_records_are_kept_apart_from_the_quick_ones(tmp_path: Path, result: CalibrationResult):
    for day in (3, 1):
        made = f"2026-11-0{day}T10:00:00+00:00"
        keep_f2554(tmp_path, measure_f2554(result, measured(seed=day), BLOCK, made).record)
    assert [record.made_at.day for record in past_f2554(tmp_path, "stylus", "cube")] == [1, 3]
    assert past_f2554(tmp_path, "stylus", "another block") == []
    assert past_records(tmp_path, "stylus", "cube") == []
    path = next((tmp_path / "stylus" / "accuracy" / "f2554").glob("*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "limit_mm": -1.0}))
    with pytest.raises(AccuracyRecordError, match="limit_mm"):
        past_f2554(tmp_path, "stylus", "cube")
