"""Late links and clocks that are set, over breaks and new processes: no frame may ever look younger than it is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.devices.driver import StampClock, Stamps
from navigation.devices.kept_clock import KeptClock
from navigation.devices.sensor_clock import SLEW, TOLERANCE_NS, SensorClock

MS = 1_000_000
S = 1000 * MS
PERIOD_NS = 10 * MS
WAY_NS = 2 * MS


@dataclass
class Device:
    """A device of 100 Hz behind a link that keeps the order; what is late stays behind what was sent before it."""

    set_ns: int = -7_300 * S
    late_ns: int = 0
    now_ns: int = 100 * S
    arrived_ns: int = 0
    kept: KeptClock = field(default_factory=KeptClock)

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        self.clock = SensorClock(Stamps(StampClock.SENSOR, WAY_NS / MS, kept=self.kept))
        self.arrived_ns = 0

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)

    def younger_ns(self, frames: int) -> Iterator[int]:
        """By how much each frame looks younger than it is; below 0 it looks older."""
        for _ in range(frames):
            self.now_ns += PERIOD_NS
            self.arrived_ns = max(self.arrived_ns, self.now_ns + WAY_NS + self.late_ns)
            yield self.clock.capture_ns(self.now_ns + self.set_ns, self.arrived_ns) - self.now_ns


def test_a_link_that_is_late_when_the_connection_is_made_anew_is_still_late() -> None:
    device = Device()
    assert max(device.younger_ns(100)) == 0
    device.wait(0.5)
    device.late_ns = 300 * MS
    device.connect()
    assert set(device.younger_ns(200)) == {0}


def test_a_link_that_was_late_before_a_break_is_taken_for_late_after_it_if_the_clock_is_another() -> None:
    device = Device()
    list(device.younger_ns(100))
    device.late_ns = 300 * MS
    list(device.younger_ns(50))
    device.wait(0.5)
    device.set_ns = 5 * S  # the device was started anew
    device.connect()
    assert set(device.younger_ns(200)) == {0}


def test_how_long_the_network_took_to_connect_tells_how_late_frames_of_another_clock_may_be() -> None:
    device = Device()
    list(device.younger_ns(100))
    device.wait(0.5)
    device.late_ns, device.set_ns = 300 * MS, 5 * S
    stamps = Stamps(StampClock.SENSOR, WAY_NS / MS, kept=device.kept)
    device.clock = SensorClock(stamps, round_trip_ns=310 * MS, opened_ns=device.now_ns)
    assert set(device.younger_ns(200)) == {-10 * MS}


def test_of_a_link_that_is_late_since_a_pause_it_is_not_known_how_late_it_is() -> None:
    """Late by 0.3 s, and the clock was set forward by 0.22 s in the same pause: frames look 80 ms old."""
    device = Device()
    list(device.younger_ns(100))
    assert device.clock.bound_ns < MS
    device.wait(1.0)
    device.late_ns, device.set_ns = 300 * MS, device.set_ns + 220 * MS
    for younger_ns in device.younger_ns(900):
        assert younger_ns == 220 * MS
        assert device.clock.bound_ns == 100 * MS


def test_what_a_process_learned_is_known_to_the_next() -> None:
    kept = KeptClock.share(multiprocessing.get_context("spawn"))
    device = Device(kept=kept)
    list(device.younger_ns(100))
    device.late_ns = 300 * MS
    list(device.younger_ns(20))
    assert kept.is_known
    assert kept.late_ns == 300 * MS
    device.kept = KeptClock(kept._shared)  # as it arrives in another process
    device.connect()
    assert set(device.younger_ns(200)) == {0}


@pytest.mark.parametrize("ahead_ms", [30, 90, 200, 299, 300, 301, 4000])
def test_a_clock_that_is_set_while_the_link_is_late_hides_no_age(ahead_ms: int) -> None:
    device = Device()
    list(device.younger_ns(100))
    device.late_ns = 300 * MS
    assert set(device.younger_ns(50)) == {0}
    device.set_ns += ahead_ms * MS
    assert set(device.younger_ns(200)) == {0}
    device.late_ns = 0
    assert set(device.younger_ns(200)) == {0}, "and in time again at once"


@pytest.mark.parametrize("back_ms", [150, 5000])
def test_of_a_clock_that_is_set_back_the_first_frame_looks_too_old_and_the_rest_are_right(back_ms: int) -> None:
    device = Device()
    list(device.younger_ns(100))
    device.late_ns = 300 * MS
    list(device.younger_ns(50))
    device.set_ns -= back_ms * MS
    assert next(device.younger_ns(1)) == -back_ms * MS
    assert set(device.younger_ns(200)) == {0}


def test_an_old_frame_that_comes_again_is_as_old_as_it_is_and_so_are_those_after_it() -> None:
    device = Device()
    list(device.younger_ns(100))
    old_ns = device.now_ns - S // 2
    assert device.clock.capture_ns(old_ns + device.set_ns, device.now_ns + WAY_NS + MS) == old_ns
    assert set(device.younger_ns(200)) == {0}


def test_a_link_that_stays_late_is_never_taken_for_the_usual() -> None:
    device = Device()
    list(device.younger_ns(100))
    device.late_ns = 300 * MS
    assert set(device.younger_ns(6000)) == {0}


def test_a_clock_that_is_corrected_in_small_steps_is_followed() -> None:
    device = Device()
    list(device.younger_ns(1100))
    for _ in range(10):
        device.set_ns -= 5 * MS
        younger_ns = list(device.younger_ns(1200))
        assert max(younger_ns) <= 0
        assert younger_ns[-1] == 0


def test_what_was_held_up_and_dropped_by_the_sender_is_in_time_again_at_once() -> None:
    """A pause, a crowd of what was in the pipe, then the newest: stamps leave the rhythm, and no clock was set."""
    device = Device()
    list(device.younger_ns(100))
    device.arrived_ns = device.now_ns + 2 * S
    assert set(device.younger_ns(50)) == {0}
    device.now_ns = device.arrived_ns
    assert set(device.younger_ns(100)) == {0}


def test_where_a_pause_hides_what_happened_frames_look_older_until_the_window_has_passed() -> None:
    device = Device()
    list(device.younger_ns(100))
    device.late_ns = 300 * MS
    list(device.younger_ns(50))
    device.wait(1.0)
    device.late_ns = 100 * MS  # or its clock was set by 0.2 s: nobody can tell
    younger_ns = np.array(list(device.younger_ns(1200)))
    assert set(younger_ns[:1000].tolist()) == {-200 * MS}


def test_tools_of_one_device_that_come_with_different_delays_are_no_clock_that_is_set() -> None:
    clock, offset_ns = SensorClock(Stamps(StampClock.SENSOR)), 5 * S
    for number in range(300):
        now_ns = S + number * PERIOD_NS
        assert clock.capture_ns(now_ns - offset_ns, now_ns, "fast") == now_ns
        assert clock.capture_ns(now_ns - 60 * MS - offset_ns, now_ns, "slow") == now_ns - 60 * MS


def test_frames_that_a_busy_reader_left_out_are_no_clock_that_is_set() -> None:
    clock = SensorClock(Stamps(StampClock.SENSOR))
    for number in range(50):
        assert clock.capture_ns(number * PERIOD_NS, S + number * PERIOD_NS) == S + number * PERIOD_NS
    stalled_ns = 50 * PERIOD_NS
    late_ns = S + stalled_ns + 500 * MS
    assert clock.capture_ns(stalled_ns, late_ns) == S + stalled_ns
    crowd_ns = stalled_ns + 40 * PERIOD_NS
    assert clock.capture_ns(crowd_ns, late_ns + MS, overtaken=39) == S + crowd_ns, "100 ms are still missing"


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["late", "in time", "set", "break", "kill", "silent"]),
        st.integers(-5000, 5000),
        st.integers(30, 400),
    ),
    max_size=12,
)


@given(EVENTS)
def test_no_frame_ever_looks_younger_than_it_is(events: list[tuple[str, int, int]]) -> None:
    """Late links, breaks, silences, and clocks that are set while frames come, in any order."""
    device = Device()
    list(device.younger_ns(100))
    begun_ns = device.now_ns
    for what, number, frames in events:
        if what == "late":
            device.late_ns = abs(number) * MS // 10
        elif what == "in time":
            device.late_ns = 0
        elif what == "set":
            device.set_ns += number * MS
        elif what == "silent":
            device.wait(abs(number) / 1000.0)
        else:
            device.wait(0.5 if what == "break" else 0.02)
            device.connect()
        for younger_ns in device.younger_ns(frames):
            assert younger_ns <= TOLERANCE_NS + SLEW * (device.now_ns - begun_ns)


@pytest.mark.parametrize(
    ("mean_ms", "share", "may_be_unknown"), [(5.0, 0.05, 0.01), (20.0, 0.1, 0.03), (60.0, 0.3, 0.2)]
)
def test_busy_machines_at_both_ends_are_no_clock_that_is_set(
    mean_ms: float, share: float, may_be_unknown: float
) -> None:
    """Frames stamped late, held up and crowding, by turns with quiet ones: ages are right, and nearly all are known."""
    rng = np.random.default_rng(1)
    clock, now_ns, arrived_ns, unknown, possible = SensorClock(Stamps(StampClock.SENSOR, WAY_NS / MS)), 100 * S, 0, 0, 0
    for number in range(10_000):
        now_ns += PERIOD_NS + (round(rng.exponential(40.0) * MS) if rng.random() < share else 0)
        held_ms = rng.exponential(mean_ms if number // 1000 % 2 else 1.0)
        arrived_ns = max(arrived_ns, now_ns + WAY_NS + round(held_ms * MS))
        captured_ns = clock.capture_ns(now_ns - 5 * S, arrived_ns)
        assert -MS <= captured_ns - now_ns <= 10 * MS
        is_young = arrived_ns - now_ns < 90 * MS
        possible += is_young
        unknown += is_young and arrived_ns - captured_ns + clock.bound_ns > 100 * MS
    assert unknown < may_be_unknown * possible
