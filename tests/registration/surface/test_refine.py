"""Surface registration: exact truth, independent distances, outliers, degenerate sweeps, its promise of error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError
from registration import expected_tre, refine_on_surface, register_landmarks
from registration.distance.closest_point import ExactDistance
from registration.errors import LandmarksRefusedError, SurfacePointsRefusedError
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import target_errors_mm
from tests.geometry.strategies import transforms
from tests.registration.shapes import T_TRUE, displaced, organ, plate, sample, sphere, tube, with_model_error

UP = np.array([0.0, 0.0, 1.0])
ORGAN = organ()
CENTRE_MM = ORGAN.vertices_mm.mean(axis=0)
TARGETS_MM = CENTRE_MM + np.array([[0, 0, 0], [40, 20, 10], [-50, 10, -20], [10, -40, -30], [0, 30, 40]])
TOWARDS = np.array([[1, 0, 0.3], [-1, 0, 0.3], [0, 1, 0.3], [0, -1, 0.3], [0.2, 0.1, 1], [0.7, 0.7, 0.5]])
LANDMARKS_MM = ORGAN.vertices_mm[np.argmax(ORGAN.vertices_mm @ TOWARDS.T, axis=0)]


@given(transforms("reference", "ct"))
@settings(max_examples=15)
def test_recovers_the_pose_wherever_the_frames_are(T_reference_ct: Transform) -> None:
    rng = np.random.default_rng(0)
    points = T_reference_ct.apply(sample(ORGAN, 400, rng))
    initial = displaced(T_reference_ct, ORGAN, np.deg2rad(5.0), 5.0, rng)
    result = refine_on_surface(points, ORGAN, initial)
    assert result.converged, result.reason
    # Feet on the triangles come in single precision: some 1e-5 mm each.
    assert target_errors_mm(result.T_reference_ct, T_reference_ct, TARGETS_MM).max() < 1e-3
    assert result.residual_rms_mm < 1e-3


def test_a_source_shifted_in_ct_gives_the_pose_shifted_back() -> None:
    rng = np.random.default_rng(0)
    points = T_TRUE.apply(sample(ORGAN, 400, rng))
    shift = Transform.from_rotation(Rotation.identity(), [250.0, -100.0, 40.0], "ct", "ct")
    result = refine_on_surface(points, ORGAN.transformed(shift), T_TRUE @ shift.inverse())
    assert target_errors_mm(result.T_reference_ct @ shift, T_TRUE, TARGETS_MM).max() < 1e-3


def test_a_perfect_start_stays() -> None:
    points = T_TRUE.apply(sample(ORGAN, 400, np.random.default_rng(0)))
    result = refine_on_surface(points, ORGAN, T_TRUE)
    assert target_errors_mm(result.T_reference_ct, T_TRUE, TARGETS_MM).max() < 1e-4


def test_moving_the_reference_moves_the_result_along() -> None:
    rng = np.random.default_rng(4)
    points = T_TRUE.apply(sample(ORGAN, 600, rng, UP) + 0.4 * rng.normal(size=(600, 3)))
    landmarks = T_TRUE.apply(LANDMARKS_MM) + 0.4 * rng.normal(size=LANDMARKS_MM.shape)
    move = Transform.from_rotation(
        Rotation.from_rotvec([1.0, -2.0, 0.5]), [70.0, 800.0, -30.0], "reference", "reference"
    )
    initial = displaced(T_TRUE, ORGAN, 0.05, 3.0, rng)
    before = refine_on_surface(points, ORGAN, initial, (LANDMARKS_MM, landmarks))
    after = refine_on_surface(move.apply(points), ORGAN, move @ initial, (LANDMARKS_MM, move.apply(landmarks)))
    # Both stop when a step is below 1e-3 mm.
    assert target_errors_mm(after.T_reference_ct, move @ before.T_reference_ct, TARGETS_MM).max() < 2e-3
    a, b = (expected_tre(r.T_reference_ct, r.uncertainty, TARGETS_MM).rms_mm for r in (before, after))
    np.testing.assert_allclose(a, b, rtol=1e-3)


def test_residuals_are_signed_distances_positive_outside() -> None:
    body = sphere(80.0, 6)
    rng = np.random.default_rng(0)
    offsets = np.where(np.arange(600) % 2 == 0, 0.3, -0.3)
    directions = rng.normal(size=(600, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    result = refine_on_surface(T_TRUE.apply(directions * (80.0 + offsets)[:, None]), body, T_TRUE)
    # Triangles of 1.3 mm lie up to 0.003 mm inside the sphere; the pose may move by a little of its 0.3 mm.
    np.testing.assert_allclose(result.residuals_mm, offsets, atol=0.06)
    assert result.residual_rms_mm == pytest.approx(0.3, abs=0.01)


def distance_by_force(body: Surface, points: np.ndarray) -> np.ndarray:
    """Nearest of all triangles, the sign by the solid angle that the body fills (van Oosterom and Strackee 1983)."""
    import trimesh

    corners = body.vertices_mm[body.triangles]
    signed = np.empty(len(points))
    for i, point in enumerate(points):
        feet = trimesh.triangles.closest_point(corners, np.tile(point, (len(corners), 1)))
        a, b, c = (corners - point).transpose(1, 0, 2)
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        dots = (np.einsum("nj,nj->n", u, v) * w for u, v, w in ((a, b, lc), (b, c, la), (c, a, lb)))
        angle = 2.0 * np.arctan2(np.einsum("nj,nj->n", a, np.cross(b, c)), la * lb * lc + sum(dots)).sum()
        signed[i] = np.linalg.norm(feet - point, axis=1).min() * (-1.0 if angle > 2.0 * np.pi else 1.0)
    return signed


def test_distance_and_gradient_against_brute_force_and_differences() -> None:
    rng = np.random.default_rng(0)
    body = organ(3)
    points = sample(body, 300, rng) + 6.0 * rng.normal(size=(300, 3))
    field = ExactDistance(body)
    distance = field.distance(points)
    # Feet in single precision, coordinates of some 100 mm about the centre.
    np.testing.assert_allclose(distance.signed_mm, distance_by_force(body, points), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(distance.gradient, axis=1), 1.0, atol=1e-6)
    ahead = field.distance(points + 0.01 * distance.gradient).signed_mm
    kink = np.abs(ahead - distance.signed_mm - 0.01) > 1e-3  # where another foot becomes nearer
    assert kink.mean() < 0.02


@pytest.mark.parametrize("seed", range(10))
def test_a_one_sided_sweep_with_outliers_10_mm_and_10_degrees_off(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = sample(ORGAN, 1500, rng, UP) + 0.5 * rng.normal(size=(1500, 3))
    outliers = rng.random(1500) < 0.1
    points[outliers] += 15.0 * rng.normal(size=(outliers.sum(), 3))
    initial = displaced(T_TRUE, ORGAN, np.deg2rad(10.0), 10.0, rng)
    result = refine_on_surface(T_TRUE.apply(points), ORGAN, initial)
    assert result.converged, result.reason
    # 1,350 good points of 0.5 mm would reach 0.05 mm; they share patches with outliers and see one side only.
    assert target_errors_mm(result.T_reference_ct, T_TRUE, TARGETS_MM).max() < 0.5
    distances_mm = np.abs(ExactDistance(ORGAN).distance(points).signed_mm)
    assert not result.inlier[distances_mm > 6.0].any()
    assert result.inlier[~outliers].mean() > 0.99


def test_landmarks_stop_a_smooth_body_from_turning() -> None:
    body, rng = sphere(100.0), np.random.default_rng(1)
    marks = 100.0 * np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [-0.6, -0.8, 0]])
    points = T_TRUE.apply(sample(body, 500, rng) + 0.3 * rng.normal(size=(500, 3)))
    touched = T_TRUE.apply(marks) + 0.3 * rng.normal(size=marks.shape)
    initial = displaced(T_TRUE, body, 0.1, 2.0, rng)
    result = refine_on_surface(points, body, initial, (marks, touched))
    # Four landmarks of 0.5 mm on a lever of 100 mm hold the rotation to about half a millimetre at the surface.
    assert target_errors_mm(result.T_reference_ct, T_TRUE, marks).max() < 1.5
    assert result.landmark_fre_rms_mm == pytest.approx(0.5, abs=0.35)
    assert result.weakest_direction.surface_sd_mm > 20.0
    assert result.weakest_direction.combined_sd_mm < 0.5
    assert "turning about" in result.weakest_direction.description


def test_a_tube_slides_and_turns() -> None:
    points = T_TRUE.apply(sample(tube(50.0, 300.0), 800, np.random.default_rng(0)) * [1.0, 1.0, 0.5])
    result = refine_on_surface(points, tube(50.0, 300.0), T_TRUE)
    # Two motions are free, along and about the axis; the other four are held to under a millimetre.
    assert (result.weakest_direction.sd_mm[:2] > 10.0).all()
    assert (result.weakest_direction.sd_mm[2:] < 0.5).all()
    # At a target on the axis: far off along it, and nowhere else.
    covariance = expected_tre(result.T_reference_ct, result.uncertainty, [[0, 0, 0]]).covariance_reference_mm2[0]
    axis = T_TRUE.rotate(UP)
    along = axis @ covariance @ axis
    assert np.sqrt(along) > 10.0
    assert np.sqrt(np.trace(covariance) - along) < 0.5
    assert "sliding along" in result.weakest_direction.description


def test_a_plate_slides_in_two_directions_and_turns_about_its_normal() -> None:
    points = T_TRUE.apply(sample(plate(200.0), 800, np.random.default_rng(0)) * [0.5, 0.5, 1.0])
    result = refine_on_surface(points, plate(200.0), T_TRUE)
    assert (result.weakest_direction.sd_mm[:3] > 10.0).all()
    assert (result.weakest_direction.sd_mm[3:] < 0.5).all()
    normal = T_TRUE.rotate(UP)
    assert np.sqrt(normal @ result.uncertainty.covariance[3:, 3:] @ normal) < 0.5


def test_a_sphere_turns_in_three_directions() -> None:
    points = T_TRUE.apply(sample(sphere(100.0), 800, np.random.default_rng(0)))
    result = refine_on_surface(points, sphere(100.0), T_TRUE)
    assert (result.weakest_direction.sd_mm[:3] > 10.0).all()
    assert (result.weakest_direction.sd_mm[3:] < 0.5).all()
    # The centre itself is well known.
    assert expected_tre(result.T_reference_ct, result.uncertainty, [[0.0, 0.0, 0.0]]).rms_mm[0] < 0.5


def test_a_closed_organ_is_held_in_every_direction() -> None:
    points = T_TRUE.apply(sample(ORGAN, 800, np.random.default_rng(0)))
    assert refine_on_surface(points, ORGAN, T_TRUE).weakest_direction.surface_sd_mm < 0.5


def simulated_tre_mm(
    body: Surface, rng: np.random.Generator, settings: SurfaceFitSettings, with_landmarks: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True error, expected RMS and expected p95 at the targets of one whole registration.

    The patient is smooth; the surface from the CT carries the segmentation's error, and ripples with it.
    """
    reach_mm = settings.correlation_length_mm / np.sqrt(2.0 * np.pi)
    segmented = with_model_error(body, settings.model_error_mm, reach_mm, rng)
    points = sample(body, 600, rng, UP) + settings.point_noise_mm * rng.normal(size=(600, 3))
    marks = body.vertices_mm[np.argmax(body.vertices_mm @ TOWARDS.T, axis=0)]
    touched = T_TRUE.apply(marks) + 0.7 / np.sqrt(3.0) * rng.normal(size=marks.shape)
    initial = register_landmarks(marks, touched, fle_rms_mm=0.7).T_reference_ct
    landmarks = (marks, touched) if with_landmarks else None
    result = refine_on_surface(T_TRUE.apply(points), segmented, initial, landmarks, settings)
    targets = body.vertices_mm.mean(axis=0) + TARGETS_MM - CENTRE_MM
    expected = expected_tre(result.T_reference_ct, result.uncertainty, targets)
    return target_errors_mm(result.T_reference_ct, T_TRUE, targets), expected.rms_mm, expected.p95_mm


