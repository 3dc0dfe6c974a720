"""Points that a headset shows, touched with a stylus that another tracker sees: taken, or refused with the reason.

The headset says where each point is in its own world, and when the tip was on it; this side knows where the tip was.
"""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from calibration.headset.alignment import HeadsetToTracker
from calibration.headset.errors import HeadsetRefusedError
from calibration.headset.touches import TargetTouch, TouchSettings, align_by_touches
from geometry import Transform
from geometry.clock import Clock
from geometry.frames import HEADSET
from geometry.points import Floats, read_only
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import PoseSample
from navigation.clock import NS_PER_S
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.event_window import Known, Outcome
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.convention import points_from_unity
from unity_bridge.wire.messages import ClientEvent

KIND = "target_touched"
# A person is still for so long before saying so; then the hand may move.
_HOLD_NS = NS_PER_S * 6 // 10
_STILL_MM = 1.0
_FEWEST = 5
_OLDEST_NS = 10 * NS_PER_S
_KEPT = 4096
_MOST = 30


class TargetTouches:
    """Satisfies `unity_bridge.control.event_handler.EventHandler`; any thread may call it.

    Args:
        client: the name under which the headset presents itself.
        stylus: the stylus, by its name in the room.
        clock: this machine's, on which the tracker's times are, and to which the headset maps its own.
    """

    sessions: tuple[str, ...] = ()

    def __init__(self, client: str, stylus: str, clock: Clock) -> None:
        self._client, self._stylus, self._clock = client, stylus, clock
        self._tips: deque[tuple[int, Floats]] = deque(maxlen=_KEPT)
        self._touches: list[TargetTouch] = []
        self._lock = threading.Lock()

    # --------------------------------------------------------------------------------------------------- the tracker
    def see_tip(self, capture_ns: int, tip_tracker_mm: Floats) -> None:
        """The tip of the stylus was there, ``(3,)`` in ``tracker``, at this time of capture."""
        with self._lock:
            self._tips.append((capture_ns, tip_tracker_mm))

    # ---------------------------------------------------------------------------------------------- whoever calibrates
    @property
    def touches(self) -> list[TargetTouch]:
        """In the order in which they were made; of a point that was touched twice the last one."""
        with self._lock:
            return list(self._touches)

    def undo(self) -> None:
        """Takes back the last touch; without one nothing."""
        with self._lock:
            del self._touches[-1:]

    # -------------------------------------------------------------------------------------------- the control socket
    def earlier(self, key: str, stream: str) -> tuple[Known, ...]:
        return ()

    def handle(self, event: ClientEvent, sender: Sender) -> Outcome:
        """Takes a touch.

        Raises:
            EventRefusedError: it is none, or of another headset or stylus, or the tip was not seen still then.
        """
        if event.kind != KIND:
            raise _refused(f"the event '{event.kind[:40]}'", f"'{KIND}' while a headset is calibrated", "do it later")
        if sender.name != self._client or event.tool != self._stylus:
            raise _refused(
                f"a touch from '{sender.name[:40]}' with '{event.tool[:40]}'",
                f"touches from '{self._client}' with '{self._stylus}'",
                "name headset and stylus as the room file does",
            )
        if event.frame != HEADSET or not event.anchor or event.position_m is None or not event.name:
            raise _refused(
                f"a touched point in '{event.frame[:40]}' without its name, place or anchor",
                f"where the headset shows it, in '{HEADSET}', with the anchor's name",
                "send the point below the anchor's object",
            )
        tip_mm = self._tip_at(event.happened_ns)
        touch = TargetTouch(event.name, read_only(points_from_unity(np.array(event.position_m))), tip_mm, event.anchor)
        with self._lock:
            if len(self._touches) >= _MOST:
                raise _refused(f"touch {_MOST + 1}", f"{_MOST} at most", "end the calibration, or take some back")
            if any(other.anchor != touch.anchor for other in self._touches):
                # What was touched before is in a world that is no more.
                self._touches.clear()
            self._touches = [other for other in self._touches if other.name != touch.name] + [touch]
            return Outcome(f"point {touch.name} is kept; {len(self._touches)} so far")

    def _tip_at(self, happened_ns: int | None) -> Floats:
        """Mean position of the tip, ``(3,)``, while it was held before a time on this machine's clock."""
        age_ns = -1 if happened_ns is None else self._clock.now_ns() - happened_ns
        if happened_ns is None or not 0 <= age_ns + NS_PER_S // 10 <= _OLDEST_NS:
            raise _refused(
                "a touch without its time, or from another time",
                f"one of the last {_OLDEST_NS // NS_PER_S} s, on this machine's clock",
                "let the headset compare the clocks, and touch again",
            )
        with self._lock:
            held = [tip_mm for at_ns, tip_mm in self._tips if happened_ns - _HOLD_NS <= at_ns <= happened_ns]
        if len(held) < _FEWEST:
            raise _refused(
                f"a touch while the tracker saw the stylus {len(held)} times in {_HOLD_NS / NS_PER_S:g} s",
                f"at least {_FEWEST} times",
                "turn the stylus' marker towards the camera while the tip is on the point",
            )
        spread_mm = float(np.sqrt(np.var(held, axis=0).sum()))
        if not spread_mm <= _STILL_MM:
            raise _refused(
                f"a tip that moved by {spread_mm:.1f} mm RMS before the touch",
                f"at most {_STILL_MM:g} mm for {_HOLD_NS / NS_PER_S:g} s",
                "hold the tip on the point, then say so",
            )
        return read_only(np.mean(held, axis=0))


class TouchCollecting:
    """Satisfies `Collecting` for poses of the stylus, while the headset sends touches.

    Args:
        touches: the handler of the headset's events.
        T_stylus_tip: the calibrated tip.
        tip_covariance_mm2: of the tip, ``(3, 3)``.
    """

    WANTED = 6

    def __init__(self, touches: TargetTouches, T_stylus_tip: Transform, tip_covariance_mm2: Floats) -> None:
        self._touches, self._tip, self._covariance_mm2 = touches, T_stylus_tip, tip_covariance_mm2

    def add(self, sample: PoseSample) -> None:
        """Where the tip is now."""
        self._touches.see_tip(round(sample.time_s * NS_PER_S), (sample.pose @ self._tip).translation_mm)

    def undo(self) -> None:
        """Takes back the last touch."""
        self._touches.undo()

    @property
    def is_enough(self) -> bool:
        """Whether all points were touched."""
        return len(self._touches.touches) >= self.WANTED

    def advice(self) -> Advice:
        """What to do at the headset, and what is known so far."""
        count = len(self._touches.touches)
        coverage = min(1.0, count / self.WANTED)
        step = (
            "it is enough: end it with Enter" if self.is_enough else "hold the tip on the point that is lit, and say so"
        )
        try:
            found = self.align()
        except HeadsetRefusedError as error:
            return Advice(step if count < TouchSettings.minimum_touches else error.action, coverage, error.came)
        p95_mm = float(found.expected_p95_mm(found.centre_tracker_mm)[0])
        return Advice(step, coverage, f"95 of 100 times within {p95_mm:.1f} mm, from {count} points")

    def align(self) -> HeadsetToTracker:
        """The calibration from the touches so far.

        Raises:
            HeadsetRefusedError: as `align_by_touches`.
        """
        return align_by_touches(self._touches.touches, tip_covariance_mm2=self._covariance_mm2)


def _refused(came: str, allowed: str, action: str) -> EventRefusedError:
    return EventRefusedError(came, allowed, action)
