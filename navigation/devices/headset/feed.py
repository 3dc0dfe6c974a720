"""From the control socket, which one process has, to the drivers of headsets, which may be in another."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import zmq

from geometry import Transform
from geometry.frames import HEADSET, TRACKER
from geometry.points import Floats
from navigation.devices.driver import Device, Tool
from navigation.devices.headset.desk import frame_names
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
_PATIENCE_MS = 250
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
        reference: its name of the reference, which poses are then relative to; empty for poses in its own world.

    Raises:
        DeviceError: nothing comes from the headset.
    """

    round_trip_ns = 0  # a headset compares the clocks by itself

    def __init__(self, endpoint: str, client: str, device: Device, reference: str = "") -> None:
        self._device, self._reference = device, reference
        self._names = frame_names(device, reference)
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
        tools = observations(self._device, view, self._reference)
        return Received(tools, sensor_ns=view.seen_ns, sequence=view.number, news=news)


def observations(device: Device, view: HeadsetView, reference: str) -> dict[str, ToolObservation]:
    """What a view says of every tool of the device.

    Args:
        reference: the headset's name of the reference, which poses are then relative to; empty for its own world.
    """
    # Every tool, named or not: what was seen under an earlier anchor must not stand beside what is seen now.
    tools = {tool.name: _observation(tool, view) for tool in device.tools}
    return _relative(tools, view.tools.get(reference)) if reference else tools


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


def _relative(tools: dict[str, ToolObservation], reference: SeenTool | None) -> dict[str, ToolObservation]:
    """The observations relative to the reference as the same headset sees it in the same image."""
    T_headset_reference = None if reference is None else reference.T_headset_tool
    if reference is None or T_headset_reference is None or reference.validity is not Validity.VALID:
        why = (reference.reason if reference is not None else "") or "not seen"
        hidden = ToolObservation(Visibility.OCCLUDED, reason=f"the headset does not see the reference: {why}")
        return {name: hidden if seen.T_tracker_tool is not None else seen for name, seen in tools.items()}
    inverse = Transform(T_headset_reference.inverse().matrix, TRACKER, HEADSET)
    turn = np.kron(np.eye(2), inverse.rotation_matrix).astype(np.float64)
    return {name: _moved(seen, name, inverse, turn) for name, seen in tools.items()}


def _moved(seen: ToolObservation, name: str, T_tracker_headset: Transform, turn: Floats) -> ToolObservation:
    if seen.T_tracker_tool is None:
        return seen
    pose = T_tracker_headset @ Transform(seen.T_tracker_tool.matrix, HEADSET, name)
    covariance = None if seen.covariance is None else turn @ seen.covariance @ turn.T
    return replace(seen, T_tracker_tool=pose, covariance=covariance)


def _own_time(seen: SeenTool, view: HeadsetView) -> int | None:
    return None if seen.seen_ns == view.seen_ns else seen.seen_ns
