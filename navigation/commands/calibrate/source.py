"""Where the samples of a calibration come from, and where its result goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calibration.errors import RackError
from calibration.rack import in_force
from calibration.result import CalibrationResult
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from navigation.room.room import Room


def recordings_or_room(recordings: Sequence[Path | None], room: Path | None) -> tuple[Path, ...] | Room:
    """Whichever of the two was asked for.

    Raises:
        RoomError: both or neither were named, or the room file has mistakes.
    """
    named = tuple(recording for recording in recordings if recording is not None)
    if room is not None and not named:
        return read_room(room, calibrating=True)
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


def calibrated_tip(rack: Path | None, subject: str) -> tuple[Path, CalibrationResult]:
    """The rack, and the newest accepted pivot of a tool in it.

    Raises:
        RackError: no rack, or no such pivot.
        CalibrationResultError: a damaged result.
    """
    result = None if rack is None else in_force(rack, subject, "pivot")
    if rack is None or result is None:
        where = "without a rack" if rack is None else f"in {rack.name}, which has no accepted pivot of {subject}"
        raise RackError(
            f"a check of {subject} {where}",
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
