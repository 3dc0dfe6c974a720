"""One connection to a device: what its messages say of the tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from geometry.clock import Clock
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.driver import Device, StampClock
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import Frame, unpack
from navigation.devices.openigtlink.layout import layout_of, wire_name
from navigation.devices.openigtlink.link_socket import LinkSocket
from navigation.devices.openigtlink.messages import Points, Status, StatusCode, TrackingReply
from navigation.devices.openigtlink.observer import Observer
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.devices.openigtlink.sightings import POSE_KINDS, Sighting, sightings_in
from navigation.devices.reader import Received
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.errors import DeviceError

_SILENT_NS = 5 * NS_PER_S
_LOOKED_FOR_NS = 2 * NS_PER_S
_NAMES_KEPT = 12


class LinkConnection:
    """Satisfies `DeviceConnection`.

    Raises:
        OSError: the device is not there.
    """

    def __init__(self, settings: LinkSettings, device: Device, observer: Observer, clock: Clock) -> None:
        self._settings, self._observer, self._clock = settings, observer, clock
        self._by_stamp = device.stamps.clock is StampClock.SENSOR
        self._points = None if settings.points is None else wire_name(settings.points)
        self._heard_ns = clock.now_ns()
        self._names = _Names(layout_of(device).tools, self._heard_ns)
        self._status = self._said = ""
        self._socket = LinkSocket(settings)
        self.round_trip_ns = self._socket.round_trip_ns

    def receive(self, timeout_s: float) -> Sequence[Received]:
        frames = self._socket.frames(timeout_s)
        now_ns = self._clock.now_ns()
        received: list[Received] = []
        for frame, overtaken in _newest_of_each(frames):
            each = self._received(frame, overtaken, now_ns)
            before = received[-1] if received else None
            # Tools that one message each tells of, at one instant, are one frame.
            if before is not None and before.tools and each.tools and _belong(before, each):
                overtaken_by_both = {**before.overtaken, **each.overtaken}
                received[-1] = Received({**before.tools, **each.tools}, each.sensor_ns, overtaken=overtaken_by_both)
            else:
                received.append(each)
        if frames:
            self._heard_ns = now_ns
        news = self._news(now_ns)
        if news != self._said:
            self._said = news
            received.append(Received(news=news))
        return received

    def close(self) -> None:
        self._socket.close()

    def _received(self, frame: Frame, overtaken: int, now_ns: int) -> Received:
        stamp_ns = frame.stamp_ns if self._by_stamp else None
        tools: dict[str, ToolObservation] = {}
        if self._points is not None and (frame.type_name, frame.device_name) == ("POINT", self._points):
            return Received(sensor_ns=stamp_ns, strays_mm=_strays_mm(frame))
        for sighting in self._sightings(frame):
            self._names.heard(sighting.name)
            tools |= self._observer.observe(sighting, stamp_ns, now_ns)
        return Received(tools, stamp_ns, overtaken=dict.fromkeys(tools, overtaken) if overtaken else {})

    def _sightings(self, frame: Frame) -> Iterable[Sighting]:
        try:
            message = unpack(frame)
        except LinkError as error:
            return [Sighting(frame.device_name, None, Visibility.NO_DATA, f"the device sent {error.came}")]
        content = message.content
        if isinstance(content, Status):
            self._status = "" if content.code == StatusCode.OK else f"the device says {content.words}"
        elif isinstance(content, TrackingReply) and content.is_error:
            raise DeviceError(
                f"a refusal to send {content.kind}", "a stream of poses", "correct ask_for, or the device"
            )
        return sightings_in(message)

    def _news(self, now_ns: int) -> str:
        if now_ns - self._heard_ns > _SILENT_NS:
            return f"no message for more than {_SILENT_NS // NS_PER_S} s"
        return self._status or self._names.complaint(now_ns)


class _Names:
    """Which tools have been heard of, to say which were not, and what comes instead."""

    def __init__(self, wanted: Iterable[str], start_ns: int) -> None:
        self._unheard, self._others = set(wanted), dict[str, None]()
        self._deadline_ns = start_ns + _LOOKED_FOR_NS

    def heard(self, name: str) -> None:
        if name in self._unheard:
            self._unheard.discard(name)
        elif self._unheard and len(self._others) < _NAMES_KEPT:
            self._others[name] = None

    def complaint(self, now_ns: int) -> str:
        """Empty if all tools were heard of, or may still be."""
        if not self._unheard or now_ns < self._deadline_ns:
            return ""
        others = f"; what comes is {', '.join(self._others)}" if self._others else ""
        return f"the device sends nothing called {', '.join(sorted(self._unheard))}{others}"


def _newest_of_each(frames: list[Frame]) -> list[tuple[Frame, int]]:
    """Of poses that came together, the newest of each sender's, in order, and how many of its came before it.

    A loop that has fallen behind catches up so: what was overtaken is checked, but not looked at.
    """
    if len(frames) == 1:
        return [(frames[0], 0)]
    # Several TDATA messages may share a device name, and tell of different tools: the first one's name differs.
    keys = [(frame.type_name, frame.device_name, frame.first_name) for frame in frames]
    counts = Counter(keys)
    kept: list[tuple[Frame, int]] = []
    for frame, key in zip(reversed(frames), reversed(keys), strict=True):
        if frame.type_name not in POSE_KINDS:
            kept.append((frame, 0))
        elif key in counts:
            kept.append((frame, counts.pop(key) - 1))
    return kept[::-1]


def _strays_mm(frame: Frame) -> Floats:
    """The points of a POINT message, ``(n, 3)`` in mm; none where it is damaged or holds something else."""
    try:
        content = unpack(frame).content
    except LinkError:
        return np.zeros((0, 3))
    points = content.points if isinstance(content, Points) else ()
    found: Floats = np.array([point.position_mm for point in points], np.float64).reshape(-1, 3)
    return found[np.isfinite(found).all(axis=1)]


def _belong(before: Received, each: Received) -> bool:
    return before.sensor_ns is not None and before.sensor_ns == each.sensor_ns and not before.tools.keys() & each.tools
