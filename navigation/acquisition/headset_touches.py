"""Landmarks that a person touches at a headset, taken under the conditions under which the stylus takes them.

The touch comes as an event on the control socket, with the mean of the tip's positions while it was held still. Whoever
registers takes it, or refuses it; the person at the headset is told which, and why.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.clock import Clock
from geometry.frames import HEADSET, REFERENCE
from geometry.points import Floats, read_only
from navigation.acquisition.collect import AcquisitionSettings
from navigation.clock import NS_PER_S
from navigation.devices.driver import Device, Tool
from navigation.devices.headset import settings_of
from navigation.devices.headset.desk import unknown
from navigation.devices.headset.host import HeadsetHost
from registration.measurements import TouchedPoint
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.event_window import Known, Outcome
from unity_bridge.control.observations import MAX_CLOCK_ERROR_NS, HeadsetView
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.convention import points_from_unity
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import ClientEvent

KIND = "landmark_touched"
# A patient who is touched does not lie still for ever, and a person who touches waits for the answer.
_OLDEST_NS = 10 * NS_PER_S
# Between the touch and the image by which it is checked: some images of any headset.
_APART_NS = NS_PER_S // 10
# The mean of a still tip is this near to where the room's own calibration puts the tip; another tip is not.
_AGREE_MM = 3.0
_MAX_WAITING = 16


@dataclass(frozen=True, eq=False)
class HeadsetTouch:
    """A touch that passed every check, and waits for whoever registers.

    Attributes:
        frame: in which the headset stated it; the point is in reference.
        client, person: who says that it was made, as they call themselves.
    """

    landmark: str
    touched: TouchedPoint
    frame: str
    client: str
    person: str
    key: str
    stream: str
    number: int


class HeadsetTouches:
    """Satisfies `unity_bridge.control.event_handler.EventHandler`.

    Args:
        device: the headset.
        tool: the stylus of this session, which that headset sees.
        landmarks: the planned ones.
        settings: conditions under which a touch is accepted.
        clock: this machine's, to which headsets map theirs.

    Attributes:
        changed: notified when a touch has come.
    """

    sessions: tuple[str, ...] = ()

    def __init__(
        self, device: Device, tool: Tool, landmarks: Collection[str], settings: AcquisitionSettings, clock: Clock
    ) -> None:
        self._device, self._tool, self._landmarks = device, tool, tuple(landmarks)
        self._still_mm = settings.still_mm
        self._needed = round(settings.hold_s * settings_of(device).rate_hz)
        self._clock = clock
        self._host: HeadsetHost | None = None
        self._tip: Callable[[], Transform | None] = lambda: None
        self._waiting: deque[HeadsetTouch] = deque()
        self.changed = threading.Condition()

    def begin(self, host: HeadsetHost, tip: Callable[[], Transform | None]) -> None:
        """Touches are taken from now on.

        Args:
            host: whose handler this is.
            tip: returns the calibrated tip, ``T_<stylus>_<stylus>_tip``; None before it is calibrated.
        """
        self._host, self._tip = host, tip

    # ---------------------------------------------------------------------------------------------- whoever registers
    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def take(self) -> HeadsetTouch:
        """The oldest touch that waits; to be answered."""
        with self.changed:
            return self._waiting.popleft()

    def answer(self, touch: HeadsetTouch, outcome: Outcome) -> None:
        """Tells the headset what became of a touch."""
        if self._host is not None:
            self._host.settle(touch.key, touch.stream, touch.number, outcome)

    def end(self) -> None:
        """Nothing is taken any more; what waits is refused."""
        while self._waiting:
            over = _refused(
                "a touch at the end of the session", "touches while the patient is registered", "touch anew"
            )
            self.answer(self.take(), Outcome(error=over))

    # --------------------------------------------------------------------------------------------- the control socket
    def earlier(self, key: str, stream: str) -> tuple[Known, ...]:
        return ()

    def handle(self, event: ClientEvent, sender: Sender) -> None:
        """Checks a touch and lets it wait; its answer comes once it is taken.

        Raises:
            EventRefusedError: it is none, or cannot be taken.
            ObservationsRefusedError: a headset, a tool or a landmark that is not known; the message has the nearest.
        """
        if event.kind != KIND:
            raise _refused(f"the event '{event.kind[:40]}'", f"'{KIND}' while a patient is registered", "do it later")
        self._check_source(event, sender)
        self._check_still(event)
        place = self._place(event)
        touched = TouchedPoint(_in_reference(event, place), event.spread_mm, event.samples)
        self._check_tip(event, touched, place)
        with self.changed:
            if len(self._waiting) >= _MAX_WAITING:
                raise _refused(f"touch {_MAX_WAITING + 1}", f"{_MAX_WAITING} that wait", "wait for their answers")
            self._waiting.append(
                HeadsetTouch(
                    event.name,
                    touched,
                    event.frame,
                    sender.name,
                    event.person,
                    sender.key,
                    event.stream,
                    event.number,
                )
            )
            self.changed.notify_all()

    def _check_source(self, event: ClientEvent, sender: Sender) -> None:
        if self._host is None or self._host.desk.device_of(sender).name != self._device.name:
            raise _refused(
                f"a touch from '{sender.name[:40]}'",
                f"touches from the headset '{self._device.name}'",
                "touch with the stylus of this session, or name this headset with takes_touches in the room file",
            )
        if event.name not in self._landmarks:
            raise unknown("landmark", event.name, self._landmarks)
        if event.tool != self._tool.id:
            raise unknown("stylus", event.tool, (self._tool.id,))

    def _check_still(self, event: ClientEvent) -> None:
        if event.spread_mm is None or event.samples is None or event.position_m is None or event.happened_ns is None:
            raise _refused(
                "a touch without its position, time, spread or number of samples",
                "the mean of a tip that was held still",
                "hold the tip still, and send what was averaged; compare the clocks first",
            )
        if not 0.0 <= event.spread_mm < self._still_mm or event.samples < self._needed:
            raise _refused(
                f"a touch of {event.samples} samples with a spread of {event.spread_mm:.2f} mm",
                f"{self._needed} samples or more, within {self._still_mm} mm",
                "hold the tip still on the landmark, and touch again",
            )
        age_ns = self._clock.now_ns() - event.happened_ns
        if not -MAX_CLOCK_ERROR_NS <= age_ns <= _OLDEST_NS:
            raise _refused(
                f"a touch made {age_ns / NS_PER_S:.1f} s ago",
                f"one of the last {_OLDEST_NS / NS_PER_S:.0f} s",
                "touch again",
            )

    def _place(self, event: ClientEvent) -> _Place:
        """Where the headset saw reference and stylus when the tip was on the landmark."""
        host = self._host
        view = None if host is None else host.desk.near(self._device.name, event.happened_ns or 0, _APART_NS)
        reference = next(tool.id for tool in self._device.tools if tool.name == REFERENCE)
        poses = {name: None if view is None else _pose(view, name) for name in (reference, self._tool.id)}
        T_headset_reference, T_headset_stylus = poses.values()
        if view is None or T_headset_reference is None or T_headset_stylus is None:
            hidden = [name for name, pose in poses.items() if pose is None]
            raise _refused(
                f"a touch while the headset did not see {' and '.join(hidden)}",
                f"{' and '.join(poses)} in sight when the tip is on the landmark",
                "turn both towards the headset, and touch again",
            )
        return _Place(view.anchor, T_headset_reference, T_headset_stylus)

    def _check_tip(self, event: ClientEvent, touched: TouchedPoint, place: _Place) -> None:
        """The headset's tip and that of the room are one, and in one place."""
        T_stylus_tip = self._tip()
        if T_stylus_tip is None:
            raise _refused(
                f"a touch with '{event.tool[:40]}', whose tip is not calibrated",
                "a calibrated stylus",
                "pivot it first",
            )
        tip = place.T_headset_reference.inverse() @ place.T_headset_stylus @ T_stylus_tip
        apart_mm = float(np.linalg.norm(tip.translation_mm - touched.point_reference_mm))
        if apart_mm > _AGREE_MM:
            raise _refused(
                f"a touch {apart_mm:.1f} mm from where the calibrated tip was then",
                f"within {_AGREE_MM:g} mm of it",
                "give the headset the tip of this calibration, hold it still, and touch again",
            )


@dataclass(frozen=True, eq=False)
class _Place:
    anchor: str
    T_headset_reference: Transform
    T_headset_stylus: Transform


def _in_reference(event: ClientEvent, place: _Place) -> Floats:
    """The touched point ``(3,)`` in reference, whatever frame it was stated in."""
    point_mm = points_from_unity(np.array(event.position_m))
    if event.frame == REFERENCE:
        return read_only(point_mm)
    if event.frame != HEADSET or event.anchor != place.anchor:
        anchor = f" under the anchor '{event.anchor[:40]}'" if event.anchor else ""
        raise _refused(
            f"a touch in the frame '{event.frame[:40]}'{anchor}",
            f"'{REFERENCE}', or '{HEADSET}' under the anchor that holds it now",
            "touch again, in one of these frames",
        )
    return read_only(place.T_headset_reference.inverse().apply(point_mm))


def _pose(view: HeadsetView, tool: str) -> Transform | None:
    seen = view.tools.get(tool)
    return None if seen is None or seen.validity is not Validity.VALID else seen.T_headset_tool


def _refused(came: str, allowed: str, action: str) -> EventRefusedError:
    return EventRefusedError(came, allowed, action)
