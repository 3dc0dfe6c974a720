"""The verification touch: what it measures, what it expects, and what cannot verify anything."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.errors import InvalidPointsError
from registration import register_landmarks
from registration.distance.closest_point import ExactDistance
from registration.errors import VerificationRefusedError
from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.perturbation import moved
from registration.verdict.verification import VerificationSettings, verify_landmark, verify_surface
from tests.registration.shapes import T_TRUE, plate
from tests.registration.verdict.harness import CT_MM, NAMES, POINT_CT

USED = dict(zip(NAMES, CT_MM, strict=True))
EXACT = PoseUncertainty(np.zeros((6, 6)), np.zeros(3))


def test_the_distance_and_what_is_expected_by_hand() -> None:
    offset = np.array([0.6, 0.0, -0.8])
    found = verify_landmark(T_TRUE, EXACT, "navel", (POINT_CT, T_TRUE.apply(POINT_CT) + offset), USED)
    np.testing.assert_allclose(found.offset_reference_mm, offset, atol=1e-12)
    assert found.distance_mm == pytest.approx(1.0)
    # An exact pose leaves the touch's own error: 95 % of chi with 3 degrees is 2.7955 standard deviations per axis.
    assert found.expected_p95_mm == pytest.approx(2.7955 * 0.8 / np.sqrt(3.0), rel=1e-4)
    assert found.consistent
    tip = np.diag([0.25, 0.25, 0.25])
    with_tip = verify_landmark(
        T_TRUE, EXACT, "navel", (POINT_CT, T_TRUE.apply(POINT_CT)), USED, tool_covariance_reference_mm2=tip
    )
    assert with_tip.expected_p95_mm == pytest.approx(2.7955 * np.sqrt(0.8**2 / 3.0 + 0.25), rel=1e-4)


def test_95_of_100_touches_are_consistent_with_a_good_registration_and_none_with_one_that_slipped() -> None:
    rng = np.random.default_rng(3)
    count, good, slipped = 600, 0, 0
    settings = VerificationSettings(fle_rms_mm=0.9)
    sd_mm = 0.9 / np.sqrt(3.0)
    for _ in range(count):
        touched = T_TRUE.apply(CT_MM) + rng.normal(scale=0.7 / np.sqrt(3.0), size=CT_MM.shape)
        made = register_landmarks(CT_MM, touched, NAMES, fle_rms_mm=0.7)
        point = T_TRUE.apply(POINT_CT) + rng.normal(scale=sd_mm, size=3)
        found = verify_landmark(made.T_reference_ct, made.uncertainty, "navel", (POINT_CT, point), USED, settings)
        good += found.consistent
        off = moved(made.T_reference_ct, np.array([0, 0, 0, 5.0, 0, 0]), np.zeros(3))
        slipped += verify_landmark(off, made.uncertainty, "navel", (POINT_CT, point), USED, settings).consistent
    # 600 draws know a share of 95 % to 0.9 %; three of that.
    assert good / count == pytest.approx(0.95, abs=0.027)
    assert slipped == 0


@pytest.mark.parametrize(("name", "place"), [("m3", POINT_CT), ("other", CT_MM[2] + [0.0, 1.5, 0.0])])
def test_a_landmark_that_was_used_verifies_nothing(name: str, place: np.ndarray) -> None:
    with pytest.raises(VerificationRefusedError, match="m3") as refused:
        verify_landmark(T_TRUE, EXACT, name, (place, T_TRUE.apply(place)), USED)
    assert "touch another point" in str(refused.value)


@pytest.mark.parametrize("point", [[np.nan, 0.0, 0.0], [0.0, 1.0], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], []])
def test_bad_points_are_refused(point: object) -> None:
    with pytest.raises(InvalidPointsError):
        verify_landmark(T_TRUE, EXACT, "navel", (POINT_CT, point), USED)
    with pytest.raises(InvalidPointsError):
        verify_surface(T_TRUE, EXACT, ExactDistance(plate(200.0)), point)


def test_a_touch_on_the_surface_tells_the_distance_along_its_normal() -> None:
    # A plate in z = 0, outside is z > 0; touched 1.5 mm above it. The pose may turn by 0.01 rad about x: 50 mm away
    # that is 0.5 mm along z.
    uncertainty = PoseUncertainty(np.diag([0.01**2, 0, 0, 0, 0, 0]), T_TRUE.apply(np.zeros(3)))
    turned = T_TRUE.from_rotation(Rotation.identity(), T_TRUE.translation_mm, "reference", "ct")
    touched = turned.apply(np.array([10.0, 50.0, 1.5]))
    found = verify_surface(turned, uncertainty, ExactDistance(plate(200.0)), touched)
    assert found.distance_mm == pytest.approx(1.5, abs=1e-4)
    np.testing.assert_allclose(found.offset_reference_mm, [0.0, 0.0, 1.5], atol=1e-4)
    assert found.expected_p95_mm == pytest.approx(1.96 * np.hypot(0.5, 1.0), rel=1e-3)
    assert found.consistent
