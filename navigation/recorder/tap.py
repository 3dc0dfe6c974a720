"""Gives what a process takes in and sends out to the recorder; never waits for it, and counts what it could not give.

The recorder binds a PULL socket in a folder that only this user may enter; every process of the service has a `Tap`.
What waits for the recorder is bounded: beyond `MOST_WAITING` messages a tap drops the new one, and says how many in the
next one that goes through.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from enum import IntEnum

import zmq

from geometry.clock import Clock
from navigation.clock import PacedClock
from navigation.devices.driver import Device
from navigation.devices.registry import open_device
from navigation.devices.tracker import Tracker, TrackerFrame
from navigation.devices.wrapped_tracker import WrappedTracker

# At 1,000 Hz, a message for the frame and one for the poses, the recorder may stand still for two seconds; at 60 Hz for
# half a minute. At the 5 kB of 16 tools they take 20 MB.
MOST_WAITING = 4096
# Half a megabyte each: a second of them may wait for the recorder, and as many at it.
MOST_IMAGES = 32
_LINGER_MS = 500
_HEAD = struct.Struct("<BBHQQq")  # kind, bytes of source and of topic, number, dropped, time


class Kind(IntEnum):
    """What the data of a tapped message are."""

    WIRE = 1  # a message as it went through a socket
    FRAME = 2  # `packed_frame`
    JSON = 3  # UTF-8
    BLOB = 4  # one form of a surface's level
    ULTRASOUND = 5  # `navigation.ultrasound.live.frame_tap.packed_ultrasound`


@dataclass(frozen=True, slots=True)
class Tapped:
    """One message at the recorder.

    Attributes:
        source: which process gave it.
        topic: where it belongs in the recording, such as ``/wire/poses``.
        number: counts the messages of this source from 1; a gap means that some were lost on the way.
        dropped: how many messages this source could not give so far.
        time_ns: when it was given, on the service's clock.
    """

    kind: Kind
    source: str
    topic: str
    number: int
    dropped: int
    time_ns: int
    data: bytes


class Tap:
    """The end of one process.

    Args:
        address: of the recorder.
        source: name of this process.
        clock: stamps the messages; the service's.
        most_waiting: how many messages may wait for the recorder.

    Attributes:
        dropped: how many messages could not be given.
    """

    def __init__(self, address: str, source: str, clock: Clock, most_waiting: int = MOST_WAITING) -> None:
        self._source, self._clock = source.encode(), clock
        self._topics: dict[str, bytes] = {}
        self._given = 0
        self.dropped = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, most_waiting)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.connect(address)

    def give(self, kind: Kind, topic: str, data: bytes) -> None:
        """Gives one message, or counts it as dropped."""
        name = self._topics.get(topic)
        if name is None:
            name = self._topics[topic] = self._source + topic.encode()
        source_bytes = len(self._source)
        sizes = source_bytes, len(name) - source_bytes
        head = _HEAD.pack(kind, *sizes, self._given + 1, self.dropped, self._clock.now_ns())
        try:
            self._socket.send(head + name + data, zmq.DONTWAIT)
            self._given += 1
        except zmq.Again:
            self.dropped += 1

    def poses(self, message: bytes) -> None:
        """Gives a message of the pose socket."""
        self.give(Kind.WIRE, POSES, message)

    def open_device(self, device: Device, clock: PacedClock) -> Tracker:
        """Opens a device as `navigation.devices.registry` does; each of its frames is given as it comes."""
        return _TappedTracker(open_device(device, clock), self, device_topic(device.name))

    def close(self) -> None:
        """Waits half a second at most for what is under way."""
        self._socket.close()
        self._context.term()


POSES, ULTRASOUND = "/wire/poses", "/wire/ultrasound"


def images_address(address: str) -> str:
    """Where a recorder takes images: so many bytes may not wait for it as others messages."""
    return f"{address}-images"


def device_topic(name: str) -> str:
    """The topic of a device's frames."""
    return f"/devices/{name}"


def tapped(message: bytes) -> Tapped:
    """A message as the recorder receives it."""
    kind, source_bytes, topic_bytes, number, dropped, time_ns = _HEAD.unpack_from(message)
    topic_at = _HEAD.size + source_bytes
    data_at = topic_at + topic_bytes
    source, topic = message[_HEAD.size : topic_at].decode(), message[topic_at:data_at].decode()
    return Tapped(Kind(kind), source, topic, number, dropped, time_ns, message[data_at:])


class _TappedTracker(WrappedTracker):
    """Gives every frame of a device before anyone has judged it."""

    def __init__(self, tracker: Tracker, tap: Tap, topic: str) -> None:
        super().__init__(tracker)
        self._tap, self._topic = tap, topic

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        frame = self._tracker.next_frame(timeout_ns)
        if frame is not None:
            self._tap.give(Kind.FRAME, self._topic, packed_frame(frame))
        return frame


def packed_frame(frame: TrackerFrame) -> bytes:
    """A frame as plain numbers, quick to make in the pose loop and only read by the recorder of the same program."""
    tools = [
        (
            name,
            seen.visibility.name,
            None if seen.T_tracker_tool is None else seen.T_tracker_tool.matrix.tobytes(),
            seen.fit_rms_mm,
            seen.reason,
            seen.capture_ns,
            None if seen.covariance is None else seen.covariance.tobytes(),
            None if seen.T_tracker_reference is None else seen.T_tracker_reference.matrix.tobytes(),
            seen.stamp_bound_ns,
        )
        for name, seen in frame.tools.items()
    ]
    return pickle.dumps((frame.sequence, frame.capture_ns, tools), pickle.HIGHEST_PROTOCOL)
