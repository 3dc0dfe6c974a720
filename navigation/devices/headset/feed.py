"""From the control socket, which one process has, to the drivers of headsets, which may be in another."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import zmq

from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.driver import Device, Tool
from navigation.devices.reader import Received
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.errors import DeviceError
from unity_bridge.control.observations import HeadsetView, SeenTool, view_of
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import ToolObservations
from unity_bridge.wire.schema import decode, encode

_SEEN, _GONE = b"seen", b"gone"
_MAX_WAITING = 64
# How long a driver waits for a headset before it says that there is none; then it waits again.
_PATIENCE_MS = 1000
_REASONS = {
    Validity.SUSPECT: (Visibility.AMBIGUOUS, "the headset doubts its pose"),
    Validity.STALE: (Visibility.OCCLUDED, "not seen lately by the headset"),
    Validity.LOST: (Visibility.OCCLUDED, "not seen by the headset"),
}


class ObservationFeed:
    """Passes on what headsets see; never waits, and what nobody reads in time is dropped, the newest first.

    Attributes:
        endpoint: where a driver of this machine's same user gets it.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="surgnav-headset-")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.set(zmq.SNDHWM, _MAX_WAITING)
        self._socket.set(zmq.LINGER, 0)
        self.endpoint = f"ipc://{Path(self._folder.name) / 'feed'}"
        self._socket.bind(self.endpoint)

    def deliver(self, device: str, message: ToolObservations) -> None:
        self._socket.send_multipart([_topic(device), _SEEN, encode(message)], zmq.DONTWAIT)

    def say_gone(self, device: str, reason: str) -> None:
        self._socket.send_multipart([_topic(device), _GONE, reason.encode()], zmq.DONTWAIT)

    def close(self) -> None:
        """May be called again."""
        self._socket.close()
        self._context.term()
        self._folder.cleanup()


class FeedConnection:
    """Satisfies `DeviceConnection` for one headset, from when it sends until it is gone.

    Args:
        endpoint: of the feed.
        client: the name under which the headset presents itself.

    Raises:
        DeviceError: nothing comes from the headset.
    """

    def __init__(self, endpoint: str, client: str, device: Device) -> None:
        self._device = device
        self._names = {tool.id: tool.name for tool in device.tools}
        self._anchor = ""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.set(zmq.RCVHWM, _MAX_WAITING)
        self._socket.set(zmq.LINGER, 0)
        self._socket.subscribe(_topic(device.name))
        self._socket.connect(endpoint)
        if not self._socket.poll(_PATIENCE_MS):
            self.close()
            raise DeviceError(
                f"no headset called '{client}' that sends what it sees",
                "a headset that is connected and has passed its self-test",
                "start its program, with this name and the address of the control socket",
            )

    def receive(self, timeout_s: float) -> Sequence[Received]:
        received = []
        self._socket.poll(round(timeout_s * 1000))
        while self._socket.poll(0):
            _, kind, body = self._socket.recv_multipart()
            if kind == _GONE:
                raise DeviceError(
                    f"goodbye from the headset{': ' if body else ''}{body.decode()}", "a headset", "start its program"
                )
            received.append(self._received(view_of(decode(ToolObservations, memoryview(body)), self._names)))
        return received

    def close(self) -> None:
        self._socket.close()
        self._context.term()

    def _received(self, view: HeadsetView) -> Received:
        news = None
        if self._anchor != view.anchor:
            news = "its world was placed anew" if self._anchor else ""
            self._anchor = view.anchor
        # Every tool, named or not: what was seen under an earlier anchor must not stand beside what is seen now.
        tools = {tool.name: _observation(tool, view) for tool in self._device.tools}
        return Received(tools, sensor_ns=view.seen_ns, sequence=view.number, news=news)


def _topic(device: str) -> bytes:
    """What its messages begin with; ended, since a subscription is to all that begins so."""
    return device.encode() + b"\0"


def _observation(tool: Tool, view: HeadsetView) -> ToolObservation:
    seen = view.tools.get(tool.id)
    if seen is None:
        return ToolObservation(Visibility.NO_DATA, reason="the headset says nothing of this tool")
    if seen.T_headset_tool is None or seen.validity is not Validity.VALID:
        visibility, usual = _REASONS[seen.validity]
        return ToolObservation(visibility, reason=seen.reason or usual, capture_ns=_own_time(seen, view))
    return ToolObservation(
        Visibility.VISIBLE,
        Transform(seen.T_headset_tool.matrix, TRACKER, tool.name),
        seen.fit_rms_mm,
        capture_ns=_own_time(seen, view),
        covariance=seen.covariance,
    )


def _own_time(seen: SeenTool, view: HeadsetView) -> int | None:
    return None if seen.seen_ns == view.seen_ns else seen.seen_ns
