"""How the refinement ends on a faceted surface with points that lie off it, and whose errors last."""

from __future__ import annotations

import numpy as np
import pytest

from registration import refine_on_surface
from registration.surface.refine import SurfaceFitSettings, SurfaceRegistration
from registration.uncertainty.expected_error import expected_tre, target_errors_mm
from tests.registration.shapes import T_TRUE, displaced, organ, sample

UP = np.array([0.0, 0.0, 1.0])
COARSE = organ(4)  # facets of some 6 mm, as of a simplified skin
TARGETS_MM = COARSE.vertices_mm.mean(axis=0) + np.array([[0, 0, 0], [40, 20, 10], [-50, 10, -20], [10, -40, -30]])
PRESSED = SurfaceFitSettings(offset_sd_mm=1.0)
UNTIL_NOTHING_MOVES = SurfaceFitSettings(offset_sd_mm=1.0, settled_sd=0.0)
# Among 400 sweeps, four of those whose steps go round: by 0.005, 0.002, 0.035 and 0.018 mm.
GOING_ROUND = (26, 69, 99, 383)


def pressed_sweep(seed: int) -> tuple[np.ndarray, np.random.Generator]:
    """A stylus drawn in rows over one side, 0.3 mm into the skin; its error of 0.4 mm lasts for some ten points."""
    rng = np.random.default_rng(seed)
    places = sample(COARSE, 250, rng, UP)
    places = places[np.lexsort((places[:, 0], places[:, 1] // 12.0))]
    error = np.zeros_like(places)
    for i in range(len(error)):
        error[i] = 0.9 * error[i - 1] + np.sqrt(1.0 - 0.9**2) * 0.4 * rng.normal(size=3)
    return T_TRUE.apply(places + error - 0.3 * UP), rng


def registered(seed: int, settings: SurfaceFitSettings) -> SurfaceRegistration:
    points, rng = pressed_sweep(seed)
    return refine_on_surface(points, COARSE, displaced(T_TRUE, COARSE, 0.02, 2.0, rng), settings=settings)


@pytest.mark.parametrize("seed", GOING_ROUND)
def test_steps_that_go_round_a_kink_end_where_they_would_go_on_for_ever(seed: int) -> None:
    without_end = registered(seed, UNTIL_NOTHING_MOVES)
    assert not without_end.converged
    ended = registered(seed, PRESSED)
    assert ended.converged, ended.reason
    assert ended.iterations < 15
    apart_mm = target_errors_mm(ended.T_reference_ct, without_end.T_reference_ct, TARGETS_MM)
    expected = expected_tre(ended.T_reference_ct, ended.uncertainty, TARGETS_MM)
    assert (apart_mm < PRESSED.settled_sd * expected.rms_mm).all()
    assert (target_errors_mm(ended.T_reference_ct, T_TRUE, TARGETS_MM) < expected.p95_mm).all()


@pytest.mark.parametrize("seed", GOING_ROUND)
def test_what_goes_round_farther_than_its_own_doubt_allows_is_still_moving(seed: int) -> None:
    strict = SurfaceFitSettings(offset_sd_mm=1.0, settled_sd=1e-4)
    result = registered(seed, strict)
    assert not result.converged
    assert result.iterations == strict.maximum_iterations
    assert "standard deviations" in result.reason


def test_sweeps_with_errors_that_last_all_end() -> None:
    for seed in range(100, 140):
        result = registered(seed, PRESSED)
        assert result.converged, (seed, result.reason)
        assert result.iterations < 30
