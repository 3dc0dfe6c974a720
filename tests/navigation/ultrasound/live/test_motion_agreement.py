"""What shifts of an image say of its calibration, on drawn motions whose faults are put in by hand."""

from __future__ import annotations

import numpy as np
import pytest

from navigation.ultrasound.live.motion_agreement import LAGS_NS, Agreement

N = 250
STEP_S = 0.04


def walk(seed: int, slow: int) -> np.ndarray:
    """Velocities ``(n, 2)`` that change within `slow` steps, by averaging noise: no sine, so that no lag repeats it."""
    drawn = np.random.default_rng(seed).normal(size=(N + 40, 2))
    return np.stack([np.convolve(drawn[:, k], np.ones(slow) / slow**0.5, "same") for k in range(2)], axis=1)


def shifts(seed: int, slow: int, off_steps: int = 0, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Measured ``(n, 2)``, later than the calibrated lag by `off_steps` of 40 ms; predicted for each lag."""
    moved, rng = 4.0 * walk(seed, slow), np.random.default_rng(seed + 1_000)
    predicted = np.stack([moved[20 + k : 20 + k + N] for k in range(-6, 7)], axis=1)
    measured = moved[20 - off_steps : 20 - off_steps + N]
    return measured + rng.normal(0.0, noise, measured.shape), predicted + rng.normal(0.0, noise, predicted.shape)


@pytest.mark.parametrize("slow", [6, 10, 20])
def test_motion_that_agrees_has_no_fault(slow: int) -> None:
    for seed in range(40):
        found = Agreement.of(*shifts(seed, slow), least_px=1.0)
        assert found.faults == {}, seed
        assert found.words.startswith("moves with the probe sideways and in depth")
    assert len(LAGS_NS) == 13


@pytest.mark.parametrize(("axis", "side"), [(0, "left and right"), (1, "top and bottom")])
def test_an_axis_that_moves_along_with_the_probe_is_exchanged(axis: int, side: str) -> None:
    for seed in range(20):
        measured, predicted = shifts(seed, 8)
        measured[:, axis] *= -1.0
        found = Agreement.of(measured, predicted, 1.0)
        assert set(found.faults) == {side}
        assert side not in found.settled


@pytest.mark.parametrize("off_steps", [-3, -2, 2, 3])
def test_a_lag_that_is_off_is_found(off_steps: int) -> None:
    late = "later" if off_steps > 0 else "earlier"
    for seed in range(20):
        found = Agreement.of(*shifts(seed, 8, off_steps), least_px=1.0)
        assert found.off_ns == pytest.approx(-40e6 * off_steps, abs=15e6)
        assert f"ms {late} than the calibrated lag says" in found.faults["lag"]


def test_of_a_steady_motion_the_lag_is_not_said_to_be_right() -> None:
    measured = np.tile([5.0, -3.0], (N, 1)) + np.random.default_rng(1).normal(0.0, 0.3, (N, 2))
    predicted = np.tile([5.0, -3.0], (N, 13, 1)).reshape(N, 13, 2)
    found = Agreement.of(measured, predicted, 1.0)
    assert found.faults == {}
    assert "lag" not in found.settled
    assert "too steadily to tell the lag" in found.words


@pytest.mark.parametrize("scale", [0.7, 0.8, 1.25, 1.6])
def test_another_depth_moves_farther_or_less_far(scale: float) -> None:
    measured, predicted = shifts(3, 8)
    found = Agreement.of(scale * measured, predicted, 1.0)
    assert set(found.faults) == {"scale"}
    assert found.scale == pytest.approx(scale, rel=0.05)


def test_nothing_is_said_without_motion_or_without_agreement() -> None:
    measured, predicted = shifts(3, 8)
    for found in (
        Agreement.of(0.05 * measured, 0.05 * predicted, 1.0),
        Agreement.of(shifts(4, 8)[0], predicted, 1.0),
    ):
        assert not found.clear.any()
        assert (found.faults, found.settled) == ({}, frozenset())
