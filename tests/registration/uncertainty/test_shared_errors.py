"""What measurements have in common is in the pose's covariance, by hand; and is told where they can tell it."""

from __future__ import annotations

import numpy as np
import pytest

from registration import refine_on_surface, register_landmarks
from registration.distance.closest_point import ExactDistance
from registration.errors import InvalidCovarianceError
from registration.landmarks.fit import with_shared_errors
from registration.surface.icp import MAD_TO_SD, IcpSettings
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import PoseUncertainty, expected_tre
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.perturbation import MOTION, SCALE, SKIN
from registration.uncertainty.shared_errors import SharedErrors, skin_shift_and_turn
from tests.registration.landmarks.harness import CT_MM
from tests.registration.shapes import T_TRUE, organ, plate, sample
from tests.registration.uncertainty.harness import HERE

FLE_MM = 0.8
ERROR = LocalisationError.isotropic(FLE_MM, len(CT_MM))


def landmarks(shared: SharedErrors, touched: np.ndarray = CT_MM) -> PoseUncertainty:
    made = register_landmarks(CT_MM, touched, localisation_error=ERROR)
    return with_shared_errors(made, CT_MM, ERROR, shared).uncertainty


def test_a_common_error_by_hand() -> None:
    nothing = PoseUncertainty(np.zeros((6, 6)), np.zeros(3))
    known = nothing.with_common_error(0.6, 0.003)
    # A shift of 0.6 mm RMS in three dimensions is 0.12 mm^2 along each axis. A turn of 3 mrad RMS about three axes is
    # 3 mrad^2 about each, and what lies 200 mm along x moves by it along y and z, 0.12 mm^2 each.
    np.testing.assert_allclose(known.at(np.array([[200.0, 0.0, 0.0]]))[0], np.diag([0.12, 0.24, 0.24]), atol=1e-12)
    assert expected_tre(HERE, known, [[200.0, 0.0, 0.0]]).rms_mm[0] == pytest.approx(np.sqrt(0.6), rel=1e-12)


def test_an_offset_that_all_points_share_is_no_evidence_along_their_normal() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-90.0, 90.0, (400, 2)), np.zeros(400)])
    settings = SurfaceFitSettings(offset_sd_mm=1.0)
    # Landmarks that hold the sliding, and say next to nothing along z: 50 mm.
    marks = np.array([[0.0, 0, 0], [80, 0, 0], [0, 80, 0], [-70, -60, 0]])
    loose = LocalisationError.from_covariances(None, np.diag([0.01, 0.01, 2500.0]), 4)
    variances, free = [], []
    for offset_mm in (0.0, 1.0):
        stated = SurfaceFitSettings(offset_sd_mm=offset_mm, point_noise_mm=settings.point_noise_mm)
        made = refine_on_surface(points, plate(200.0), HERE, (marks, marks), stated, landmark_error=loose)
        free.append(int((made.weakest_direction.sd_mm > 0.9).sum()))
        variances.append(made.uncertainty.at(made.uncertainty.pivot_reference_mm[None])[0, 2, 2])
    # A plate slides two ways and turns one; with an offset of 1 mm it may also rise by it.
    assert free == [3, 4]
    # The mean of all the points is as good as they are, and the offset adds its own variance whole.
    assert variances[0] < 0.01
    assert variances[1] == pytest.approx(variances[0] + 1.0, rel=0.01)


