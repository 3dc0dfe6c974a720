"""Recorded tracking, read into memory whole: the frames of one device, on its own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from navigation.devices.driver import Tool
from navigation.devices.tracker import ToolObservation
from navigation.errors import DeviceError

RECORD_AGAIN = "record or export it again"


@dataclass(frozen=True, eq=False)
class RecordedFrame:
    """One frame: its number and time as the device gave them, and what it saw of each tool, by the tool's name."""

    sequence: int
    time_ns: int
    tools: Mapping[str, ToolObservation]


@dataclass(frozen=True, eq=False)
class Recording:
    """The frames of one device in the order of time.

    Attributes:
        name: the file.
        frames: at least one; times never decrease.
        notes: what a person should know of it, such as frames that were left out.
        n_late: how many frames were left out since they are older than one before them.
    """

    name: str
    frames: tuple[RecordedFrame, ...]
    notes: tuple[str, ...] = ()
    n_late: int = 0


def in_order(name: str, frames: Sequence[RecordedFrame], notes: Sequence[str] = ()) -> Recording:
    """The recording of these frames; those older than one before them are left out and noted.

    Nothing may be older than what was shown, and a live device's late frames are dropped as well.

    Raises:
        DeviceError: no frames.
    """
    kept: list[RecordedFrame] = []
    for frame in frames:
        if not kept or frame.time_ns >= kept[-1].time_ns:
            kept.append(frame)
    if not kept:
        raise DeviceError(f"{name} without frames", "a recording with frames of its tools", RECORD_AGAIN)
    late = len(frames) - len(kept)
    said = [f"{late} of {len(frames)} frames are older than one before them, and left out"] if late else []
    return Recording(name, tuple(kept), (*notes, *said), late)


def check_ids(path: Path, tools: Sequence[Tool], known: Sequence[str]) -> None:
    """Checks that the recording knows every tool by its id.

    Raises:
        DeviceError: it does not.
    """
    for tool in tools:
        if tool.id not in known:
            raise DeviceError(
                f"{path.name} without the tool {tool.id!r}",
                f"one of {', '.join(known) or 'no tool at all'}",
                f"give the id by which the recording knows it: id = '...' in [tools.{tool.name}]",
            )
