"""A marker that is fixed to the headset, and the headset's own pose: hand-eye."""

import dataclasses

import numpy as np
import pytest

from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.headset.worn_marker import align_by_worn_marker
from geometry.errors import FrameMismatchError
from tests.calibration.headset.harness import error_mm, expected_p95_mm, truth, worn_streams


def test_a_head_that_looks_around_gives_the_pose_wherever_the_marker_sits():
    rng = np.random.default_rng(5)
    true = truth(rng)
    found = align_by_worn_marker(*worn_streams(true, rng, rate_hz=10.0), anchor="a")
    assert error_mm(found, true) < 2.0 * expected_p95_mm(found, true)
    assert error_mm(found, true) < 8.0  # mm: the headset itself drifts by up to 3 mm and 0.3 degrees
    assert "clocks" in found.coverage[0]
    # 20 s of a drift with periods of 4 to 20 s hold some ten errors in each direction, not six times as many.
    assert 2.0 < found.degrees < 20.0


def test_a_head_that_is_held_still_and_streams_in_the_wrong_order_are_refused():
    rng = np.random.default_rng(6)
    tracker, headset = worn_streams(truth(rng), rng, rate_hz=10.0)
    with pytest.raises(FrameMismatchError, match="the tracker's recording of the worn marker first"):
        align_by_worn_marker(headset, tracker, anchor="a")
    still = np.tile(tracker.poses[0], (len(tracker), 1, 1))
    still[:, 0, 3] += np.linspace(0.0, 100.0, len(tracker))
    with pytest.raises(HandEyeRefusedError):
        align_by_worn_marker(dataclasses.replace(tracker, poses=still), headset, anchor="a")
