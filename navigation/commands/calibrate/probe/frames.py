"""Fills a calibration of the probe with frames: those of a recording, or of a room's devices as they come."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from calibration.result import CalibrationResult, InputFile
from geometry.frames import TRACKER
from navigation.acquisition.collecting import Collecting
from navigation.acquisition.probe.frames import ProbeFrame, ProbeMarkers
from navigation.acquisition.probe.live import LiveFrames
from navigation.acquisition.probe.recording import ProbeRecording
from navigation.acquisition.recordings import input_of
from navigation.commands.calibrate.live import collect_live, opened_with_images
from navigation.commands.calibrate.source import subject_of, tools_of
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.room.room import Room


class CollectingFrames(Collecting[UltrasoundFrame], Protocol):
    """Frames as they come, and what they come to."""

    markers: ProbeMarkers

    @property
    def frames(self) -> tuple[ProbeFrame[Any], ...]: ...

    def result(self, made: str, inputs: list[InputFile]) -> CalibrationResult: ...


def fill_from_recording(collecting: CollectingFrames, path: Path) -> InputFile:
    """Takes in all frames of a recording.

    Raises:
        DeviceError: no such recording, or one without the poses.
    """
    for frame in ProbeRecording(path, collecting.markers).frames():
        collecting.add(frame)
    return input_of(path)


def fill_live(
    collecting: CollectingFrames,
    room: Room,
    names: dict[str, str],
    console: Console,
    *,
    title: str,
    seconds: float | None,
) -> InputFile:
    """Collects at the room's devices, with a screen.

    Args:
        names: the tools by their names in the room, and what they are called in `collecting`.

    Raises:
        RoomError: the room has no such tool, or not one source of ultrasound.
        SurgNavError: a device cannot be opened, or gives nothing.
    """
    with opened_with_images(tools_of(room, *names), room) as (running, images):
        live = LiveFrames(images, running.tracker, names)
        collect_live(
            collecting,
            live.next,
            running,
            console,
            title=title,
            seconds=seconds,
            note=lambda: live.why or images.ended,
            is_over=lambda: live.is_over,
        )
    digest = hashlib.sha256()
    for frame in collecting.frames:
        poses = b"".join(pose.matrix.tobytes() for pose in frame.poses.values())
        digest.update(repr((frame.index, frame.time_s)).encode() + poses)
    return InputFile(name=room.name, sha256=digest.hexdigest())


def names_of(source: tuple[Path, ...] | Room, probe: str, fixed: str, stylus: str | None = None) -> dict[str, str]:
    """The tools by their names in the room or recording, and what their results call them: by the room's rack."""
    moving = [probe] if stylus is None else [probe, stylus]
    names = {tool: subject_of(source, tool) if isinstance(source, Room) else tool for tool in moving}
    return names if fixed == TRACKER else {**names, fixed: fixed}
