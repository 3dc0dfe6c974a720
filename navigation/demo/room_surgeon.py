"""The steps of the surgery as somebody does them before the devices of a room: a person, or a recording of the demo.

Nobody presses a key: between two steps the stylus is out of the tracker's sight for a second, and for three before the
first. The steps come in the order of `navigation.demo.surgery.operate`. A stylus that is out of sight for as long as
before the first step begins anew: if another step is waited for then, one was done where nobody could see it.
"""

from __future__ import annotations

from collections.abc import Callable

from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.demo.surgery import SurgerySettings
from navigation.devices.frame_order import Arrival, FrameOrder
from navigation.devices.tracker import Tracker, TrackerFrame, Visibility
from navigation.devices.wrapped_tracker import WrappedTracker
from navigation.errors import AcquisitionError

# How long the stylus is out of sight before the first step, and between two.
BEFORE_FIRST_S, BETWEEN_S = 3.0, 1.0
# A recording that is played in a loop, and was joined just after its beginning, comes round within this.
_FIRST_WAIT_S, _WAIT_S = 180.0, 60.0
_SILENCE_S = 5.0

# Whoever does the steps goes on in real time, and frames may be dropped: less is collected than is done.
COLLECTED = SurgerySettings(pivot_s=8.0, sweep_s=18.0)


class RoomSurgeon:
    """Satisfies `Surgeon`: waits for each step to begin.

    Args:
        tracker: a running tracker that sees reference and stylus.
        stylus: name of the stylus.
        ask: is told what is waited for, once for each step.
    """

    def __init__(self, tracker: Tracker, stylus: str, ask: Callable[[str], None]) -> None:
        self._tracker, self._stylus, self._ask = _Read(tracker), stylus, ask
        self._order = FrameOrder()

    @property
    def stylus(self) -> str:
        return self._stylus

    def pivot(self) -> Tracker:
        return self._next("the pivot", BEFORE_FIRST_S, _FIRST_WAIT_S)

    def touch(self, name: str, point_ct: Floats, outward: Floats) -> Tracker:
        return self._next(f"the touch of {name}", BETWEEN_S, _WAIT_S)

    def sweep(self) -> Tracker:
        return self._next("the sweep", BETWEEN_S, _WAIT_S)

    def _next(self, step: str, hidden_s: float, wait_s: float) -> Tracker:
        """Waits until the stylus comes back into sight after `hidden_s`.

        Raises:
            AcquisitionError: it did not within `wait_s`, no frame came, or a step may have been missed.
        """
        self._ask(f"waiting for {step}: the stylus out of sight for {hidden_s:g} s, and back")
        begun_ns = hidden_ns = None
        while True:
            before_ns = self._tracker.newest_ns
            frame = self._new_frame(step)
            now_ns, seen = frame.capture_ns, frame.tools[self._stylus]
            begun_ns = now_ns if begun_ns is None else begun_ns
            if hidden_s < BEFORE_FIRST_S:
                _check_gap(step, "no frame", now_ns - before_ns, hidden_s)
            if seen.visibility is not Visibility.VISIBLE:
                hidden_ns = now_ns if hidden_ns is None else hidden_ns
            elif hidden_ns is not None and now_ns - hidden_ns >= hidden_s * NS_PER_S:
                if hidden_s < BEFORE_FIRST_S:
                    _check_gap(step, "a stylus out of sight", now_ns - hidden_ns, BEFORE_FIRST_S)
                return self._tracker
            else:
                hidden_ns = None
            if now_ns - begun_ns > wait_s * NS_PER_S:
                now = seen.visibility.value if seen.visibility is Visibility.VISIBLE else seen.why
                raise AcquisitionError(
                    f"no beginning of {step} within {wait_s:g} s; the stylus: {now}",
                    f"a stylus that is out of sight for {hidden_s:g} s and comes back for each step",
                    "do the steps before the camera, or name a room that sees them: surgnav demo --record",
                )

    def _new_frame(self, step: str) -> TrackerFrame:
        waited_ns, period_ns = 0, round(NS_PER_S / self._tracker.rate_hz)
        while waited_ns <= _SILENCE_S * NS_PER_S:
            frame = self._tracker.next_frame(2 * period_ns)
            if frame is not None and self._order.take(frame) is Arrival.NEW:
                return frame
            waited_ns += 2 * period_ns
        state = self._tracker.state
        raise AcquisitionError(
            f"no new frame for {_SILENCE_S:g} s while waiting for {step}; the device is {state.connection.value}"
            + (f": {state.reason}" if state.reason else ""),
            "a device that sends frames",
            "check the device, and try it alone: surgnav room watch",
        )


class _Read(WrappedTracker):
    """A tracker that knows the newest capture time, 0 before the first frame, of what anybody has read from it."""

    newest_ns = 0

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        frame = super().next_frame(timeout_ns)
        if frame is not None:
            self.newest_ns = max(self.newest_ns, frame.capture_ns)
        return frame


def _check_gap(step: str, what: str, gap_ns: int, limit_s: float) -> None:
    if gap_ns >= limit_s * NS_PER_S:
        raise AcquisitionError(
            f"{what} for {gap_ns / NS_PER_S:.1f} s before {step}, which may have been done unseen meanwhile",
            f"a stylus that is back within {BEFORE_FIRST_S:g} s, and frames without a gap of {BETWEEN_S:g} s",
            "see that nothing stands between camera and stylus, and do all steps again from the pivot on",
        )
