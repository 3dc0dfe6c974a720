"""The state of one tool at one instant, as the server publishes it and as a client receives it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geometry.frames import check_frame
from geometry.points import Floats
from geometry.transform import Transform
from unity_bridge.errors import InvalidPoseError
from unity_bridge.poses.covariance import is_covariance
from unity_bridge.wire.convention import UnityPose
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import COVARIANCE_TOLERANCE, MAX_FILTERING_MS


@dataclass(frozen=True, kw_only=True, eq=False)
class Filtering:
    """What a filter made of a measured pose.

    Attributes:
        raw: the pose as it was measured, of the same frames.
        delay_ms: by how much the filtered pose lags behind a motion at the speed of this moment.
        ahead_ms: how long after its capture time the pose holds, where it is predicted; its age does not change by it.

    Raises:
        InvalidPoseError: a delay or a prediction that is not from 0 to `MAX_FILTERING_MS`.
    """

    raw: Transform
    delay_ms: float
    ahead_ms: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.delay_ms <= MAX_FILTERING_MS and 0.0 <= self.ahead_ms <= MAX_FILTERING_MS):
            raise InvalidPoseError(
                f"a filter's delay of {self.delay_ms} ms and prediction by {self.ahead_ms} ms",
                f"0 to {MAX_FILTERING_MS:g} ms",
                "send the measured pose",
            )


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
        covariance_mm2: covariance ``(3, 3)`` of the error of `from_frame`'s origin, such as the tip, in `to_frame`, as
            float64; None if unknown.
        registration_id: id of the registration that this pose is based on; empty if there is none.
        filtering: of a filtered pose, the measured one and the filter's delay; None for a pose as it was measured. Only
            a valid pose is filtered.

    Raises:
        InvalidPoseError: the pose contradicts the validity or the frames, or error or covariance are none.
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
    covariance_mm2: Floats | None = None
    filtering: Filtering | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "validity", Validity(self.validity))
        check_frame(self.to_frame)
        check_frame(self.from_frame)
        self._check_pose()
        if self.covariance_mm2 is not None:
            self._check_covariance(self.covariance_mm2)
        if self.filtering is not None:
            self._check_filtering(self.filtering)
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

    def _check_filtering(self, filtering: Filtering) -> None:
        if self.validity is not Validity.VALID:
            raise self._contradiction("a filtered pose", "a measured pose, or none", "filter valid poses only")
        raw = filtering.raw
        if (raw.to_frame, raw.from_frame) != (self.to_frame, self.from_frame):
            raise self._contradiction(f"the measured {raw}", f"T_{self.to_frame}_{self.from_frame}", "filter that one")

    def _check_covariance(self, covariance_mm2: Floats) -> None:
        if self.T_to_from is None:
            raise self._contradiction("a covariance without a pose", "None", "pass covariance_mm2=None")
        if covariance_mm2.shape != (3, 3) or covariance_mm2.dtype != np.float64:
            raise self._contradiction(
                f"a covariance of shape {covariance_mm2.shape}", "shape (3, 3), float64", "pass that of the origin"
            )
        (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = covariance_mm2.tolist()
        near = COVARIANCE_TOLERANCE / 10.0  # what is sent must still fit after rounding
        uneven = max(abs(xy - yx), abs(xz - zx), abs(yz - zy))
        is_one = is_covariance(xx, yy, zz, yz, xz, xy, tolerance=near) and uneven <= near * (xx + yy + zz)
        if not is_one or xx + yy + zz == 0.0:
            raise self._contradiction(
                f"the covariance {covariance_mm2.tolist()}",
                "a symmetric matrix without a negative eigenvalue, and not of zeros",
                "pass None for an unknown one",
            )

    def _contradiction(self, came: str, allowed: str, action: str) -> InvalidPoseError:
        return InvalidPoseError(f"tool '{self.tool}', {self.validity}, with {came}", allowed, action)


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolPose:
    """One tool as a client receives it, in Unity's convention.

    Attributes:
        pose: the pose; None where there is none to show.
        capture_ns: time at which the sensor measured `pose`, on the server's clock; None without a pose.
        covariance_mm2: as in `ToolState`, but along Unity's axes; None if unknown.
        raw: of a filtered pose, the pose as it was measured; None where `pose` is that itself.
        delay_ms, ahead_ms: as in `Filtering`; 0 where `pose` is as it was measured.
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
    covariance_mm2: Floats | None
    raw: UnityPose | None = None
    delay_ms: float = 0.0
    ahead_ms: float = 0.0