def test_skin_that_moved_as_a_whole_moves_the_body_in_it_and_not_what_is_on_it() -> None:
    alone = landmarks(SharedErrors())
    skin = landmarks(SharedErrors(skin_rms_mm=1.5, landmarks_on_skin=(True,) * len(CT_MM)))
    pivot = skin.pivot_reference_mm[None]
    # At the middle of the landmarks the turn does nothing: two thirds of 1.5^2 mm^2 are shift, spread over three axes.
    np.testing.assert_allclose(skin.at(pivot)[0] - alone.at(pivot)[0], 1.5**2 * 2 / 9 * np.eye(3), atol=1e-9)
    for point in (pivot, CT_MM):
        np.testing.assert_allclose(skin.at(point, on_skin=True), alone.at(point, on_skin=True), atol=1e-9)
    # Over the landmarks themselves, shift and turn together are what was stated.
    added = np.trace(skin.at(CT_MM) - alone.at(CT_MM), axis1=1, axis2=2).mean()
    assert added == pytest.approx(1.5**2, rel=0.02)
    shift_mm, turn_rad = skin_shift_and_turn(3.0, 100.0)
    assert shift_mm**2 + turn_rad**2 * 100.0**2 * 2 / 3 == pytest.approx(9.0)


def test_a_slide_of_the_marks_counts_where_the_sweep_does_not_hold() -> None:
    rng = np.random.default_rng(1)
    surface = organ(4)
    field = ExactDistance(surface)
    seen = T_TRUE.apply(sample(surface, 600, rng, np.array([0.0, 0.0, 1.0])) + rng.normal(scale=0.4, size=(600, 3)))
    marks = surface.vertices_mm[np.argmax(surface.vertices_mm @ rng.normal(size=(3, 6)), axis=0)]
    pairs, target = (marks, T_TRUE.apply(marks)), [surface.vertices_mm.mean(axis=0)]
    found = []
    for slide_mm in (0.0, 2.0):
        shared = SharedErrors(slide_rms_mm=slide_mm, landmarks_on_skin=(True,) * 6)
        made = refine_on_surface(seen, field, T_TRUE, pairs, shared=shared)
        found.append(expected_tre(made.T_reference_ct, made.uncertainty, target).rms_mm[0])
    alone = refine_on_surface(seen, field, T_TRUE)
    limit = expected_tre(alone.T_reference_ct, alone.uncertainty, target).rms_mm[0]
    assert found[0] < found[1] < limit


@pytest.mark.parametrize("short", [0.01, 0.0])
def test_a_ct_that_is_short_is_told_and_its_error_expected(short: float) -> None:
    rng = np.random.default_rng(2)
    middle = CT_MM.mean(axis=0)
    patient = middle + (1.0 + short) * (CT_MM - middle) + rng.normal(scale=FLE_MM / np.sqrt(3.0), size=CT_MM.shape)
    made = register_landmarks(CT_MM, patient, localisation_error=ERROR)
    shared = with_shared_errors(made, CT_MM, ERROR, SharedErrors(scale_sd=0.003))
    assert abs(shared.scale.scale - short) < 3.0 * shared.scale.sd
    # By hand: the sum of squared distances from the middle over the variance along an axis is the information.
    assert made.noise_inflation == 1.0 or short
    if made.noise_inflation == 1.0:
        informed = np.sum((CT_MM - middle) ** 2) / (FLE_MM**2 / 3.0)
        assert shared.scale.sd == pytest.approx(informed**-0.5, rel=1e-3)
    # 150 mm from the middle a CT that is 1 % short is 1.5 mm off.
    away = middle + [150.0, 0.0, 0.0]
    expected = expected_tre(made.T_reference_ct, shared.uncertainty, [away]).p95_mm[0]
    alone = expected_tre(made.T_reference_ct, made.uncertainty, [away]).p95_mm[0]
    assert expected > alone
    if short:
        assert expected > 1.5
        assert shared.scale.excess > 2.6


