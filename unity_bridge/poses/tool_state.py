"""The state of one tool at one instant, as the server publishes it and as a client receives it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from geometry.frames import check_frame
from geometry.transform import Transform
from unity_bridge.errors import InvalidPoseError
from unity_bridge.wire.convention import UnityPose
from unity_bridge.wire.envelope import Validity


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolState:
    """One tool as the server knows it, right-handed and in mm.

    Attributes:
        tool: name of the tool, such as 'stylus'.
        to_frame, from_frame: frames of the pose, stated even without a pose, such as 'reference' and 'stylus_tip'.
        validity: whether the pose may be used.
        T_to_from: the pose; required if valid, None if lost.
        reason: why it is not valid; empty if it is.
        capture_ns: time at which the sensor measured this pose; None for the time of the batch. Required if stale.
        expected_error_mm: expected error at the tool's tip; None if unknown.
        registration_id: id of the registration that this pose is based on; empty if there is none.

    Raises:
        InvalidPoseError: the pose contradicts the validity or the frames, or the error is not a finite length.
        InvalidFrameError: a frame's name is not valid.
    """

    tool: str
    to_frame: str
    from_frame: str
    validity: Validity
    T_to_from: Transform | None = None
    reason: str = ""
    capture_ns: int | None = None
    expected_error_mm: float | None = None
    registration_id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "validity", Validity(self.validity))
        check_frame(self.to_frame)
        check_frame(self.from_frame)
        self._check_pose()
        error = self.expected_error_mm
        if error is not None and not (math.isfinite(error) and error >= 0.0):
            raise self._contradiction(f"an expected error of {error} mm", "a finite length or None", "pass None")

    def _check_pose(self) -> None:
        pose = self.T_to_from
        if pose is None:
            if self.validity is Validity.VALID:
                raise self._contradiction("no pose", "a pose", "pass validity 'lost' with the reason")
            return
        if self.validity is Validity.LOST:
            raise self._contradiction("a pose", "no pose", "pass T_to_from=None, never the last pose")
        if (pose.to_frame, pose.from_frame) != (self.to_frame, self.from_frame):
            raise self._contradiction(str(pose), f"T_{self.to_frame}_{self.from_frame}", "invert it or rename it")
        if self.validity is Validity.STALE and self.capture_ns is None:
            raise self._contradiction("no capture time", "the time at which the pose was measured", "pass capture_ns")

    def _contradiction(self, came: str, allowed: str, action: str) -> InvalidPoseError:
        return InvalidPoseError(f"tool '{self.tool}', {self.validity}, with {came}", allowed, action)


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolPose:
    """One tool as a client receives it, in Unity's convention.

    Attributes:
        pose: the pose; None where there is none to show.
        capture_ns: time at which the sensor measured `pose`, on the server's clock; None without a pose.
        tool, to_frame, from_frame, validity, reason, expected_error_mm, registration_id: as in `ToolState`.
    """

    tool: str
    to_frame: str
    from_frame: str
    validity: Validity
    reason: str
    pose: UnityPose | None
    capture_ns: int | None
    expected_error_mm: float | None
    registration_id: str