@pytest.mark.parametrize(
    ("model_error_mm", "with_landmarks"),
    [(0.5, True), (0.5, False), (0.05, True)],
    ids=["correlated-with-landmarks", "correlated-alone", "white-with-landmarks"],
)
def test_surface_and_landmarks_keep_their_promise(model_error_mm: float, with_landmarks: bool) -> None:
    settings = SurfaceFitSettings(point_noise_mm=0.4, model_error_mm=model_error_mm, landmark_fle_rms_mm=0.7)
    rng = np.random.default_rng(0)
    errors, rms, p95 = np.stack([simulated_tre_mm(ORGAN, rng, settings, with_landmarks) for _ in range(40)], axis=1)
    # 40 registrations of five targets that move together: the RMS is known to some 7 %, the coverage to 2 %. Measured
    # over more of them: 0.93, 0.94 and 0.95 (docs/registration/README.md).
    assert 0.8 < np.sqrt(np.mean((errors / rms) ** 2)) < 1.1
    assert 0.93 < np.mean(errors < p95) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("with_landmarks", [True, False])
def test_the_promise_over_two_hundred_registrations(with_landmarks: bool) -> None:
    rng = np.random.default_rng(1)
    runs = [simulated_tre_mm(ORGAN, rng, SurfaceFitSettings(), with_landmarks) for _ in range(200)]
    errors, rms, p95 = np.stack(runs, axis=1)
    ratio, coverage = np.sqrt(np.mean((errors / rms) ** 2)), np.mean(errors < p95)
    print(f"true over expected TRE {ratio:.3f}, below the expected 95 % length {coverage:.1%}")
    assert 0.85 < ratio < 1.05
    assert 0.93 < coverage < 0.99


