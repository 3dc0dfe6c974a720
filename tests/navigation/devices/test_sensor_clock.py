"""The clock of a device on this machine's clock: offset, delay, drift and jumps, against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from navigation.devices.driver import StampClock, Stamps
from navigation.devices.sensor_clock import WINDOW_NS, SensorClock
from navigation.errors import DeviceError

MS = 1_000_000
S = 1000 * MS
OFFSET_NS = 7_300 * S  # the device was switched on two hours after this machine
SHORTEST_MS = 4.0


def errors_ms(delays_ms: np.ndarray, drift: float = 0.0, period_ms: float = 10.0) -> np.ndarray:
    """Estimated less true time of capture of each frame of a device, in ms; positive looks younger than it is."""
    clock = SensorClock(Stamps(StampClock.SENSOR, SHORTEST_MS))
    found = []
    for number, delay_ms in enumerate(delays_ms):
        true_ns = round(number * period_ms * MS)
        sensor_ns = round(true_ns * (1.0 + drift)) - OFFSET_NS
        found.append((clock.capture_ns(sensor_ns, true_ns + round(delay_ms * MS)) - true_ns) / MS)
    return np.array(found)


def test_delays_do_not_hide_the_age_of_a_frame() -> None:
    rng = np.random.default_rng(3)
    delays_ms = SHORTEST_MS + rng.exponential(20.0, 500)
    delays_ms[0] = SHORTEST_MS
    np.testing.assert_allclose(errors_ms(delays_ms), 0.0, atol=1e-3)


def test_until_a_frame_came_the_shortest_way_all_look_younger_by_what_is_missing_and_none_more() -> None:
    delays_ms = SHORTEST_MS + np.array([50.0, 30.0, 30.0, 0.0, 80.0])
    np.testing.assert_allclose(errors_ms(delays_ms), [50.0, 30.0, 30.0, 0.0, 0.0], atol=1e-3)


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
def test_clocks_that_drift_apart_stay_within_a_millisecond(drift: float) -> None:
    """100 parts in a million over a window of 10 s are 1 ms, and after a minute no more than that."""
    rng = np.random.default_rng(4)
    delays_ms = SHORTEST_MS + rng.choice([0.0, 0.0, 15.0], 6000)
    errors = errors_ms(delays_ms, drift)[100:]
    assert np.abs(errors).max() < WINDOW_NS / MS * 1.05e-4


def test_a_clock_set_forward_is_learned_at_once_and_makes_nothing_look_old_or_young() -> None:
    clock = SensorClock(Stamps(StampClock.SENSOR))
    assert clock.capture_ns(0, 10 * S) == 10 * S
    assert clock.capture_ns(3600 * S, 10 * S + 10 * MS) == 10 * S + 10 * MS


def test_a_clock_set_back_makes_frames_old_and_never_young_until_the_window_has_passed() -> None:
    clock, back_ns, period_ns = SensorClock(Stamps(StampClock.SENSOR)), 50 * MS, 10 * MS
    clock.capture_ns(0, S)
    ages_ns = [
        (S + number * period_ns) - clock.capture_ns(number * period_ns - back_ns, S + number * period_ns)
        for number in range(1, 1500)
    ]
    assert ages_ns[0] == back_ns
    assert min(ages_ns) == 0
    assert ages_ns.index(0) * period_ns == pytest.approx(WINDOW_NS, rel=0.06)


@pytest.mark.parametrize("mean_ms", [0.5, 5.0, 20.0])
def test_what_is_not_known_of_the_offset_is_within_the_bound_and_no_more_than_it_takes(mean_ms: float) -> None:
    """After 15 to 300 frames of exponential delays, 400 times: beyond the bound once in 20 times or less."""
    rng = np.random.default_rng(5)
    beyond, widest_ms = 0, 0.0
    for _ in range(400):
        clock, frames = SensorClock(Stamps(StampClock.SENSOR, SHORTEST_MS)), int(rng.integers(15, 300))
        for number in range(frames):
            delay_ns = round((SHORTEST_MS + rng.exponential(mean_ms)) * MS)
            captured_ns = clock.capture_ns(number * 10 * MS - OFFSET_NS, number * 10 * MS + delay_ns)
        error_ns = captured_ns - (frames - 1) * 10 * MS
        assert error_ns >= 0, "younger than it is, never older"
        beyond += error_ns > clock.bound_ns
        widest_ms = max(widest_ms, (clock.bound_ns - 0.4 * MS) / MS)
    assert 1 <= beyond <= 28 or mean_ms < 1.0
    assert widest_ms < 3.0 * mean_ms / 10.0, "less than a third of the mean delay, and what the clocks may drift"


def test_until_ten_frames_came_and_after_a_clock_was_set_forward_the_bound_is_that_of_what_is_stale() -> None:
    clock = SensorClock(Stamps(StampClock.SENSOR))
    bounds_ms = []
    for number in range(24):
        set_ns = 3600 * S if number >= 12 else 0
        clock.capture_ns(number * 10 * MS + set_ns, number * 10 * MS + S)
        bounds_ms.append(clock.bound_ns / MS)
    assert bounds_ms[:9] == bounds_ms[12:21] == [100.0] * 9
    assert max(bounds_ms[9:12] + bounds_ms[21:]) < 0.1
    assert SensorClock(Stamps(StampClock.ARRIVAL, 45.0)).bound_ns == 0
    assert SensorClock(Stamps(None)).bound_ns == 0


def test_frames_without_a_time_are_as_old_as_their_way_here_takes() -> None:
    clock = SensorClock(Stamps(StampClock.ARRIVAL, 45.0))
    assert clock.capture_ns(None, S) == S - 45 * MS
    assert clock.capture_ns(123, S) == S - 45 * MS, "a stamp that the room file does not trust"
    assert SensorClock(Stamps(None)).capture_ns(None, S) == S


def test_a_device_that_should_stamp_its_frames_and_does_not_is_told() -> None:
    with pytest.raises(DeviceError, match=r"clock = 'sensor'.*clock = 'arrival'"):
        SensorClock(Stamps(StampClock.SENSOR)).capture_ns(None, S)
