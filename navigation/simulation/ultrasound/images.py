"""The images of the simulated probe as a source of ultrasound."""

from __future__ import annotations

from typing import Protocol

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame


class Scan(Protocol):
    """What a probe sees at any time in s: a `ProbeSweep` over a target, or a `PatientScan`."""

    def image(self, t_s: float) -> GreyPixels: ...


class SimulatedImages:
    """Satisfies `UltrasoundSource`; whoever comes late gets the newest image.

    Args:
        sweep: what is seen.
        lag_ns: an image stamped t shows what the probe saw at t plus this.
        clock: stamps and paces them.
        rate_hz: images a second.
        pixel_mm: height and width of a pixel, as `UltrasoundFrame` states them; None where the source does not.
    """

    name, ended = "the simulated probe", ""

    def __init__(
        self,
        sweep: Scan,
        lag_ns: int,
        clock: PacedClock,
        rate_hz: float = 20.0,
        pixel_mm: tuple[float, float] | None = None,
    ) -> None:
        self._sweep, self._lag_ns, self._clock = sweep, lag_ns, clock
        self.rate_hz, self._pixel_mm = rate_hz, pixel_mm
        self._period_ns = round(NS_PER_S / rate_hz)
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
        due_ns = self._start_ns + (self._returned + 1) * self._period_ns
        if due_ns > self._clock.now_ns():
            self._clock.sleep_until_ns(min(due_ns, self._clock.now_ns() + max(0, timeout_ns)))
            if due_ns > self._clock.now_ns():
                return None
        self._returned = (self._clock.now_ns() - self._start_ns) // self._period_ns
        capture_ns = self._start_ns + self._returned * self._period_ns
        pixels = self._sweep.image((capture_ns + self._lag_ns) / NS_PER_S)
        return UltrasoundFrame(self._returned, capture_ns, pixels, source_ns=capture_ns, pixel_mm=self._pixel_mm)
