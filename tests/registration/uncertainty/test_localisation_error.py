"""What is stated about landmarks' localisation errors: by hand, turned into reference, and refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from geometry import Transform
from registration.errors import InvalidCovarianceError, LandmarksRefusedError
from registration.uncertainty.localisation_error import LocalisationError
from tests.geometry.strategies import transforms

QUARTER_TURN = Transform([[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]], "reference", "ct")


def test_isotropic_is_a_third_of_the_square_along_each_axis() -> None:
    error = LocalisationError.isotropic([0.6, 1.2], 2)
    np.testing.assert_allclose(error.covariance(QUARTER_TURN), np.array([0.12, 0.48])[:, None, None] * np.eye(3))
    np.testing.assert_allclose(error.information(QUARTER_TURN)[1], np.eye(3) / 0.48)
    assert len(error) == 2


def test_the_ct_side_turns_with_the_pose_by_hand() -> None:
    # A slice thickness along ct's x is an error along reference's y after a quarter turn about z.
    error = LocalisationError.from_covariances(np.diag([4.0, 1.0, 1.0]), np.diag([0.1, 0.2, 0.3]), 3)
    np.testing.assert_allclose(error.covariance(QUARTER_TURN)[2], np.diag([1.1, 4.2, 1.3]), atol=1e-12)
    np.testing.assert_allclose(error.information(QUARTER_TURN)[0], np.diag([1 / 1.1, 1 / 4.2, 1 / 1.3]), atol=1e-12)


@given(transforms("reference", "ct"))
def test_an_isotropic_error_does_not_care_where_it_was_made(T_reference_ct: Transform) -> None:
    in_ct = LocalisationError.from_covariances(np.eye(3), None, 4)
    in_reference = LocalisationError.from_covariances(None, np.eye(3), 4)
    a, b = (error.information(T_reference_ct) for error in (in_ct, in_reference))
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_subset_keeps_each_landmarks_own() -> None:
    error = LocalisationError.isotropic([1.0, 2.0, 3.0], 3)
    for chosen in ([0, 2], np.array([True, False, True])):
        expected = LocalisationError.isotropic([1.0, 3.0], 2).covariance_reference_mm2
        np.testing.assert_array_equal(error.subset(chosen).covariance_reference_mm2, expected)


def test_exact_on_one_side_along_some_axes_is_fine_as_long_as_the_other_is_not() -> None:
    flat = np.diag([1.0, 1.0, 0.0])
    assert np.isfinite(LocalisationError.from_covariances(flat, np.eye(3), 1).information(QUARTER_TURN)).all()
    with pytest.raises(InvalidCovarianceError, match="landmark 1 that vanishes along an axis"):
        LocalisationError.from_covariances(flat, flat, 1)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.diag([1.0, 1.0, -1.0]), "landmark 1 in reference with a negative variance"),
        (np.eye(3) + np.triu(np.ones((3, 3)), 1), "landmark 1 in reference with a negative variance or without"),
        (np.full((3, 3), np.nan), "not finite"),
        ("soft", "not finite"),
        (np.eye(2), r"shape \(2, 2\)"),
        (np.stack([np.eye(3)] * 2), r"shape \(2, 3, 3\).*3 landmarks"),
        (np.zeros((3, 3)), "landmark 1 that vanishes"),
        (np.diag([1.0, 1.0, 1e-11]), "landmark 1 that vanishes"),
    ],
)
def test_what_is_no_covariance_is_refused(covariance: object, message: str) -> None:
    with pytest.raises(InvalidCovarianceError, match=message):
        LocalisationError.from_covariances(None, covariance, 3)  # type: ignore[arg-type]


def test_the_wrong_landmark_is_named_and_counts_must_meet() -> None:
    matrices = np.stack([np.eye(3)] * 3)
    with pytest.raises(InvalidCovarianceError, match="3 landmarks in ct and 2 in reference"):
        LocalisationError(matrices, matrices[:2])
    matrices[1, 0, 0] = -1.0
    with pytest.raises(InvalidCovarianceError, match="landmark 2 in ct"):
        LocalisationError(matrices, np.stack([np.eye(3)] * 3))


@pytest.mark.parametrize("fle", [0.0, -1.0, np.nan, [1.0, 2.0], "a"])
def test_a_length_that_is_none_is_refused(fle: object) -> None:
    with pytest.raises(LandmarksRefusedError, match="localisation error"):
        LocalisationError.isotropic(fle, 3)  # type: ignore[arg-type]


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        LocalisationError.isotropic(1.0, 2).covariance_reference_mm2[0] = 0.0
