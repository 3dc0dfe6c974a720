"""The surface's error as its residuals show it: found where it contradicts what was stated, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from registration import expected_tre, refine_on_surface
from registration.distance.distance_grid import DistanceGrid
from registration.surface.refine import SurfaceFitSettings, SurfaceRegistration
from tests.registration.shapes import T_TRUE, organ, sample

ORGAN = organ(4)
FIELD = DistanceGrid.from_surface(ORGAN)
UP = np.array([0.0, 0.0, 1.0])
SETTINGS = SurfaceFitSettings()
MARKS = ORGAN.vertices_mm[np.argmax(ORGAN.vertices_mm @ np.random.default_rng(9).normal(size=(3, 6)), axis=0)]
TARGET = ORGAN.vertices_mm.mean(axis=0)[None]


def swept(length_mm: float, sd_mm: float, seed: int) -> SurfaceRegistration:
    """With an error of the surface of this size and length of correlation."""
    rng = np.random.default_rng(seed)
    points = sample(ORGAN, 600, rng, UP)
    waves = 300
    frequency = rng.normal(size=(waves, 3)) / (length_mm / np.sqrt(2.0 * np.pi))
    off = np.sqrt(2.0 / waves) * np.cos(points @ frequency.T + rng.uniform(0.0, 2.0 * np.pi, waves)).sum(axis=1)
    normals = FIELD.distance(points).gradient
    points = points + (sd_mm * off + rng.normal(scale=SETTINGS.point_noise_mm, size=600))[:, None] * normals
    touched = T_TRUE.apply(MARKS) + rng.normal(scale=0.7 / np.sqrt(3.0), size=MARKS.shape)
    return refine_on_surface(T_TRUE.apply(points), FIELD, T_TRUE, (MARKS, touched), SETTINGS)


def test_what_was_stated_is_left_alone() -> None:
    found = [swept(SETTINGS.correlation_length_mm, SETTINGS.model_error_mm, seed).residual_field for seed in range(20)]
    # One in twenty by chance, at a significance of 5 %.
    assert sum(field is not None for field in found) <= 3


def test_no_error_at_all_is_no_contradiction() -> None:
    assert [swept(60.0, 0.0, seed).residual_field for seed in range(4)] == [None] * 4


@pytest.mark.parametrize(("length_mm", "sd_mm"), [(40.0, 1.0), (80.0, 1.0)])
def test_an_error_that_hangs_together_over_more_is_found_and_expected(length_mm: float, sd_mm: float) -> None:
    made = [swept(length_mm, sd_mm, seed) for seed in range(12)]
    fields = [one.residual_field for one in made]
    assert sum(field is not None for field in fields) >= 11
    lengths = [field.correlation_length_mm for field in fields if field is not None]
    # The lengths tried are 1.6 apart.
    assert 0.5 < np.median(lengths) / length_mm < 1.7
    expected = [expected_tre(one.T_reference_ct, one.uncertainty, TARGET) for one in made]
    errors = [np.linalg.norm(one.T_reference_ct.apply(TARGET) - T_TRUE.apply(TARGET)) for one in made]
    assert all(error < 1.5 * tre.p95_mm[0] for error, tre in zip(errors, expected, strict=True))
    plain = swept(SETTINGS.correlation_length_mm, SETTINGS.model_error_mm, 0)
    stated = expected_tre(plain.T_reference_ct, plain.uncertainty, TARGET).p95_mm[0]
    assert np.median([tre.p95_mm[0] for tre in expected]) > 1.2 * stated