def test_the_joint_covariance_is_carried_and_checked() -> None:
    shared = SharedErrors(scale_sd=0.003, skin_rms_mm=1.0, slide_rms_mm=1.0, landmarks_on_skin=(True,) * len(CT_MM))
    known = landmarks(shared)
    np.testing.assert_array_equal(known.joint[MOTION, MOTION], known.covariance)
    assert known.joint[SCALE, SCALE] > 0.0
    assert (np.diag(known.joint[SKIN, SKIN]) > 0.0).all()
    more = known.plus(np.eye(6))
    np.testing.assert_allclose(more.covariance, known.covariance + np.eye(6), atol=1e-12)
    np.testing.assert_array_equal(more.joint[SKIN, SKIN], known.joint[SKIN, SKIN])
    skin = known.with_skin_motion(0.9, 0.0)
    # What is in the body moved by 0.27 mm^2 along each axis; what is on the skin did not.
    point = known.pivot_reference_mm[None]
    np.testing.assert_allclose(skin.at(point)[0] - known.at(point)[0], 0.27 * np.eye(3), atol=1e-12)
    np.testing.assert_allclose(skin.at(point, on_skin=True), known.at(point, on_skin=True), atol=1e-12)
    for joint in (np.eye(13), np.full((13, 13), np.nan), np.zeros((12, 12))):
        with pytest.raises(InvalidCovarianceError, match="joint"):
            PoseUncertainty(known.covariance, known.pivot_reference_mm, joint=joint)


@pytest.mark.parametrize("bad", [{"scale_sd": -0.1}, {"slide_rms_mm": np.nan}, {"skin_rms_mm": -1.0}])
def test_shared_errors_that_are_none_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidCovarianceError):
        SharedErrors(**bad)
    with pytest.raises(InvalidCovarianceError, match="for 3 landmarks"):
        SharedErrors(landmarks_on_skin=(True, False)).skin_mask(3)


def test_robust_weights_are_tukeys_by_hand() -> None:
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(-90.0, 90.0, (500, 2)), rng.normal(scale=1.5, size=500)])
    points[:50, 2] += 20.0  # outliers
    marks = np.array([[0.0, 0, 0], [80, 0, 0], [0, 80, 0], [-70, -60, 0]])
    settings = SurfaceFitSettings(correlation_length_mm=0.5)
    made = refine_on_surface(points, plate(400.0), HERE, (marks, marks), settings)
    # Beaton and Tukey 1974: (1 - (r / c s)^2)^2 within c s, c = 4.685 for 95 % efficiency, s = 1.4826 times the median
    # absolute residual. In units of the stated noise, sqrt(0.4^2 + 0.5^2), and never below it.
    stated = np.hypot(settings.point_noise_mm, settings.model_error_mm)
    cutoff = 4.685 * 1.4826 * np.median(np.abs(made.residuals_mm) / stated) * stated
    np.testing.assert_array_equal(made.inlier, np.abs(made.residuals_mm) < cutoff)
    assert made.inlier[50:].all()
    assert not made.inlier[:50].any()
    from registration.surface.icp import iterate
    from registration.surface.refine import _checked_pairs, _evidence

    pairs = _checked_pairs((marks, marks), None, settings)
    evidence = _evidence(points, np.full(500, settings.point_noise_mm), pairs, settings, SharedErrors())
    outcome = iterate(evidence, ExactDistance(plate(400.0)), HERE, settings)
    cutoff = 4.685 * MAD_TO_SD * np.median(np.abs(outcome.residuals_mm) / stated) * stated
    by_hand = np.maximum(0.0, 1.0 - (outcome.residuals_mm / cutoff) ** 2) ** 2
    np.testing.assert_allclose(outcome.robust_weights, by_hand, atol=1e-9)
    assert pytest.approx(1.4826, abs=1e-4) == MAD_TO_SD


def test_the_cutoff_narrows_from_twice_its_width_by_0_7_a_step() -> None:
    surface = organ(4)
    points = T_TRUE.apply(sample(surface, 300, np.random.default_rng(4)))
    # From the pose itself no step moves anything: what is left are the steps from 2 over 1.4 to 1.
    assert refine_on_surface(points, surface, T_TRUE).iterations == 3
    wide = SurfaceFitSettings(annealing_start=4.0)
    assert refine_on_surface(points, surface, T_TRUE, settings=wide).iterations == 5  # 4, 2.8, 1.96, 1.37, 1
    assert IcpSettings().annealing_rate == 0.7
