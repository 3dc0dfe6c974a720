"""Writes tracked transforms as a sequence of PLUS without images, such as its own ``TrackerOnly`` recordings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from navigation.clock import NS_PER_S
from navigation.devices.tracker import ToolObservation, TrackerFrame

_FIELDS = (
    "ObjectType = Image",
    "NDims = 3",
    "BinaryData = True",
    "BinaryDataByteOrderMSB = False",
    "CompressedData = False",
    "DimSize = 0 0 {count}",
    "Kinds = domain domain list",
    "ElementNumberOfChannels = 1",
    "ElementSpacing = 1 1 1",
    "ElementType = MET_OTHER",
    "Offset = 0 0 0",
    "TransformMatrix = 1 0 0 0 1 0 0 0 1",
    "UltrasoundImageOrientation = XX",
    "UltrasoundImageType = XX",
)
_NRRD_FIELDS = (
    "NRRD0004",
    "type: uchar",
    "dimension: 3",
    "space dimension: 3",
    "sizes: 0 0 {count}",
    "kinds: domain domain list",
    "encoding: raw",
    "UltrasoundImageOrientation:=XX",
    "UltrasoundImageType:=XX",
)
_NO_POSE = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"  # what PLUS writes beside a status that is not OK


def write_transforms(path: Path, frames: Iterable[TrackerFrame]) -> int:
    """Writes the tools of each frame as ``<Tool>ToTrackerTransform`` with status, number and time; returns how many.

    Times are in s, to the nanosecond; numbers have all digits, so that the same poses are read again.

    Args:
        path: ends in ``.mha``, or in ``.nrrd`` for the same as key/value pairs of NRRD.
    """
    lines: list[tuple[str, str]] = []
    count = 0
    for frame in frames:
        start = f"Seq_Frame{count:04}_"
        for tool, seen in frame.tools.items():
            name = f"{start}{''.join(word.capitalize() for word in tool.split('_'))}ToTrackerTransform"
            lines += [(name, _numbers(seen)), (f"{name}Status", "OK" if seen.T_tracker_tool else "INVALID")]
        seconds, rest_ns = divmod(frame.capture_ns, NS_PER_S)
        lines += [
            (f"{start}FrameNumber", str(frame.sequence)),
            (f"{start}Timestamp", f"{seconds}.{rest_ns:09}"),
            (f"{start}ImageStatus", "INVALID"),
        ]
        count += 1
    is_nrrd = path.suffix == ".nrrd"
    fields = [field.format(count=count) for field in (_NRRD_FIELDS if is_nrrd else _FIELDS)]
    told = (f"{name}:={value}" if is_nrrd else f"{name} = {value}" for name, value in lines)
    path.write_text("\n".join([*fields, *told, "" if is_nrrd else "ElementDataFile = LOCAL", ""]), "ascii")
    return count


def _numbers(seen: ToolObservation) -> str:
    if seen.T_tracker_tool is None:
        return _NO_POSE
    return " ".join(map(repr, seen.T_tracker_tool.matrix.ravel().tolist()))
