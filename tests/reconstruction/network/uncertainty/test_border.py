"""Border errors: a border of known sharpness, spread and offset, and distances drawn from a known model."""

import numpy as np
import pytest
from scipy.special import ndtr

from geometry.volume import Volume
from reconstruction.network.uncertainty.border import (
    LONGEST_MM,
    border_lengths_mm,
    expected_error_mm,
    fit_border,
)

SPACING_MM = 1.5


def edge(place_mm: float, sigma_mm: float) -> np.ndarray:
    x = np.arange(60) * SPACING_MM
    return np.broadcast_to(ndtr((x - place_mm) / sigma_mm), (6, 6, 60)).astype(np.float32)


def test_the_lengths_of_a_known_border() -> None:
    sigma, spread = 4.0, 1.0
    passes = [edge(40.0 + away, sigma) for away in (-spread, spread)]
    mean = np.mean(passes, axis=0, dtype=np.float32)
    field = Volume(mean, np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0]))
    on, beside, nowhere = border_lengths_mm(
        np.array([[40.0, 4.0, 4.0], [42.0, 4.0, 4.0], [80.0, 4.0, 4.0]]), field, np.var(passes, axis=0)
    )
    # The two passes' mean is a little wider than one of them.
    np.testing.assert_allclose(on, (np.hypot(sigma, spread), spread, 0.0), rtol=0.06, atol=0.06)
    assert beside[2] == pytest.approx(2.0, rel=0.15)  # the slope there is less than at the border
    assert nowhere.max() == LONGEST_MM


def test_a_known_model_of_errors_is_found_again() -> None:
    rng = np.random.default_rng(2)
    lengths = rng.gamma(2.0, 1.5, (20_000, 3))
    truth = (0.5, 0.8, 0.3, 0.6)
    distances = np.abs(rng.laplace(0.0, expected_error_mm(lengths, truth) / np.sqrt(2.0)))
    found = fit_border(lengths, distances)
    np.testing.assert_allclose(found, truth, atol=0.15)
    within = distances <= 2.0 * expected_error_mm(lengths, found)
    assert within.mean() == pytest.approx(1.0 - np.exp(-2.0 * np.sqrt(2.0)), abs=0.01)
