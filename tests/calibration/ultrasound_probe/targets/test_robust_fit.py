"""The fit by itself: derivatives, and the error that it expects of itself under errors of several kinds."""

import numpy as np
import pytest
from scipy.stats import chi2

from calibration.ultrasound_probe.targets.point_model import PointModel
from calibration.ultrasound_probe.targets.robust_fit import fit_robustly
from calibration.ultrasound_probe.targets.wall_model import WallModel
from tests.calibration.ultrasound_probe.targets.sweeps import METHODS, Noise, a_probe, sweep

SPACING_MM = np.array([0.1, 0.12])


def at_truth(method, truth, n, noise, rng):
    """The model of a sweep, and its true state."""
    pixels, poses, tips = sweep(method, truth, n, noise, rng)
    columns = truth.columns_mm.T.reshape(-1)
    if method == "wall":
        return WallModel(pixels, poses, 0.11), np.concatenate([columns, [0.0, 0.0, 1.0, 200.0]])
    nuisance = [] if method == "stylus" else [120.0, -40.0, 260.0]
    return PointModel(pixels, poses, tips, SPACING_MM), np.concatenate([columns, nuisance])


@pytest.mark.parametrize("method", METHODS)
def test_the_derivatives_are_those_of_differences(method):
    rng = np.random.default_rng(1)
    model, state = at_truth(method, a_probe(rng, skew_rad=0.1), 12, Noise(), rng)
    found = model.jacobian(state)
    for k in range(found.shape[2]):
        step = np.eye(found.shape[2])[k] * 1e-4
        differences = model.residuals_mm(model.moved(state, step)) - model.residuals_mm(model.moved(state, -step))
        np.testing.assert_allclose(found[..., k], differences / 2e-4, atol=1e-6)


@pytest.mark.parametrize("noise", [Noise(), Noise(memory=0.8), Noise(heavy=True)], ids=["white", "slow", "heavy"])
@pytest.mark.parametrize("method", METHODS)
def test_the_expected_error_is_that_of_the_truth(method, noise):
    """Mean squared error at the image's corners over its expected one; the benchmark counts the 95 % ellipsoids."""
    ratios = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = a_probe(rng)
        model, state = at_truth(method, truth, 60, noise, rng)
        fit = fit_robustly(model, state)
        rows = np.column_stack([truth.corners_px, np.ones(4)])
        covariance = fit.step_covariance[:9, :9] * np.outer(model.scale[:9], model.scale[:9])
        expected = np.einsum("na,nb,aibi->n", rows, rows, covariance.reshape(3, 3, 3, 3))
        errors = truth.corner_errors_mm(fit.state[:9].reshape(3, 3).T)
        ratios.append(np.mean(errors**2) / np.mean(expected))
    # About 6 independent errors a sweep, 60 in all: 99.9 % of their mean lie within; twice for noise with a memory.
    low, high = chi2.ppf([0.0005, 0.9995], 60) / 60
    wide = 2.0 if noise.memory else 1.2
    assert low / wide < np.mean(ratios) < high * wide
