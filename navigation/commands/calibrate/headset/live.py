"""Points that the headset of a room shows, touched with its stylus, live."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from calibration.headset.alignment import HeadsetToTracker
from calibration.result import InputFile
from navigation.acquisition.live_poses import LivePoses
from navigation.acquisition.target_touches import TargetTouches, TouchCollecting
from navigation.clock import MonotonicClock
from navigation.commands.calibrate.live import collect_live, opened
from navigation.commands.calibrate.source import tools_of
from navigation.devices.driver import Device
from navigation.devices.headset import client_name, settings_of
from navigation.devices.headset.host import HeadsetHost
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from navigation.room.room import Room


@dataclass(frozen=True)
class Touched:
    """What was collected, and the calibration from it."""

    n_touches: int
    inputs: InputFile
    align: Callable[[], HeadsetToTracker]


def touch_live(path: Path, name: str, stylus: str, seconds: float | None, console: Console) -> Touched:
    """Opens the control socket of the room's headset and collects its touches, with a screen.

    Raises:
        RoomError: the room has no such headset or stylus, or the stylus has no calibrated tip.
        EndpointRefusedError: the address is in use, as while `surgnav serve` runs, or needs keys.
    """
    room = read_room(path, calibrating=True)
    device = _headset(room, name)
    seen = tools_of(room, stylus)
    tool = next(each for each in seen.tools if each.name == stylus)
    if tool.T_tool_tip is None or tool.tip_error_rms_mm is None:
        raise RoomError(
            f"the stylus '{stylus}' without a calibrated tip", "a tip", "pivot it first: surgnav calibrate pivot"
        )
    settings = settings_of(device)
    clock = MonotonicClock()  # a simulated stylus too: the headset's times are on this machine's clock
    touches = TargetTouches(client_name(device), stylus, clock)
    collecting = TouchCollecting(touches, tool.T_tool_tip, tool.tip_error_rms_mm**2 / 3.0 * np.eye(3))
    with HeadsetHost(settings.endpoint, settings.keys, clock, touches) as host, opened(seen, clock) as running:
        host.desk.expect(client_name(device), device, settings.reference)
        console.print(f"waits for '{client_name(device)}' at {host.endpoint}", highlight=False, markup=False)
        poses = LivePoses(running.tracker, stylus)
        collect_live(
            collecting,
            poses.next,
            running,
            console,
            title=f"headset {name}",
            seconds=seconds,
            note=lambda: poses.why,
        )
    made = touches.touches
    digest = hashlib.sha256()
    for touch in made:
        digest.update(touch.shown_headset_mm.tobytes() + touch.tip_tracker_mm.tobytes())
    return Touched(len(made), InputFile(name=room.name, sha256=digest.hexdigest()), collecting.align)


def _headset(room: Room, name: str) -> Device:
    headsets = [device for device in room.devices if device.driver == "headset"]
    for device in headsets:
        if device.name == name:
            return device
    raise RoomError(
        f"the headset '{name}', which is not in the room '{room.name}'",
        f"one of {', '.join(device.name for device in headsets) or 'none'}",
        "name a device with driver = 'headset' of the room file: --name NAME",
    )
