"""Poses and states of tools as messages: only what is valid is sent as a pose, and a lost tool as a status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.clock import Clock
from geometry.frames import CT
from geometry.orientation import flip_affine_ras_lps
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import (
    QuaternionTool,
    QuaternionTracking,
    Status,
    StatusCode,
    TrackedTool,
    Tracking,
    TransformMatrix,
)
from navigation.devices.openigtlink.messages.poses import columns_of
from navigation.live.openigtlink.device_names import LONGEST_IN_TRACKING, transform_name
from navigation.live.pose_mirror import MirroredTool
from unity_bridge.wire.envelope import Validity

TRACKING_NAME = "SurgNav"
_CODES = {
    Validity.VALID: StatusCode.OK,
    Validity.SUSPECT: StatusCode.NOT_READY,
    Validity.STALE: StatusCode.TIME_OUT,
    Validity.LOST: StatusCode.NOT_PRESENT,
}


@dataclass(frozen=True)
class ToolStanding:
    """A transform at this moment.

    Attributes:
        name: its name in OpenIGTLink.
        tracking_name: its name in TDATA and QTDATA, which is shorter where `name` has 20 bytes.
        validity, reason: as judged now.
        matrix: ``(4, 4)`` in mm; None unless valid.
        capture_ns: time of the measurement.
    """

    name: str
    tracking_name: str
    validity: Validity
    reason: str
    matrix: Floats | None
    capture_ns: int


@dataclass(frozen=True)
class AgeLimits:
    """Ages above which a pose is stale and lost, as `SupervisorSettings` has them."""

    stale_after_ms: float
    lost_after_ms: float


def standings(tools: Sequence[MirroredTool], now_ns: int, limits: AgeLimits) -> tuple[ToolStanding, ...]:
    """Every transform as it stands now. What the pose process called valid is so no longer once it is too old."""
    return tuple(_standing(tool, now_ns, limits) for tool in tools)


def _standing(tool: MirroredTool, now_ns: int, limits: AgeLimits) -> ToolStanding:
    validity, reason = tool.validity, tool.reason
    age_ms = (now_ns - tool.capture_ns) * 1000.0 / NS_PER_S
    if age_ms > limits.stale_after_ms and validity is not Validity.LOST:
        validity = Validity.LOST if age_ms > limits.lost_after_ms else Validity.STALE
        reason = f"the newest pose is older than {limits.stale_after_ms:g} ms"
    matrix = tool.T_to_from if validity is Validity.VALID else None
    to_frame, from_frame = tool.to_frame, tool.from_frame
    if from_frame == CT:  # 3D Slicer's world is the patient's, in RAS: the tools hang from the reference in it
        to_frame, from_frame = from_frame, to_frame
        matrix = None if matrix is None else _in_ras(matrix)
    names = (transform_name(from_frame, to_frame), transform_name(from_frame, to_frame, LONGEST_IN_TRACKING))
    return ToolStanding(*names, validity, reason, matrix, tool.capture_ns)


def _in_ras(T_reference_ct: Floats) -> Floats:
    T_ct_reference = Transform(T_reference_ct, "reference", CT).inverse().matrix
    return flip_affine_ras_lps(T_ct_reference)


class PoseWriter:
    """Packs standings.

    Args:
        clock: the clock of their capture times.
        wall_ns: the wall clock, in ns since 1970, which OpenIGTLink stamps with.
    """

    def __init__(self, clock: Clock, wall_ns: Callable[[], int]) -> None:
        self._clock, self._wall_ns = clock, wall_ns

    def frame(self, tools: Sequence[ToolStanding], *, tracking: bool = False, quaternions: bool = False) -> bytes:
        """A TRANSFORM for each valid tool, with the time of its measurement; and those tools as TDATA and as QTDATA.

        TDATA and QTDATA have the time of the oldest of their tools, and are sent without tools where none is valid.
        """
        wall_ahead_ns = self._wall_ns() - self._clock.now_ns()
        seen = [(tool, tool.matrix, tool.capture_ns + wall_ahead_ns) for tool in tools if tool.matrix is not None]
        messages = [Message(TransformMatrix.of(matrix), tool.name, stamp_ns) for tool, matrix, stamp_ns in seen]
        oldest_ns = min((stamp_ns for *_, stamp_ns in seen), default=self._wall_ns())
        if tracking:
            named = tuple(TrackedTool(tool.tracking_name, columns_of(matrix)) for tool, matrix, _ in seen)
            messages.append(Message(Tracking(named), TRACKING_NAME, oldest_ns))
        if quaternions:
            turned = tuple(_quaternion_tool(tool.tracking_name, matrix) for tool, matrix, _ in seen)
            messages.append(Message(QuaternionTracking(turned), TRACKING_NAME, oldest_ns))
        return b"".join(map(pack, messages))

    def status(self, tool: ToolStanding) -> bytes:
        """A STATUS under the transform's name: OK, or why there is no pose."""
        error = "" if tool.validity is Validity.VALID else tool.validity.value
        content = Status(_CODES[tool.validity], error=error, text=tool.reason)
        return pack(Message(content, tool.name, self._wall_ns()))


def _quaternion_tool(name: str, matrix: Floats) -> QuaternionTool:
    x, y, z, w = Rotation.from_matrix(np.array(matrix[:3, :3])).as_quat().tolist()
    px, py, pz = matrix[:3, 3].tolist()
    return QuaternionTool(name, (px, py, pz), (x, y, z, w))
