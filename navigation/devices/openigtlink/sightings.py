"""From messages to what the device says of each tool: a pose in its own frame, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.errors import InvalidTransformError
from geometry.frames import TRACKER
from navigation.devices.openigtlink.framing import Message
from navigation.devices.openigtlink.messages import (
    Position,
    QuaternionTracking,
    ToolKind,
    Tracking,
    TransformMatrix,
)
from navigation.devices.openigtlink.messages.poses import matrix_of
from navigation.devices.tracker import ToolObservation, Visibility

POSE_KINDS = frozenset({"TRANSFORM", "POSITION", "TDATA", "QTDATA"})

# What PLUS says of a transform; any other word is NO_DATA.
_VISIBILITY = {
    "OK": Visibility.VISIBLE,
    "MISSING": Visibility.OCCLUDED,
    "OUT_OF_VIEW": Visibility.OCCLUDED,
    "PARTIALLY_OUT_OF_VIEW": Visibility.PARTLY_OUT,
    "OUT_OF_VOLUME": Visibility.OUT_OF_VOLUME,
    "PATH_NOT_FOUND": Visibility.UNCONFIGURED,
}
_YES, _NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
# Rounding on the way, as of devices that send four decimals, is put right up to here; more is scale or shear.
_ROUNDING = 2e-3


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one message says of one tool.

    Attributes:
        name: on the wire.
        columns: the pose as in `TransformMatrix.columns`; None if the message has none.
        visibility: what the device says; VISIBLE if it says nothing.
        reason: why there is no pose; empty if there is no more to say than `visibility`.
    """

    name: str
    columns: tuple[float, ...] | None
    visibility: Visibility = Visibility.VISIBLE
    reason: str = ""


def sightings_in(message: Message) -> Iterator[Sighting]:
    """What a message says of tools; nothing if it is about something else."""
    content = message.content
    if isinstance(content, TransformMatrix):
        yield _judged(message.device_name, content.columns, message.metadata, "TransformStatus")
    elif isinstance(content, Position):
        columns = content.columns if _is_unit(content.quaternion) else None
        reason = "a position without an orientation" if columns is None else ""
        yield _judged(message.device_name, columns, message.metadata, "TransformStatus", reason)
    elif isinstance(content, Tracking | QuaternionTracking):
        for tool in content.tools:
            is_whole = tool.kind in (ToolKind.TRACKER, ToolKind.TOOL_6D)
            reason = "" if is_whole else "a tool without a full orientation (5D or 3D)"
            if is_whole and not _is_unit(getattr(tool, "quaternion", None), missing=True):
                is_whole, reason = False, "a quaternion that is none"
            columns = tool.columns if is_whole else None
            yield _judged(tool.name, columns, message.metadata, f"{tool.name}Status", reason)


def _judged(
    name: str, columns: tuple[float, ...] | None, metadata: Mapping[str, str], status_key: str, reason: str = ""
) -> Sighting:
    """With what the metadata of PLUS say: whatever is not explicitly valid has no pose, whatever its matrix."""
    if metadata:
        status = metadata.get(status_key)
        if status is not None and status.upper() != "OK":
            visibility = _VISIBILITY.get(status.upper(), Visibility.NO_DATA)
            return Sighting(name, None, visibility, f"the device says {status}")
        valid = metadata.get("TransformValid")
        if valid is not None and valid.lower() not in _YES:
            said = "it is not valid" if valid.lower() in _NO else f"TransformValid is {valid}"
            return Sighting(name, None, Visibility.NO_DATA, f"the device says that {said}")
    if columns is None:
        return Sighting(name, None, Visibility.NO_DATA, reason)
    return Sighting(name, columns)


def _is_unit(quaternion: Sequence[float] | None, missing: bool = False) -> bool:
    """Whether a quaternion has the length 1; `missing` for none at all."""
    if quaternion is None:
        return missing
    return abs(math.hypot(*quaternion) - 1.0) <= _ROUNDING


def observation_of(sighting: Sighting, tool: str) -> ToolObservation:
    """The observation of a tool, in the device's own frame; a matrix that is no rotation gives no pose."""
    columns = sighting.columns
    if columns is None:
        return ToolObservation(sighting.visibility, reason=sighting.reason)
    matrix = matrix_of(columns)
    try:
        return ToolObservation(Visibility.VISIBLE, Transform(matrix, TRACKER, tool))
    except InvalidTransformError as error:
        why = error.came
    if np.isfinite(matrix).all():
        left, scales, right = np.linalg.svd(matrix[:3, :3])
        if np.abs(scales - 1.0).max() <= _ROUNDING and np.linalg.det(matrix[:3, :3]) > 0.0:
            matrix[:3, :3] = left @ right
            return ToolObservation(Visibility.VISIBLE, Transform(matrix, TRACKER, tool))
    return ToolObservation(Visibility.NO_DATA, reason=f"the device sent {why}")
