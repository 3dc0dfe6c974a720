"""From pixel to probe: what goes in as pose, spacing and skew comes out, its covariance too, and flips are said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.errors import ProbeInputError
from calibration.ultrasound_probe.flips import ProbeAxes, image_flips, said_orientation
from calibration.ultrasound_probe.image_map import ImageToProbe, columns_of
from calibration.ultrasound_probe.samples import ProbeSample, check_samples
from geometry import Transform

POSE = Transform.from_rotation(Rotation.from_rotvec([0.3, -1.2, 0.4]), [11.0, 46.0, -7.0], "probe", "image")


@settings(max_examples=30)
@given(
    turn=st.tuples(*[st.floats(-1.7, 1.7)] * 3),
    spacing_mm=st.tuples(*[st.floats(0.02, 1.0)] * 2),
    skew_rad=st.floats(-0.3, 0.3),
)
def test_pose_spacing_and_skew_come_out_as_they_went_in(turn, spacing_mm, skew_rad):
    pose = Transform.from_rotation(Rotation.from_rotvec(turn), [10.0, -40.0, 5.0], "probe", "image")
    image_map = ImageToProbe(columns_of(pose, *spacing_mm, skew_rad), np.zeros((9, 9)))
    assert (image_map.spacing_x_mm, image_map.spacing_y_mm) == pytest.approx(spacing_mm, abs=1e-12)
    assert image_map.skew_rad == pytest.approx(skew_rad, abs=1e-12)
    np.testing.assert_allclose(image_map.T_probe_image.matrix, pose.matrix, atol=1e-12)
    points_px = np.array([[0.0, 0.0], [320.0, 17.0]])
    as_plus = np.column_stack([points_px, [0.0, 0.0], [1.0, 1.0]]) @ image_map.matrix_probe_image_px.T
    np.testing.assert_allclose(image_map.to_probe_mm(points_px), as_plus[:, :3], atol=1e-12)


def test_covariances_are_those_of_drawn_maps():
    rng = np.random.default_rng(5)
    scale = np.repeat([1e-5, 2e-5, 0.1], 3)
    mixed = rng.normal(size=(9, 9)) / 3.0
    covariance = (mixed @ mixed.T + np.eye(9)) * np.outer(scale, scale)
    truth = ImageToProbe(columns_of(POSE, 0.08, 0.07, 0.01), covariance)
    drawn = rng.multivariate_normal(truth.columns_mm.T.ravel(), covariance, size=600).reshape(-1, 3, 3)
    point_px = np.array([[500.0, 300.0]])
    points_mm = np.einsum("nci,c->ni", drawn, [*point_px[0], 1.0])
    # Of 600 draws a variance is known to 6 %; 20 % is more than three of its standard deviations.
    expected = truth.point_covariances_mm2(point_px)[0]
    np.testing.assert_allclose(np.cov(points_mm, rowvar=False), expected, atol=0.2 * np.diag(expected).max())
    poses = [ImageToProbe(columns.T, covariance).T_probe_image.rotation_matrix for columns in drawn]
    turns = Rotation.from_matrix(poses @ truth.T_probe_image.rotation_matrix.T).as_rotvec()
    rigid = truth.rigid_covariance()[:3, :3]
    np.testing.assert_allclose(np.cov(turns, rowvar=False), rigid, atol=0.2 * np.diag(rigid).max())


@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("flip_y", [False, True])
def test_a_mirrored_image_is_found_where_the_probe_is_known(flip_x, flip_y):
    columns = columns_of(POSE, 0.08, 0.07)
    axes = ProbeAxes(marked=columns[:, 0] + 0.02, far=columns[:, 1] - 0.02)
    for column, flip in enumerate((flip_x, flip_y)):
        columns[:, column] *= -1.0 if flip else 1.0
    image_map = ImageToProbe(columns, np.zeros((9, 9)))
    wanted = ("left and right",) * flip_x + ("top and bottom",) * flip_y
    assert image_flips(image_map, axes) == wanted
    said = " ".join(said_orientation(image_map, axes))
    assert all(flip in said for flip in wanted)
    assert ("mirrored" in said) == bool(wanted)


def test_flips_that_nobody_can_know_are_not_judged():
    said = " ".join(said_orientation(ImageToProbe(columns_of(POSE, 0.08, 0.07), np.zeros((9, 9))), ProbeAxes()))
    assert "left and right or top and bottom was not judged" in said


def test_a_map_that_is_none_is_refused():
    columns = columns_of(POSE, 0.08, 0.07)
    columns[:, 1] = 1.001 * columns[:, 0]
    with pytest.raises(ProbeInputError, match="same direction"):
        ImageToProbe(columns, np.zeros((9, 9)))
    with pytest.raises(ProbeInputError, match="not symmetric"):
        ImageToProbe(columns_of(POSE, 0.08, 0.07), -np.eye(9))


def test_samples_in_disorder_are_refused():
    pose = Transform(np.eye(4), "phantom", "probe")
    points_px = np.zeros((2, 2))
    with pytest.raises(ProbeInputError, match="not finite"):
        ProbeSample(0, 0.0, np.full((2, 2), np.nan), pose)
    with pytest.raises(ProbeInputError, match="1 names for 2 points"):
        ProbeSample(0, 0.0, points_px, pose, ("a",))
    repeated = [ProbeSample(index, 0.5, points_px, pose) for index in (0, 1)]
    with pytest.raises(ProbeInputError, match="order of time"):
        check_samples(repeated, 2)
    mixed = [repeated[0], ProbeSample(1, 1.0, points_px, Transform(np.eye(4), "tracker", "probe"))]
    with pytest.raises(ProbeInputError, match="same two frames"):
        check_samples(mixed, 2)
    with pytest.raises(ProbeInputError, match="at least 3"):
        check_samples(mixed, 3)
