"""Where the samples of a calibration come from, and where its result goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from calibration.errors import RackError
from calibration.rack import in_force
from calibration.result import CalibrationResult, Kind
from navigation.acquisition.collecting import Collecting
from navigation.acquisition.live_poses import LivePoses, PoseSample
from navigation.commands.calibrate.live import collect_live, opened
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from navigation.room.room import Room

if TYPE_CHECKING:
    from rich.console import Console

    from calibration.streams import PoseStream


def recordings_or_room(
    recordings: Sequence[Path | None], room: Path | None, *, placing: bool = False
) -> tuple[Path, ...] | Room:
    """Whichever of the two was asked for.

    Args:
        placing: as `read_room`.

    Raises:
        RoomError: both or neither were named, or the room file has mistakes.
    """
    named = tuple(recording for recording in recordings if recording is not None)
    if room is not None and not named:
        return read_room(room, calibrating=True, placing=placing)
    if room is None and named:
        return named
    raise RoomError(
        "both a recording and --room" if named else "neither a recording nor --room",
        "a recording, or --room or.toml for the devices that you have",
        "choose one of them",
    )


def rack_of(rack: Path | None, source: tuple[Path, ...] | Room) -> Path | None:
    """The folder for results: the one that was named, or else that of the room; None if there is none."""
    return source.rack if rack is None and isinstance(source, Room) else rack


def rack_at(path: Path) -> Path:
    """The rack that a path names: the folder itself, or the one of a room file.

    Raises:
        RoomError: a room file without a rack, or with mistakes.
    """
    if not path.is_file():
        return path
    room = read_room(path, calibrating=True)
    if room.rack is None:
        raise RoomError(f"{path.name}, which names no rack", "a room file with a rack", 'add rack = "rack" at its top')
    return room.rack


def in_rack(rack: Path | None, subject: str, kind: Kind) -> CalibrationResult | None:
    """The newest accepted result of this kind; None without one, or where there is no rack yet.

    Raises:
        CalibrationResultError: a damaged result.
    """
    return None if rack is None or not rack.is_dir() else in_force(rack, subject, kind)


def calibrated_tip(rack: Path | None, subject: str) -> tuple[Path, CalibrationResult]:
    """The rack, and the newest accepted pivot of a tool in it.

    Raises:
        RackError: no rack, or no such pivot.
        CalibrationResultError: a damaged result.
    """
    result = in_rack(rack, subject, "pivot")
    if rack is None or result is None:
        where = "without a rack" if rack is None else f"in {rack.name}, which has no accepted pivot of {subject}"
        raise RackError(
            f"the tip of {subject} {where}",
            "the rack that has its calibration: --rack, or a room file that names it",
            f"calibrate it: surgnav calibrate pivot --tool {subject}",
        )
    return rack, result


def subject_of(room: Room, tool: str) -> str:
    """The name of a tool in the rack: the one that the room file gives it, or else its own."""
    return next((each.rack_name for each in room.tools if each.name == tool and each.rack_name), tool)


def tools_of(room: Room, *names: str | None) -> Room:
    """The room with these tools and the devices that see them; None among the names is left away.

    Raises:
        RoomError: the room has no such tool.
    """
    wanted = [name for name in names if name is not None]
    there = [tool.name for tool in room.tools]
    for name in wanted:
        if name not in there:
            raise RoomError(
                f"the tool {name!r}, which is not in the room {room.name!r}",
                f"one of {', '.join(there)}",
                "name one of these, or add it to the room file",
            )
    return room.only(wanted)


class AsksForPoses(Protocol):
    """The part of a request that says whose poses, and how a file has them."""

    @property
    def tool(self) -> str: ...
    @property
    def id_in_file(self) -> str | None: ...
    @property
    def topic(self) -> str | None: ...
    @property
    def unit(self) -> Literal["mm", "m"]: ...
    @property
    def rate_hz(self) -> float | None: ...


class CollectingPoses(Collecting[PoseSample], Protocol):
    """Poses as they come, and all of them at the end."""

    def stream(self, n_missing: int) -> PoseStream:
        """Those that were collected; `n_missing` frames had none."""
        ...


def recorded_poses(request: AsksForPoses, recording: Path) -> PoseStream:
    """The poses of the tool in a recording; raises as `navigation.acquisition.recordings.read_stream`."""
    from navigation.acquisition.recordings import read_stream

    return read_stream(
        recording,
        request.tool,
        request.id_in_file,
        topic=request.topic,
        unit=request.unit,
        rate_hz=request.rate_hz,
    )


def live_poses(
    tool: str,
    room: Room,
    collecting: Callable[[str], CollectingPoses],
    console: Console,
    *,
    title: str,
    seconds: float | None,
    relative_to: str | None = None,
) -> PoseStream:
    """The poses of the tool that a person collects at the room's devices.

    Args:
        collecting: makes what collects them, from the name of the room.
        seconds: ends after so long; None where it is enough or a key is pressed.
        relative_to: tool that the poses are relative to; None for the device.

    Raises:
        SurgNavError: the room has no such tool, a device cannot be opened, or the poses are none.
    """
    room = tools_of(room, tool, relative_to)
    collected = collecting(room.name)
    with opened(room) as running:
        poses = LivePoses(running.tracker, tool, relative_to)
        collect_live(collected, poses.next, running, console, title=title, seconds=seconds, note=lambda: poses.why)
    return collected.stream(poses.n_missing)