@pytest.mark.slow
def test_a_hundred_one_sided_sweeps_10_mm_and_10_degrees_off() -> None:
    body, errors_mm = organ(6), []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        points = sample(body, 2000, rng, UP) + 0.5 * rng.normal(size=(2000, 3))
        outliers = rng.random(2000) < 0.1
        points[outliers] += 15.0 * rng.normal(size=(outliers.sum(), 3))
        initial = displaced(T_TRUE, body, np.deg2rad(10.0), 10.0, rng)
        result = refine_on_surface(T_TRUE.apply(points), body, initial)
        assert result.converged, result.reason
        errors_mm.append(target_errors_mm(result.T_reference_ct, T_TRUE, TARGETS_MM).max())
    print(f"largest error at the targets: median {np.median(errors_mm):.3f} mm, worst {max(errors_mm):.3f} mm")
    assert np.median(errors_mm) < 0.2
    assert max(errors_mm) < 1.0


def test_ripples_are_no_evidence_that_a_smooth_body_is_held() -> None:
    directions = sphere(1.0).vertices_mm
    spheroid = Surface(directions * [90.0, 80.0, 80.0] + [0.0, 0.0, 50.0], sphere(1.0).triangles, "ct", "spheroid")
    rng = np.random.default_rng(0)
    errors, rms, _ = np.stack([simulated_tre_mm(spheroid, rng, SurfaceFitSettings(), False) for _ in range(25)], axis=1)
    # It can turn about its axis, and the segmentation's ripples draw it there by millimetres. Taken for shape, they
    # would promise a third of the error that is seen; seen over 30: 1.2 times what is expected.
    assert np.sqrt(np.mean(errors**2)) > 1.5
    assert np.sqrt(np.mean(errors**2) / np.mean(rms**2)) < 1.5


