"""What a touch says about the pose, by hand: less is left open where it agrees, and what it found is kept where not."""

from __future__ import annotations

import numpy as np
import pytest

from registration.uncertainty.expected_error import PoseUncertainty, expected_tre
from registration.verdict.verification import VerificationSettings, repeat_of, verify_landmark, verify_surface
from registration.verdict.verified_error import after_touches
from tests.registration.shapes import plate
from tests.registration.uncertainty.harness import HERE

# All skin may have moved by 1 mm along each axis; nothing else is open.
SKIN = PoseUncertainty(np.zeros((6, 6)), np.zeros(3)).with_skin_motion(np.sqrt(3.0), 0.0)
POINT = np.array([30.0, -40.0, 60.0])
SETTINGS = VerificationSettings(fle_rms_mm=np.sqrt(3.0))


def touch(off_mm: float, on_skin: bool):
    return verify_landmark(
        HERE, SKIN, "p", (POINT, POINT + [off_mm, 0.0, 0.0]), {"m": np.zeros(3)}, SETTINGS, on_skin=on_skin
    )


def rms_mm(known: PoseUncertainty) -> float:
    return float(expected_tre(HERE, known, [[0.0, 100.0, 0.0]]).rms_mm[0])


def test_a_touch_on_bone_halves_what_it_measures_as_well_as_was_known() -> None:
    # 1 mm^2 along each axis before, 1 mm^2 by the touch: half a mm^2 along each is left.
    assert rms_mm(SKIN) == pytest.approx(np.sqrt(3.0))
    assert rms_mm(after_touches(SKIN, [touch(0.0, False)])) == pytest.approx(np.sqrt(1.5))
    assert rms_mm(after_touches(SKIN, [touch(0.0, False)] * 3)) == pytest.approx(np.sqrt(0.75))


def test_what_a_touch_found_to_be_off_stays_an_error_of_the_pose_in_use() -> None:
    # It is 4 mm off; half of that is believed, 2 mm, on top of what is left open.
    assert rms_mm(after_touches(SKIN, [touch(4.0, False)])) == pytest.approx(np.sqrt(1.5 + 4.0))


def test_a_touch_on_the_same_skin_tells_nothing_about_all_skin() -> None:
    same = touch(0.0, True)
    assert rms_mm(after_touches(SKIN, [same])) == pytest.approx(np.sqrt(3.0))
    # Nor is the skin's motion expected of it: only the touch's own error, 1 mm along each axis.
    assert same.expected_p95_mm == pytest.approx(2.7955, rel=1e-4)
    assert touch(0.0, False).expected_p95_mm == pytest.approx(2.7955 * np.sqrt(2.0), rel=1e-4)
    assert same.away_mm == pytest.approx(np.linalg.norm(POINT))


def test_a_touch_on_another_surface_tells_along_its_normal() -> None:
    from registration.distance.closest_point import ExactDistance

    field = ExactDistance(plate(400.0))
    stated = VerificationSettings(surface_sd_mm=1.0)
    bone = verify_surface(HERE, SKIN, field, [10.0, 20.0, 0.0], stated)
    assert rms_mm(after_touches(SKIN, [bone])) == pytest.approx(np.sqrt(2.5))
    skin = verify_surface(HERE, SKIN, field, [10.0, 20.0, 0.0], stated, on_skin=True)
    assert rms_mm(after_touches(SKIN, [skin])) == pytest.approx(np.sqrt(3.0))


def test_a_repeat_is_no_measurement_of_the_pose_and_shows_what_moved() -> None:
    stated = VerificationSettings(repeat_rms_mm=np.sqrt(3.0))
    still, moved = (repeat_of("m", POINT, POINT + [x, 0.0, 0.0], stated) for x in (3.0, 5.0))
    # Two touches of 1 mm along each axis.
    assert still.expected_p95_mm == pytest.approx(2.7955 * np.sqrt(2.0), rel=1e-4)
    assert still.consistent
    assert not moved.consistent
    assert after_touches(SKIN, [moved]) is SKIN
