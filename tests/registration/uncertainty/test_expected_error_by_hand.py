"""Expected errors that can be computed on paper: of a pose that is uncertain in its shift or its turn alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, f

from geometry import Transform
from geometry.points import Floats
from registration import expected_tre
from registration.distance.closest_point import ExactDistance
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import PoseUncertainty
from registration.verdict.next_touch import NextTouchSettings, next_touch
from tests.registration.shapes import organ

HERE = Transform(np.eye(4), "reference", "ct")
ORIGIN = np.zeros(3)
# 95 of 100 lengths of a 3-D error with 1 mm along each axis: the root of chi-square's quantile with 3 degrees.
LENGTH_95 = 2.7954834829151074


def shifted(variances_mm2: Floats, degrees: float = np.inf) -> PoseUncertainty:
    return PoseUncertainty(np.diag([0.0, 0.0, 0.0, *variances_mm2]), ORIGIN, degrees)


def test_the_95_percent_length_of_a_round_error() -> None:
    tre = expected_tre(HERE, shifted([4.0, 4.0, 4.0]), [[10.0, 20.0, 30.0]])
    assert tre.p95_mm == pytest.approx(2.0 * LENGTH_95)
    assert tre.rms_mm == pytest.approx(2.0 * np.sqrt(3.0))


def test_the_ellipsoid_has_the_quantile_of_three_dimensions() -> None:
    axes, lengths_mm = expected_tre(HERE, shifted([1.0, 9.0, 4.0]), [ORIGIN]).ellipsoids()
    assert lengths_mm[0] == pytest.approx(LENGTH_95 * np.array([3.0, 2.0, 1.0]))
    np.testing.assert_allclose(np.abs(axes[0]), np.eye(3)[:, [1, 2, 0]], atol=1e-12)  # y, z, x: the longest first
    half = expected_tre(HERE, shifted([1.0, 1.0, 1.0]), [ORIGIN]).ellipsoids(0.5)[1]
    assert half == pytest.approx(np.sqrt(chi2.ppf(0.5, 3)))


def test_a_scale_from_few_residuals_moves_the_ellipsoid_out() -> None:
    lengths_mm = expected_tre(HERE, shifted([1.0, 1.0, 1.0], degrees=6.0), [ORIGIN]).ellipsoids()[1]
    assert lengths_mm == pytest.approx(np.sqrt(3.0 * f.ppf(0.95, 3, 6)))  # Hotelling: 3.77 instead of 2.80


def test_a_tool_whose_error_is_stated_dilutes_what_is_known_by_few_degrees() -> None:
    """Half of the variance is the pose's: Satterthwaite's degrees are (V / 2)^2 / 6 under V^2, four times as many."""
    tre = expected_tre(HERE, shifted([1.0, 1.0, 1.0], degrees=6.0), [ORIGIN], np.eye(3))
    assert tre.degrees == pytest.approx(24.0)


def test_a_shift_that_all_measurements_share_adds_its_own_square() -> None:
    shared = shifted([1.0, 1.0, 1.0]).with_common_error(3.0, 0.0)
    assert expected_tre(HERE, shared, [[50.0, 0.0, 0.0]]).rms_mm == pytest.approx(np.sqrt(3.0 + 9.0))


def test_a_turn_that_all_measurements_share_moves_a_target_by_two_thirds_of_its_square() -> None:
    """An axis in any direction is on average no arm for a third of the square, the part along the arm itself."""
    shared = shifted([0.0, 0.0, 0.0]).with_common_error(0.0, 1e-3)
    assert expected_tre(HERE, shared, [[300.0, 0.0, 0.0]]).rms_mm == pytest.approx(0.3 * np.sqrt(2.0 / 3.0))


def test_the_promise_of_a_landmark_is_that_of_two_looks_at_one_shift() -> None:
    """A shift known to 4 mm^2 along each axis and a touch with 1 mm^2 make 4 / 5 mm^2, wherever the target lies."""
    assumed = SurfaceFitSettings(landmark_fle_rms_mm=float(np.sqrt(3.0)))
    body = organ(4)
    spot = next_touch(
        HERE,
        shifted([4.0, 4.0, 4.0]),
        targets_ct={"deep": np.array([10.0, 20.0, 30.0])},
        measured_reference_mm=body.vertices_mm[:1],
        field_ct=ExactDistance(body),
        landmarks_ct={"far": body.vertices_mm[0] + 100.0},
        assumed=assumed,
        settings=NextTouchSettings(reach_mm=0.0),
    )
    assert spot is not None
    assert (spot.name, spot.p95_now_mm) == ("far", pytest.approx(2.0 * LENGTH_95))
    assert spot.p95_then_mm == pytest.approx(np.sqrt(0.8) * LENGTH_95)