def test_a_hundred_times_the_points_is_not_a_hundred_times_the_evidence() -> None:
    rng = np.random.default_rng(0)
    expected = [
        expected_tre(result.T_reference_ct, result.uncertainty, TARGETS_MM).rms_mm.mean()
        for result in (
            refine_on_surface(T_TRUE.apply(sample(ORGAN, count, rng)), ORGAN, T_TRUE) for count in (200, 20_000)
        )
    ]
    # Counted as independent it would be a tenth. The surface's own error stays, however often it is touched.
    assert 0.5 < expected[1] / expected[0] < 1.0


def test_residuals_beyond_the_stated_noise_are_admitted() -> None:
    rng = np.random.default_rng(0)
    points = T_TRUE.apply(sample(ORGAN, 1000, rng) + 3.0 * rng.normal(size=(1000, 3)))
    quiet = SurfaceFitSettings(point_noise_mm=0.2, model_error_mm=0.2)
    result = refine_on_surface(points, ORGAN, T_TRUE, settings=quiet)
    # Ten times the stated standard deviation; Tukey's weights hide some of it.
    assert 60.0 < result.noise_inflation < 130.0
    stated = refine_on_surface(T_TRUE.apply(sample(ORGAN, 1000, rng)), ORGAN, T_TRUE, settings=quiet)
    assert stated.noise_inflation == 1.0


