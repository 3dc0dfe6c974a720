"""Hand and eye at two devices of a room, live; each device in its own frame, since nobody knows yet how they stand."""

from __future__ import annotations

from rich.console import Console

from calibration.streams import PoseStream
from navigation.acquisition.collect import AcquisitionSettings
from navigation.acquisition.live_poses import LivePoses
from navigation.acquisition.two_devices import HandEyeCollecting, LivePairs, PairFrames
from navigation.commands.calibrate.hand_eye.command import HandEyeRequest
from navigation.commands.calibrate.live import clock_of, collect_shown, has_ended
from navigation.commands.calibrate.source import subject_of, tools_of
from navigation.devices.driver import Device
from navigation.errors import RoomError
from navigation.room.room import Room
from navigation.room.room_tracker import open_room

# Two devices are asked in turn: neither may keep the other waiting.
_PATIENCE = AcquisitionSettings(frame_timeout_s=0.02)


def poses_of_both(request: HandEyeRequest, room: Room, console: Console) -> tuple[PoseStream, PoseStream]:
    """``T_base_hand`` and ``T_world_eye``, collected with a screen.

    Raises:
        RoomError: the room has no such tools, or one device sees both.
        SurgNavError: a device cannot be opened, or the poses are none.
    """
    seen_of_eye = request.world if request.eye_is_device else request.eye
    hand_device, eye_device = _device(room, request.hand), _device(room, seen_of_eye)
    if hand_device.name == eye_device.name:
        raise RoomError(
            f"{request.hand} and {seen_of_eye}, both seen by {hand_device.name}",
            "two tools that two devices see",
            "name them with --hand and --eye, or with --hand and --world where the eye is the device",
        )
    frames = PairFrames(
        base=request.base,
        hand=subject_of(room, request.hand),
        world=request.world,
        eye=request.eye,
        is_eye_the_device=request.eye_is_device,
    )
    clock = clock_of(room)
    hand, eye = open_room([hand_device], clock), open_room([eye_device], clock)
    collecting = HandEyeCollecting(room.name, frames)
    hand.start()
    eye.start()
    try:
        pairs = LivePairs(LivePoses(hand, request.hand, None, _PATIENCE), LivePoses(eye, seen_of_eye, None, _PATIENCE))
        collect_shown(
            collecting,
            pairs.next,
            clock,
            console,
            title=f"hand-eye of {request.hand} and {request.eye}",
            seconds=request.seconds,
            note=lambda: pairs.why,
            is_over=lambda: has_ended(hand) or has_ended(eye),
        )
    finally:
        hand.stop()
        eye.stop()
    return collecting.streams(pairs.n_missing)


def _device(room: Room, tool: str) -> Device:
    """The device that sees the tool, with that tool alone."""
    return tools_of(room, tool).devices[0]
