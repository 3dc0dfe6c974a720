"""The clocks of the running system: the machine's monotonic clock, and virtual ones for simulations and recordings."""

from __future__ import annotations

import time
from typing import Protocol

from geometry.clock import Clock, ManualClock
from unity_bridge.wire.clock_name import boot_clock_name

NS_PER_S = 1_000_000_000


class PacedClock(Clock, Protocol):
    """A clock that can also wait, for device drivers and loops."""

    def sleep_until_ns(self, time_ns: int) -> None:
        """Returns at `time_ns` or as soon after it as the system allows; at once if that time has passed."""
        ...


class MonotonicClock:
    """CLOCK_MONOTONIC: never set back, and the same in every process of this machine until it is restarted.

    Attributes:
        clock_id: identifies this boot of this machine; times under another `clock_id` cannot be compared with these.
    """

    clock_id = boot_clock_name()

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until_ns(self, time_ns: int) -> None:
        while (remaining_ns := time_ns - time.monotonic_ns()) > 0:
            time.sleep(remaining_ns / NS_PER_S)


class VirtualClock(ManualClock):
    """Simulated time in ns: waiting advances it at once, so that minutes of an operation are simulated in seconds."""

    def __init__(self, start_ns: int = 0) -> None:
        super().__init__(start_ns, clock_id="virtual")

    def sleep_until_ns(self, time_ns: int) -> None:
        self.advance_ns(max(0, time_ns - self.now_ns()))


class BrakedClock(ManualClock):
    """Simulated time that can be watched: whoever waits on it waits in reality too, and nothing else moves it.

    What is computed takes no time on it, so that neither the rate nor a busy machine changes what happens on it.

    Args:
        start_ns: its first time.
        real: the clock that is waited on.
        rate: seconds on this clock for each second on `real`; None to wait for nothing.
    """

    def __init__(self, start_ns: int, real: PacedClock, rate: float | None) -> None:
        super().__init__(start_ns, clock_id="recording")
        self._real, self._rate = real, rate

    def sleep_until_ns(self, time_ns: int) -> None:
        step_ns = max(0, time_ns - self.now_ns())
        if self._rate is not None:
            self._real.sleep_until_ns(self._real.now_ns() + round(step_ns / self._rate))
        self.advance_ns(step_ns)
