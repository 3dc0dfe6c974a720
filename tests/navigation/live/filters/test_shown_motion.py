"""A moving tip by hand: as last seen it is behind by speed times delay, predicted not; at rest it does not count."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.live.bench_motion import run
from geometry import Transform
from navigation.live.filters.shown_motion import DISPLAY_NS, shown_motion
from tests.navigation.live.harness import MS


def place(time_ns: int) -> np.ndarray:
    """100 mm/s along x, from 1 s on."""
    return np.array([max(0.0, time_ns / 1e9 - 1.0) * 100.0, 0.0, 0.0])


def poses(first_ms: int, last_ms: int, delay_ms: int = 10):
    for ms in range(first_ms, last_ms, 10):
        matrix = np.eye(4)
        matrix[:3, 3] = place(ms * MS)
        yield ms * MS, (ms + delay_ms) * MS, Transform(matrix, "reference", "stylus_tip")


def test_at_constant_speed() -> None:
    found = shown_motion(poses(1500, 3000), place)
    delay_s = 0.01 + DISPLAY_NS / 1e9
    assert found.delay_ms == pytest.approx(1000.0 * delay_s)
    assert found.speed_mm_s == pytest.approx(100.0)
    assert found.last_seen_rms_mm == pytest.approx(100.0 * delay_s)
    assert found.predicted_rms_mm < 0.3 * found.last_seen_rms_mm, "also while the filter learns the speed"


def test_a_tip_that_rests_or_is_hidden_does_not_count() -> None:
    assert shown_motion(poses(0, 500), place) is None
    assert shown_motion(poses(1500, 3000), lambda ns: None) is None


def test_a_hand_at_100_mm_s_is_shown_at_less_than_half_the_error_with_prediction() -> None:
    """As in the benchmark: the simulated tracker, delays that vary, a hand that starts and stops."""
    errors, delays, speeds = run(seconds=12.0, rate_hz=100.0)
    assert speeds[speeds > 10.0].mean() > 80.0
    assert delays.mean() > 30.0
    moving = speeds > 10.0
    rms = {name: float(np.sqrt(np.nanmean(found[moving] ** 2))) for name, found in errors.items()}
    assert rms["constant velocity"] < 0.5 * rms["as last seen"]
    assert rms["finite difference"] < 0.5 * rms["as last seen"], "what the Unity client does"