def test_neighbours_by_hand() -> None:
    # A disc of radius 20 / sqrt(pi) = 11.3 mm: three points of 10 mm steps see one or two neighbours, the last none.
    points = np.array([[0.0, 0, 0], [10, 0, 0], [20, 0, 0], [100, 0, 0]])
    counts = neighbour_counts(points, 20.0)
    np.testing.assert_array_equal(counts, [2, 3, 2, 1])
    np.testing.assert_allclose(point_weights(counts, 1.0, 2.0), [1 / 9, 1 / 13, 1 / 9, 1 / 5])


def test_points_on_the_wrong_body_do_not_converge_in_silence() -> None:
    rng = np.random.default_rng(0)
    points = T_TRUE.apply(sample(ORGAN, 500, rng) + rng.uniform(-25.0, 25.0, (500, 3)))
    narrow = SurfaceFitSettings(point_noise_mm=0.1, model_error_mm=0.1, tukey_cutoff=0.5)
    result = refine_on_surface(points, ORGAN, T_TRUE, settings=narrow)
    assert not result.converged
    assert "of the points lie on the surface" in result.reason or "still moving" in result.reason


def test_an_iteration_cut_short_says_so() -> None:
    rng = np.random.default_rng(0)
    points = T_TRUE.apply(sample(ORGAN, 400, rng))
    initial = displaced(T_TRUE, ORGAN, 0.15, 10.0, rng)
    result = refine_on_surface(points, ORGAN, initial, settings=SurfaceFitSettings(maximum_iterations=2))
    assert not result.converged
    assert "still moving" in result.reason
    assert result.iterations == 2


def test_what_cannot_be_registered_is_refused() -> None:
    points = T_TRUE.apply(sample(ORGAN, 100, np.random.default_rng(0)))
    with pytest.raises(SurfacePointsRefusedError, match="0 swept points"):
        refine_on_surface(np.empty((0, 3)), ORGAN, T_TRUE)
    with pytest.raises(SurfacePointsRefusedError, match="29 swept points"):
        refine_on_surface(points[:29], ORGAN, T_TRUE)
    with pytest.raises(SurfacePointsRefusedError, match="NaN or infinity in row 3"):
        refine_on_surface(np.where(np.arange(100)[:, None] == 3, np.nan, points), ORGAN, T_TRUE)
    with pytest.raises(SurfacePointsRefusedError, match="0 of 100 points within 30 mm"):
        refine_on_surface(points + 500.0, ORGAN, T_TRUE)
    with pytest.raises(SurfacePointsRefusedError, match="without triangles"):
        refine_on_surface(points, Surface(ORGAN.vertices_mm, np.empty((0, 3), int), "ct", "nothing"), T_TRUE)
    with pytest.raises(LandmarksRefusedError, match="6 landmarks in ct, 5 in reference"):
        refine_on_surface(points, ORGAN, T_TRUE, (LANDMARKS_MM, LANDMARKS_MM[:5]))
    with pytest.raises(FrameMismatchError):
        refine_on_surface(points, ORGAN, T_TRUE.inverse())
    with pytest.raises(FrameMismatchError):
        refine_on_surface(points, Surface(ORGAN.vertices_mm, ORGAN.triangles, "reference", "organ"), T_TRUE)
