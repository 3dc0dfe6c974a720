"""Registration from nothing: the truth is found from any pose, symmetry is said, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError
from registration.distance.closest_point import ExactDistance
from registration.distance.coarse_field import CoarseField
from registration.distance.distance_grid import DistanceGrid
from registration.errors import SurfacePointsRefusedError
from registration.surface.global_start import GlobalStart, GlobalStartSettings, register_from_nothing
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import target_errors_mm
from tests.registration.shapes import organ, sample, sphere, tube
from tests.registration.trials.real_surfaces import real_surface

ORGAN = organ(5)
FIELD = DistanceGrid.from_surface(ORGAN)


def any_pose(rng: np.random.Generator) -> Transform:
    return Transform.from_rotation(Rotation.random(rng=rng), 500.0 * rng.normal(size=3), "reference", "ct")


def swept(surface: Surface, rng: np.random.Generator, side: np.ndarray | None = None, count: int = 2000) -> np.ndarray:
    """Points of one side in ct, 0.5 mm noise, a tenth of them 15 mm off."""
    points = sample(surface, count, rng, side) + 0.5 * rng.normal(size=(count, 3))
    outliers = rng.random(count) < 0.1
    points[outliers] += 15.0 * rng.normal(size=(outliers.sum(), 3))
    return points


def error_mm(found: GlobalStart, truth: Transform, surface: Surface) -> float:
    """The largest over the whole surface."""
    assert found.registration is not None, found.reason
    spots = surface.vertices_mm[:: max(1, len(surface.vertices_mm) // 100)]
    return float(target_errors_mm(found.registration.T_reference_ct, truth, spots).max())


@pytest.mark.parametrize("seed", range(5))
def test_one_side_of_an_organ_in_any_pose_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = any_pose(rng)
    found = register_from_nothing(truth.apply(swept(ORGAN, rng, rng.normal(size=3))), ORGAN, rng, field=FIELD)
    # 0.5 mm of noise in 2,000 points: a good tenth of a millimetre where it was swept, some more on the far side.
    assert error_mm(found, truth, ORGAN) < 1.0
    assert found.registration.converged
    assert len(found.possible) == 1
    assert found.runner_up is None or found.runner_up.cost > found.possible[0].cost + 100.0
    assert "one pose fits" in found.reason


def test_moving_the_patient_moves_the_pose_along() -> None:
    rng = np.random.default_rng(1)
    points, move = swept(ORGAN, rng, np.array([0.0, -1.0, 0.3])), any_pose(rng)
    here = register_from_nothing(points, ORGAN, np.random.default_rng(0), field=FIELD)
    there = register_from_nothing(move.apply(points), ORGAN, np.random.default_rng(0), field=FIELD)
    moved = Transform(move.matrix, "reference", "reference") @ here.registration.T_reference_ct
    # Both end in the one minimum, to within the solver's last step of 1e-3 mm.
    assert target_errors_mm(there.registration.T_reference_ct, moved, ORGAN.vertices_mm[::50]).max() < 0.02


def test_the_same_generator_gives_the_same_result() -> None:
    points = any_pose(np.random.default_rng(5)).apply(swept(ORGAN, np.random.default_rng(5), np.array([1.0, 0, 0])))
    first, second = (register_from_nothing(points, ORGAN, np.random.default_rng(9), field=FIELD) for _ in range(2))
    np.testing.assert_array_equal(first.registration.T_reference_ct.matrix, second.registration.T_reference_ct.matrix)
    assert [end.cost for end in first.possible] == [end.cost for end in second.possible]


def test_without_a_prepared_field_it_builds_one() -> None:
    rng = np.random.default_rng(2)
    truth, small = any_pose(rng), organ(4)
    found = register_from_nothing(truth.apply(swept(small, rng, count=800)), small, rng)
    assert error_mm(found, truth, small) < 1.0


def ellipsoid(axes_mm: tuple[float, float, float]) -> Surface:
    unit = sphere(1.0)
    return Surface(unit.vertices_mm * axes_mm + [30.0, 0.0, 50.0], unit.triangles, "ct", "ellipsoid")


def test_a_body_that_fits_in_four_ways_is_not_guessed() -> None:
    body, rng = ellipsoid((90.0, 65.0, 45.0)), np.random.default_rng(0)
    truth = any_pose(rng)
    found = register_from_nothing(truth.apply(swept(body, rng, np.array([0.0, 0.3, 1.0]))), body, rng)
    assert found.ambiguous
    assert found.registration is None
    # Half turns about each of its axes.
    assert len(found.possible) == 4
    errors = [target_errors_mm(end.T_reference_ct, truth, body.vertices_mm[::100]).max() for end in found.possible]
    assert min(errors) < 1.0
    assert sorted(errors)[1] > 80.0
    # The ellipsoid looks the same to the noise as well; only the outliers may tell a little.
    costs = [end.cost for end in found.possible]
    assert costs == sorted(costs)
    assert costs[-1] - costs[0] < 14.0
    assert "4 poses" in found.reason
    assert "touch three landmarks" in found.action


@pytest.mark.parametrize("body", [sphere(80.0), tube(60.0, 300.0)], ids=["sphere", "tube"])
def test_a_body_that_slides_along_itself_is_not_guessed(body: Surface) -> None:
    rng = np.random.default_rng(0)
    points = any_pose(rng).apply(swept(body, rng, np.array([0.0, 1.0, 0.0])))
    found = register_from_nothing(points, body, rng)
    assert found.registration is None
    # As several poses far apart, or as one that slides: as it is found.
    assert "none is chosen" in found.reason or "does not hold the pose" in found.reason
    assert "touch three landmarks" in found.action


def test_another_body_is_not_registered() -> None:
    rng = np.random.default_rng(0)
    found = register_from_nothing(any_pose(rng).apply(swept(sphere(55.0), rng)), ORGAN, rng, field=FIELD)
    assert found.registration is None
    assert not found.possible
    assert "check that it is this surface that was swept" in found.action


def test_points_strewn_about_are_not_registered() -> None:
    rng = np.random.default_rng(0)
    found = register_from_nothing(rng.uniform(-80.0, 80.0, (1000, 3)), ORGAN, rng, field=FIELD)
    assert found.registration is None


def test_a_small_flat_patch_is_refused_or_right_never_wrong() -> None:
    rng = np.random.default_rng(0)
    chosen = 0
    for _ in range(6):
        truth = any_pose(rng)
        everywhere = sample(ORGAN, 30_000, rng)
        away_mm = np.linalg.norm(everywhere - everywhere[rng.integers(len(everywhere))], axis=1)
        patch = everywhere[away_mm < 30.0][:500]
        found = register_from_nothing(truth.apply(patch + 0.5 * rng.normal(size=patch.shape)), ORGAN, rng, field=FIELD)
        if found.registration is not None:
            chosen += 1
            expected_mm = 3.0 * np.sqrt(np.trace(found.registration.uncertainty.covariance[3:, 3:]))
            middle = patch.mean(axis=0)
            assert target_errors_mm(found.registration.T_reference_ct, truth, middle)[0] < max(2.0, expected_mm)
    assert chosen < 6


@pytest.mark.parametrize("name", ["liver", "pelvis"])
def test_real_organs_in_any_pose(shared_data: Path, name: str) -> None:
    surface, rng = real_surface(shared_data, name), np.random.default_rng(3)
    field = DistanceGrid.from_surface(surface)
    for _ in range(2):
        truth = any_pose(rng)
        found = register_from_nothing(truth.apply(swept(surface, rng, rng.normal(size=3))), surface, rng, field=field)
        assert error_mm(found, truth, surface) < 1.0


def test_the_offset_of_pressed_skin_is_no_obstacle() -> None:
    rng = np.random.default_rng(4)
    truth = any_pose(rng)
    points = swept(ORGAN, rng, np.array([0.0, 0.0, 1.0]))
    pressed = points - 1.5 * ExactDistance(ORGAN).distance(points).gradient
    settings = SurfaceFitSettings(offset_sd_mm=1.0)
    found = register_from_nothing(truth.apply(pressed), ORGAN, rng, field=FIELD, surface_settings=settings)
    assert error_mm(found, truth, ORGAN) < 2.0
    assert found.registration.offset_mm == pytest.approx(-1.5, abs=0.5)


def test_the_coarse_field_is_near_the_exact_one() -> None:
    coarse, exact = CoarseField.of(ORGAN, FIELD, 6.0, 30.0), ExactDistance(ORGAN)
    rng = np.random.default_rng(0)
    near = sample(ORGAN, 2000, rng) + 5.0 * rng.normal(size=(2000, 3))
    far = ORGAN.bounds_mm.mean(axis=0) + 150.0 * rng.normal(size=(500, 3))
    for points, bound_mm in ((near, 1.0), (far, 40.0)):
        distance, gradient = coarse.distance((points - coarse.centre_mm).astype(np.float32))
        assert np.percentile(np.abs(distance - exact.distance(points).signed_mm), 95) < bound_mm
        np.testing.assert_allclose(np.linalg.norm(gradient, axis=1), 1.0, atol=1e-4)


def test_refused() -> None:
    rng = np.random.default_rng(0)
    points = swept(ORGAN, rng, np.array([0.0, 0.0, 1.0]))
    with pytest.raises(SurfacePointsRefusedError, match="0 swept points"):
        register_from_nothing(np.empty((0, 3)), ORGAN, rng)
    with pytest.raises(SurfacePointsRefusedError, match="NaN or infinity in row 7"):
        register_from_nothing(np.where(np.arange(2000)[:, None] == 7, np.nan, points), ORGAN, rng)
    with pytest.raises(SurfacePointsRefusedError, match="convert metres to millimetres"):
        register_from_nothing(points / 1000.0, ORGAN, rng)
    with pytest.raises(SurfacePointsRefusedError, match="without triangles"):
        register_from_nothing(points, replace(ORGAN, triangles=np.empty((0, 3), np.int32)), rng)
    with pytest.raises(FrameMismatchError):
        register_from_nothing(points, replace(ORGAN, frame="reference"), rng)


def test_a_stricter_fit_refuses_what_a_looser_one_takes() -> None:
    rng = np.random.default_rng(6)
    points = any_pose(rng).apply(swept(ORGAN, rng, np.array([0.0, 0.0, 1.0])))
    strict = GlobalStartSettings(minimum_fit=0.99)  # a tenth of the points are outliers
    found = register_from_nothing(points, ORGAN, np.random.default_rng(0), strict, field=FIELD)
    assert found.registration is None
    assert "99%" in found.reason
    assert found.runner_up is not None
