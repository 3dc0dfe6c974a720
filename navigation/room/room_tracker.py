"""All devices of a room as one tracker, whose frames hold the tools of every device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.clock import PacedClock
from navigation.devices.driver import Device
from navigation.devices.registry import open_device
from navigation.devices.tracker import (
    Connection,
    DeviceState,
    ToolObservation,
    Tracker,
    TrackerFrame,
    Visibility,
)


class RoomTracker:
    """Satisfies `Tracker` for the devices of a room.

    The device that sees the reference leads: its frames are the room's, and nothing can be navigated without them. Each
    holds the newest observations of the other devices, in the frame ``tracker`` of the leading one and with their own
    times; those of a device that is on the reference are placed by the reference. Tools of a device that is gone are
    not visible, and say why.

    Args:
        devices: the leading one first, with their trackers.
        clock: stamps the frames of a leading device that is gone.
    """

    def __init__(self, devices: Sequence[tuple[Device, Tracker]], clock: PacedClock) -> None:
        self._leading, self._followers = devices[0], devices[1:]
        self._clock = clock
        self._assumed = {device.name: device.noise.covariance() for device, _ in devices if device.noise is not None}
        self._last: dict[str, TrackerFrame] = {}
        self._invented = 0  # frames of this room that no device made
        self._sequence = 0

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(name for device, _ in (self._leading, *self._followers) for name in device.tool_names)

    @property
    def rate_hz(self) -> float:
        return self._leading[1].rate_hz

    @property
    def state(self) -> DeviceState:
        """That of the leading device."""
        return self._leading[1].state

    @property
    def states(self) -> Mapping[str, DeviceState]:
        """By the name of the device."""
        return {device.name: tracker.state for device, tracker in (self._leading, *self._followers)}

    def start(self) -> None:
        for _, tracker in (self._leading, *self._followers):
            tracker.start()

    def stop(self) -> None:
        for _, tracker in (self._leading, *self._followers):
            tracker.stop()

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        device, tracker = self._leading
        frame = tracker.next_frame(timeout_ns)
        if frame is not None:
            self._sequence = frame.sequence + self._invented
            tools = self._with_noise(frame.tools, device)
        else:
            state = tracker.state
            if timeout_ns == 0 or state.connection is Connection.CONNECTED:
                return None
            # A frame that says why nothing is seen; silence would leave the reason to be guessed.
            self._invented += 1
            self._sequence += 1
            frame = TrackerFrame(self._sequence, self._clock.now_ns(), {})
            tools = dict.fromkeys(device.tool_names, _absent(device, state, frame.capture_ns))
        for follower, its_tracker in self._followers:
            tools |= self._follow(follower, its_tracker, frame.capture_ns, tools.get(REFERENCE))
        return TrackerFrame(self._sequence, frame.capture_ns, tools, frame.strays_mm)

    def _follow(
        self, device: Device, tracker: Tracker, now_ns: int, reference: ToolObservation | None
    ) -> dict[str, ToolObservation]:
        frame = tracker.next_frame(0)
        state = tracker.state
        if frame is not None:
            self._last[device.name] = frame
        elif state.connection is not Connection.CONNECTED:
            self._last.pop(device.name, None)
        last = self._last.get(device.name)
        if last is None:
            return dict.fromkeys(device.tool_names, _absent(device, state, now_ns))
        tools = self._with_noise(last.tools, device)
        if device.is_on_reference:
            return {tool: _carried(seen, device, reference, last.capture_ns) for tool, seen in tools.items()}
        return {tool: _placed(seen, device, last.capture_ns) for tool, seen in tools.items()}

    def _with_noise(self, tools: Mapping[str, ToolObservation], device: Device) -> dict[str, ToolObservation]:
        """What the device sees, with the noise that is assumed of it where it states none."""
        assumed = self._assumed.get(device.name)
        if assumed is None:
            return dict(tools)
        return {
            tool: seen
            if seen.covariance is not None or seen.T_tracker_tool is None
            else replace(seen, covariance=assumed)
            for tool, seen in tools.items()
        }


def open_room(
    devices: Sequence[Device], clock: PacedClock, open_: Callable[[Device, PacedClock], Tracker] = open_device
) -> RoomTracker:
    """Opens the devices of a room, the one that sees the reference first.

    Args:
        open_: opens one device; the registry by default.

    Raises:
        DeviceError: a device cannot be opened with these settings; one that is not there can, and is waited for.
        MissingExtraError: a driver needs packages that are not installed.
    """
    return RoomTracker([(device, open_(device, clock)) for device in devices], clock)


def _absent(device: Device, state: DeviceState, now_ns: int) -> ToolObservation:
    words = state.words(now_ns) if state.connection is not Connection.CONNECTED else "nothing has come from it yet"
    return ToolObservation(Visibility.NO_DATA, reason=f"{device.name} {words}")


def _placed(seen: ToolObservation, device: Device, frame_ns: int) -> ToolObservation:
    """The observation of a device in the frame ``tracker`` of the leading one, with its own time."""
    capture_ns = frame_ns if seen.capture_ns is None else seen.capture_ns
    pose, placed = seen.T_tracker_tool, device.T_tracker_device
    if pose is None or placed is None:
        return replace(seen, capture_ns=capture_ns)
    own = Transform(pose.matrix, placed.from_frame, pose.from_frame)
    return replace(seen, T_tracker_tool=placed @ own, capture_ns=capture_ns, covariance=_turned(seen, placed))


def _carried(
    seen: ToolObservation, device: Device, reference: ToolObservation | None, frame_ns: int
) -> ToolObservation:
    """The observation of a device whose frame is the reference's, where the leading device sees the reference."""
    placed = None if reference is None else reference.T_tracker_tool
    if placed is None and seen.T_tracker_tool is not None:
        why = "no reference" if reference is None else reference.why
        return ToolObservation(
            Visibility.NO_DATA,
            reason=f"relative to the reference, which is not seen: {why}",
            capture_ns=frame_ns if seen.capture_ns is None else seen.capture_ns,
        )
    carried = _placed(seen, replace(device, T_tracker_device=placed), frame_ns)
    return carried if carried.T_tracker_tool is None else replace(carried, T_tracker_reference=placed)


def _turned(seen: ToolObservation, T_tracker_device: Transform) -> Floats | None:
    """The covariance ``(6, 6)`` along the axes of the leading device."""
    if seen.covariance is None:
        return None
    both = np.kron(np.eye(2), T_tracker_device.rotation_matrix)
    turned: Floats = both @ seen.covariance @ both.T
    return turned
