"""One connection to a device: our own loop over the socket, which keeps every message."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress

from geometry.clock import Clock
from navigation.clock import NS_PER_S
from navigation.devices.driver import Device, StampClock
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import Frame, FrameStream, Message, pack, unpack
from navigation.devices.openigtlink.layout import layout_of
from navigation.devices.openigtlink.messages import Request, StartTracking, Status, StatusCode, TrackingReply
from navigation.devices.openigtlink.observer import Observer
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.devices.openigtlink.sightings import POSE_KINDS, Sighting, sightings_in
from navigation.devices.reader import Received
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.errors import DeviceError

_CONNECT_S = 3.0
_CHUNK = 1 << 18
_MOST_AT_ONCE = 1 << 22  # so that a flood cannot keep `receive` from returning
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
        self._stream = FrameStream(settings.largest_message_mb * 1_000_000)
        self._buffer = bytearray(_CHUNK)
        self._heard_ns = clock.now_ns()
        self._names = _Names(layout_of(device).tools, self._heard_ns)
        self._status = self._said = ""
        self._socket = socket.create_connection((settings.host, settings.port), timeout=_CONNECT_S)
        try:
            _notice_cut_cables(self._socket)
            self._socket.sendall(self._greeting())
        except OSError:
            self._socket.close()
            raise

    def _greeting(self) -> bytes:
        """What is asked for; and a question in our version, from which PLUS learns which one to answer in."""
        settings, greeting = self._settings, b""
        if settings.ask_for is not None:
            resolution_ms = int(1000.0 / settings.rate_hz)
            greeting = pack(Message(StartTracking(settings.ask_for, resolution_ms)))
        return greeting + pack(Message(Request("GET_STATUS"), version=settings.version))

    def receive(self, timeout_s: float) -> Sequence[Received]:
        frames = self._frames(timeout_s)
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
        with suppress(OSError):
            if self._settings.ask_for is not None:
                self._socket.sendall(pack(Message(Request(f"STP_{self._settings.ask_for}"))))
        self._socket.close()

    def _frames(self, timeout_s: float) -> list[Frame]:
        self._socket.settimeout(timeout_s)
        frames: list[Frame] = []
        taken = 0
        while taken < _MOST_AT_ONCE:
            try:
                size = self._socket.recv_into(self._buffer)
            except TimeoutError:
                break
            except ConnectionResetError:
                size = 0  # closed, before the device had read what we sent
            if not size and frames:
                break  # what came before the end counts; the next call meets the end again
            if not size:
                raise DeviceError("a connection that the device has closed", "an open one", "start the sender again")
            with memoryview(self._buffer) as view:
                frames += self._stream.feed(view[:size])
            taken += size
            if size < _CHUNK:
                break
        return frames

    def _received(self, frame: Frame, overtaken: int, now_ns: int) -> Received:
        stamp_ns = frame.stamp_ns if self._by_stamp else None
        tools: dict[str, ToolObservation] = {}
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


def _belong(before: Received, each: Received) -> bool:
    return before.sensor_ns is not None and before.sensor_ns == each.sensor_ns and not before.tools.keys() & each.tools


def _notice_cut_cables(connection: socket.socket) -> None:
    """A peer that has gone without a word is noticed after some 5 s; systems without these options take longer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
