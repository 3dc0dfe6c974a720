"""Accuracy on a block: made with known errors, and PlusToolkit's recording of its phantom's eight landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration import calibrate_pivot
from calibration.accuracy.block import Block, read_block
from calibration.accuracy.errors import AccuracyRecordError, CheckRefusedError
from calibration.accuracy.quick import quick_accuracy
from calibration.accuracy.record import keep_record, past_records
from calibration.accuracy.visits import find_visits
from calibration.pivot.results import pivot_result
from calibration.rack import keep, results
from calibration.result import CalibratedTransform, CalibrationResult
from calibration.streams import PoseStream
from geometry import Transform
from navigation.acquisition.recordings import read_stream
from tests.calibration.accuracy.block_touched import BLOCK, touched
from tests.calibration.streams_of import TIP_MM, pivoted
from tests.registration.trials.plus_recording import PLUS_TIP_STYLUS_MM, read_result

MADE = "2026-11-27T02:15:03+00:00"


@pytest.fixture(scope="module")
def result() -> CalibrationResult:
    stream = pivoted(seed=1)
    return pivot_result(calibrate_pivot(stream), stream, MADE)


def test_each_point_is_one_visit():
    visits = find_visits(touched(), TIP_MM)
    assert [round(visit.begin_s) for visit in visits] == [0, 5, 8, 11]
    assert visits[0].tilt_deg > 20.0
    known = np.array(list(BLOCK.points_mm.values()))
    apart = [np.linalg.norm(visit.place_mm - visits[0].place_mm) for visit in visits]
    np.testing.assert_allclose(apart, np.linalg.norm(known, axis=1), atol=0.3)


def test_a_slip_for_a_moment_is_the_same_visit_and_a_parked_tool_is_none():
    stream = touched()
    poses = stream.poses.copy()
    poses[30:36, :3, 3] += (12.0, 0.0, 0.0)
    parked = np.repeat(poses[-1:], 60, axis=0)
    parked[:, :3, 3] += (200.0, 0.0, 0.0)
    times = np.arange(len(poses) + 60) / 20.0
    longer = PoseStream("tracker", "stylus", times, np.concatenate([poses, parked]), 0, "parked")
    assert len(find_visits(longer, TIP_MM)) == 4


def test_a_good_tool_is_inside_and_a_scaled_one_is_not(result: CalibrationResult):
    good = quick_accuracy(result, touched(), BLOCK, MADE)
    assert good.is_inside
    assert good.distance_max_mm < 0.2
    assert good.single_point_tilt_deg > 20.0
    scaled = quick_accuracy(result, touched(scale=1.02), BLOCK, MADE)
    assert not scaled.is_inside
    # The diagonal from b to d, of 134 mm, is the longest.
    assert (scaled.worst_distance, scaled.distance_max_mm) == ("b to d", pytest.approx(0.02 * 134.2, abs=0.2))
    assert "OUTSIDE its limit of 1 mm" in scaled.line()


def test_a_bent_tip_shows_at_the_single_point(result: CalibrationResult):
    bent = quick_accuracy(result, touched(tip_mm=TIP_MM + [3.0, 0.0, 0.0]), BLOCK, MADE)
    assert not bent.is_inside
    assert bent.single_point_p95_mm > 1.0


def test_another_order_and_another_number_are_refused(result: CalibrationResult):
    turned = Block.model_validate({**BLOCK.model_dump(), "points_mm": dict(reversed(BLOCK.points_mm.items()))})
    shuffled = {name: BLOCK.points_mm[name] for name in "acbd"}
    with pytest.raises(CheckRefusedError, match="in the order a, c, b, d"):
        quick_accuracy(result, touched(), BLOCK.model_copy(update={"points_mm": shuffled}), MADE)
    assert quick_accuracy(result, touched(turned), turned, MADE).is_inside
    fewer = BLOCK.model_copy(update={"points_mm": dict(list(BLOCK.points_mm.items())[:3])})
    with pytest.raises(CheckRefusedError, match=r"4 points that the tip rested on, .+ expected the 3 points of cube"):
        quick_accuracy(result, touched(), fewer, MADE)


def test_days_are_kept_once_each_beside_the_calibrations(tmp_path: Path, result: CalibrationResult):
    keep(tmp_path, result)
    for day in (3, 1, 2):
        keep_record(tmp_path, quick_accuracy(result, touched(seed=day), BLOCK, f"2026-11-0{day}T10:00:00+00:00"))
    assert [record.made_at.day for record in past_records(tmp_path, "stylus", "cube")] == [1, 2, 3]
    assert past_records(tmp_path, "stylus", "another block") == []
    assert len(results(tmp_path)) == 1
    next((tmp_path / "stylus" / "accuracy").glob("*.json")).write_text("{}")
    with pytest.raises(AccuracyRecordError, match="subject"):
        past_records(tmp_path, "stylus", "cube")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points_mm": {"a": [0.0, 0.0, 0.0]}}, "two points and more"),
        ({"points_mm": {"a": [0.0, 0.0, 0.0], "b": [0.1, 0.0, 0.0]}}, "a and b are 0.1 mm apart"),
        ({"limit_mm": 0.0}, "limit_mm"),
        ({"format": "surgnav_tip"}, "format"),
    ],
)
def test_what_is_no_block_is_refused(tmp_path: Path, change: dict[str, object], said: str):
    path = tmp_path / "block.json"
    path.write_text(json.dumps({**json.loads(BLOCK.model_dump_json()), **change}))
    with pytest.raises(CheckRefusedError, match=said):
        read_block(path)
    with pytest.raises(CheckRefusedError, match="no such file"):
        read_block(tmp_path / "away.json")


def test_the_eight_landmarks_of_plus_s_phantom(shared_data: Path, result: CalibrationResult):
    """Against the drawing of the phantom, with PLUS's tip of another day."""
    folder = shared_data / "tracking" / "pluslib" / "TestImages"
    file = folder / "EightLandmarkPointsTrackedForPhantomRegistration.igs.mha"
    stream = read_stream(file, "stylus", relative_to="reference")
    points = {f"#{number}": tuple(point) for number, point in enumerate(read_result(folder).landmarks_ct, start=1)}
    block = Block(format="surgnav_block", name="fCal 2", points_mm=points, limit_mm=1.5)
    tip = result.transforms[0].transform.matrix.copy()
    tip[:3, 3] = PLUS_TIP_STYLUS_MM
    plus = result.model_copy(update={"transforms": (CalibratedTransform.of(Transform(tip, "stylus", "stylus_tip")),)})
    record = quick_accuracy(plus, stream, block, MADE)
    assert record.n_points == 8
    # Measured 0.54 and 0.90 mm; the tip that is used has a residual of 0.46 mm.
    assert record.distance_rms_mm < 0.8
    assert record.distance_max_mm < 1.3
