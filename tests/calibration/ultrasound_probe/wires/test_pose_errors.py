"""Whether an N-wire calibration's covariance knows how long the tracker's errors last: the truth is drawn beside it."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ultrasound_probe.wires.n_wire import calibrate_n_wires
from calibration.ultrasound_probe.wires.pose_errors import ImageSums, covariance_of, pose_directions
from tests.calibration.ultrasound_probe.wires.sweeps import (
    SIZE_PX,
    T_REFERENCE_PHANTOM,
    TRUE_COLUMNS_MM,
    Noise,
    fcal_phantom,
    sweep,
)

MIDDLE_PX = np.array([[409.5, 307.5]])


def steps(rng: np.random.Generator, count: int, lasting: int) -> np.ndarray:
    """Errors ``(count, 6)`` of variance 1 that stay for `lasting` images and then change at once."""
    return np.repeat(rng.normal(size=(count // lasting + 1, 6)), lasting, axis=0)[:count]


def drawn(rng: np.random.Generator, lasting: int, count: int = 240) -> tuple[ImageSums, np.ndarray]:
    """What images say of six unknowns that poses' errors of 0.2 and pixels' of 0.1 disturb; and the fit's error."""
    turn = np.linspace(0.0, 25.0, count)
    by_unknowns = rng.normal(size=(count, 12, 6)) * (1.0 + 0.8 * np.sin(turn))[:, None, None]
    residuals = np.einsum("mrk,mk->mr", by_unknowns, 0.2 * steps(rng, count, lasting))
    residuals += 0.1 * rng.normal(size=residuals.shape)
    rows = by_unknowns.reshape(-1, 6)
    inverse = np.linalg.inv(rows.T @ rows)
    error = inverse @ rows.T @ residuals.reshape(-1)
    residuals = residuals - by_unknowns @ error
    products = np.einsum("mrj,mrk->mjk", by_unknowns, by_unknowns)
    pulls = np.einsum("mrk,mr->mk", by_unknowns, residuals)
    return ImageSums(inverse, products, products, pulls, np.sum(residuals**2, axis=1), residuals.size), error


@pytest.mark.parametrize("lasting", [1, 8])
def test_the_covariance_follows_how_long_errors_last(lasting: int) -> None:
    rng = np.random.default_rng(lasting)
    found = [drawn(rng, lasting) for _ in range(60)]
    squared = [error @ np.linalg.solve(covariance_of(sums), error) / 6.0 for sums, error in found]
    # 360 normalised errors know their variance to 7 % where it is known, and less where 30 errors set its size.
    assert 0.6 < np.mean(squared) < 1.25


def test_errors_of_the_pixels_alone_give_little_more_than_least_squares() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(300, 12, 6))
    inverse = np.linalg.inv(np.einsum("mrj,mrk->jk", rows, rows))
    residuals = 0.1 * rng.normal(size=(300, 12))
    products, pulls = np.einsum("mrj,mrk->mjk", rows, rows), np.einsum("mrk,mr->mk", rows, residuals)
    sums = ImageSums(inverse, products, products, pulls, np.sum(residuals**2, axis=1), residuals.size)
    ratio = np.diag(covariance_of(sums)) / (0.01 * np.diag(inverse))
    # Expectation and maximisation nears "no error of the poses" slowly, from above.
    assert ratio.min() > 0.95
    assert ratio.max() < 1.5


def test_a_pose_error_is_a_small_rigid_motion_of_the_map() -> None:
    directions = pose_directions(TRUE_COLUMNS_MM, 9)
    for axis in range(3):
        moved = np.cross(np.eye(3)[axis], TRUE_COLUMNS_MM.T) / 40.0
        np.testing.assert_allclose(directions[:, axis], moved.reshape(-1), atol=1e-15)
        np.testing.assert_allclose(directions[:, 3 + axis], np.r_[np.zeros(6), np.eye(3)[axis]])


def test_a_tracker_whose_errors_last_is_believed_less() -> None:
    normalised = []
    for seed in range(25):
        samples, _ = sweep(
            np.random.default_rng(seed), 200, Noise(pixel_px=1.5, pose_mm=0.2, pose_rad=0.002, correlation=0.9)
        )
        found = calibrate_n_wires(samples, fcal_phantom(), T_REFERENCE_PHANTOM, SIZE_PX).calibration.image_map
        error = (found.to_probe_mm(MIDDLE_PX) - MIDDLE_PX @ TRUE_COLUMNS_MM[:, :2].T - TRUE_COLUMNS_MM[:, 2])[0]
        normalised.append(error @ np.linalg.solve(found.point_covariances_mm2(MIDDLE_PX)[0], error))
    # Of 25 ellipsoids of 95 % all but four and more hold the truth; with errors that change at once, a third would.
    assert np.mean(np.array(normalised) < 7.815) >= 0.84
