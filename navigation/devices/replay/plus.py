"""PLUS sequences as recorded tracking: transforms, their status, and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.driver import Tool
from navigation.devices.replay.recording import RecordedFrame, Recording, check_ids, in_order
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.devices.ultrasound.plus.header import PlusHeader, read_header
from navigation.devices.ultrasound.plus.nrrd import read_nrrd_header
from navigation.devices.ultrasound.plus.poses import SUFFIX, Poses, frame_names, read_poses
from navigation.devices.ultrasound.plus.times import read_numbers, read_stamps_ns

METAFILES, NRRD = (".mha", ".mhd"), (".nrrd",)

# PLUS's tool status; others, and what no longer has one, are NO_DATA with the word as it stands in the file.
_STATUS = {
    "MISSING": Visibility.OCCLUDED,
    "OUT_OF_VIEW": Visibility.OUT_OF_VOLUME,
    "OUT_OF_VOLUME": Visibility.OUT_OF_VOLUME,
    "HIGH_ERROR": Visibility.INTERFERENCE,
    "DISABLED": Visibility.UNCONFIGURED,
}


def read_plus(path: Path, tools: Sequence[Tool]) -> Recording:
    """Reads the transforms from the tools to the tracker, such as ``StylusToTracker``; images are not looked at.

    A tool's id is the name of its transform as PLUS has it, ``StylusToTracker``, or the tool's name alone, ``stylus``.

    Raises:
        DeviceError: no such sequence, damaged, without times, or without one of the tools.
    """
    header = read_nrrd_header(path) if path.suffix.lower() in NRRD else read_header(path)
    names = _to_tracker(header)
    ids = {tool.name: _plus_id(tool, names) for tool in tools}
    check_ids(path, [tool for tool in tools if ids[tool.name] is None], sorted(names))
    stamps_ns = read_stamps_ns(header)
    sequences, notes = read_numbers(header)
    poses, pose_notes = read_poses(header)
    frames = [
        RecordedFrame(sequence, time_ns, {name: _seen(name, str(of), header.frames[i], poses[i]) for name, of in pairs})
        for i, (sequence, time_ns) in enumerate(zip(sequences, stamps_ns, strict=True))
        for pairs in [ids.items()]
    ]
    return in_order(path.name, frames, (*notes, *pose_notes))


def _to_tracker(header: PlusHeader) -> set[str]:
    """Names of the transforms to the tracker, without ``Transform``."""
    keys = {key.removesuffix(SUFFIX) for frame in header.frames for key in frame if key.endswith(SUFFIX)}
    return {key for key in keys if (ends := frame_names(key)) is not None and ends[0] == TRACKER}


def _plus_id(tool: Tool, names: set[str]) -> str | None:
    if tool.id in names:
        return tool.id
    return next((name for name in names if frame_names(name) == (TRACKER, tool.id)), None)


def _seen(tool: str, plus_name: str, fields: Mapping[str, str], poses: Poses) -> ToolObservation:
    ends = frame_names(plus_name)
    pose = None if ends is None else poses.get(f"T_{ends[0]}_{ends[1]}")
    if pose is not None:
        return ToolObservation(Visibility.VISIBLE, Transform(pose.matrix, TRACKER, tool))
    if f"{plus_name}{SUFFIX}" not in fields:
        return ToolObservation(Visibility.NO_DATA, reason="not recorded in this frame")
    status = fields.get(f"{plus_name}{SUFFIX}Status", "")
    if status.upper() == "OK":
        return ToolObservation(Visibility.NO_DATA, reason="the recorded transform is not rigid")
    said = f"the recording says {status[:60]}" if status else "the recording states no status"
    return ToolObservation(_STATUS.get(status.upper(), Visibility.NO_DATA), reason=said)
