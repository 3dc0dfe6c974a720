"""The images of the simulated probe as a source of ultrasound."""

from __future__ import annotations

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.simulation.probe_sweep import ProbeSweep

_PERIOD_NS = NS_PER_S // 20


class SimulatedImages:
    """Satisfies `UltrasoundSource` with 20 images a second; whoever comes late gets the newest.

    Args:
        sweep: what is seen.
        lag_ns: an image stamped t shows what the probe saw at t plus this.
        clock: stamps and paces them.
    """

    name, rate_hz, ended = "the simulated probe", 20.0, ""

    def __init__(self, sweep: ProbeSweep, lag_ns: int, clock: PacedClock) -> None:
        self._sweep, self._lag_ns, self._clock = sweep, lag_ns, clock
        self._start_ns: int | None = None
        self._returned = -1

    def start(self) -> None:
        self._start_ns = self._clock.now_ns()
        self._returned = -1

    def stop(self) -> None:
        self._start_ns = None

    def next_frame(self, timeout_ns: int) -> UltrasoundFrame | None:
        if self._start_ns is None:
            return None
        due_ns = self._start_ns + (self._returned + 1) * _PERIOD_NS
        if due_ns > self._clock.now_ns():
            self._clock.sleep_until_ns(min(due_ns, self._clock.now_ns() + max(0, timeout_ns)))
            if due_ns > self._clock.now_ns():
                return None
        self._returned = (self._clock.now_ns() - self._start_ns) // _PERIOD_NS
        capture_ns = self._start_ns + self._returned * _PERIOD_NS
        pixels = self._sweep.image((capture_ns + self._lag_ns) / NS_PER_S)
        return UltrasoundFrame(self._returned, capture_ns, pixels, source_ns=capture_ns)
