"""The record of one registration attempt as JSON: inputs, result and verdict.

A record is written once and never changed. It holds all numbers at full precision, so that reading it back gives the
same registration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geometry import SurgNavError, Transform
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from registration.errors import AttemptError
from registration.landmarks.fit import LandmarkRegistration
from registration.measurements import Start
from registration.record.accepted import UNKNOWN, Instruments
from registration.surface.refine import SurfaceRegistration
from registration.uncertainty.expected_error import ExpectedTre, PoseUncertainty
from registration.uncertainty.mobility import LandmarkKind
from registration.verdict.next_touch import NextTouch
from registration.verdict.verdict import Findings, Verdict, VerdictSettings
from registration.verdict.verification import Verification

Point = tuple[float, float, float]
Order = Literal["known", "unknown"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LandmarkRecord(_Record):
    """One planned landmark and its touch.

    Attributes:
        ct_mm: planned position in ct.
        reference_mm: touched position in reference; None if it was not touched.
        spread_rms_mm: RMS spread of the frames averaged into the touch; None if unknown.
        used: whether the registration was made from it.
        kind: its kind; None in a record of version 1.
    """

    name: str
    ct_mm: Point
    reference_mm: Point | None = None
    spread_rms_mm: float | None = None
    used: bool = True
    kind: LandmarkKind | None = None


class FileRecord(_Record):
    """An input file: its path inside the case, its SHA-256, and the number of points in it, if it holds points."""

    path: str
    sha256: str
    points: int | None = None


class AttemptInputs(_Record):
    """Everything that was measured and planned.

    Attributes:
        measured_with: the tracking device, or the files.
        start: ``landmarks``: the pose was found from landmarks; ``global``: from the sweep alone; ``registration``: the
            sweep of ultrasound began at another registration.
        order: ``known``: the touched points had names; ``unknown``: they were paired by their mutual distances.
        unpaired_reference_mm: touched points that match no planned landmark.
        landmarks: the planned landmarks with their touches.
        sweep: file of the swept points in reference.
        surface: the surface in ct that was registered to.
        targets_ct_mm: planned targets.
        tip_error_rms_mm: expected RMS error of the tool's tip; None if unknown.
        instruments: reference and stylus; not known in records of versions 1 and 2, nor of points from files.
    """

    measured_with: str
    start: Start
    order: Order = "known"
    unpaired_reference_mm: tuple[Point, ...] = ()
    landmarks: tuple[LandmarkRecord, ...] = ()
    sweep: FileRecord | None = None
    surface: FileRecord | None = None
    targets_ct_mm: dict[str, Point] = {}
    tip_error_rms_mm: float | None = None
    instruments: Instruments = UNKNOWN


class PoseRecord(_Record):
    """A pose and its uncertainty: ``T_true = motion o T``, with the motion in the axes of `to_frame`.

    Attributes:
        matrix: ``T_to_from``, homogeneous ``(4, 4)``.
        covariance: ``(6, 6)`` of the motion, rad and mm.
        pivot_reference_mm: pivot of the motion, in reference.
        degrees: degrees of freedom of the covariance's scale; null if the scale was stated.
        joint: covariance ``(13, 13)`` of motion, scale and skin; null in a record of version 1, which took scale and
            skin as known.
    """

    to_frame: Literal["reference"] = "reference"
    from_frame: Literal["ct"] = "ct"
    units: Literal["mm, rad"] = "mm, rad"
    matrix: tuple[tuple[float, ...], ...]
    covariance: tuple[tuple[float, ...], ...]
    pivot_reference_mm: Point
    degrees: float | None = None
    joint: tuple[tuple[float, ...], ...] | None = None

    @model_validator(mode="after")
    def _is_a_pose(self) -> PoseRecord:
        self.transform()
        self.uncertainty()
        return self

    def transform(self) -> Transform:
        """``T_reference_ct``."""
        return Transform(self.matrix, REFERENCE, CT)

    def uncertainty(self) -> PoseUncertainty:
        """The pose's uncertainty."""
        degrees = math.inf if self.degrees is None else self.degrees
        joint = np.zeros((0, 0)) if self.joint is None else np.array(self.joint)
        return PoseUncertainty(np.array(self.covariance), np.array(self.pivot_reference_mm), degrees, joint)


class TargetRecord(_Record):
    """Expected TRE at a target.

    Attributes:
        rms_mm, p95_mm: RMS and 95 % quantile of the registration's error.
        covariance_reference_mm2: covariance of the error vector, in the axes of reference.
        semi_axes_mm: semi-axes of the ellipsoid that contains 95 % of the errors, longest first.
        longest_ct: unit vector of the longest one, in ct.
        with_tool_p95_mm: 95 % quantile including the error of the tool's tip; None where no tool was calibrated.
    """

    rms_mm: float
    p95_mm: float
    covariance_reference_mm2: tuple[Point, Point, Point]
    semi_axes_mm: Point | None = None
    longest_ct: Point | None = None
    with_tool_p95_mm: float | None = None


class NextTouchRecord(_Record):
    """A `NextTouch` as JSON."""

    kind: Literal["surface", "landmark"]
    name: str
    point_ct_mm: Point
    outward_ct: Point | None
    target: str
    p95_now_mm: float
    p95_then_mm: float
    words: str

    @classmethod
    def of(cls, spot: NextTouch) -> NextTouchRecord:
        """The record of `spot`."""
        return cls(
            kind=spot.kind,
            name=spot.name,
            point_ct_mm=as_point(spot.point_ct_mm),
            outward_ct=None if spot.outward_ct is None else as_point(spot.outward_ct),
            target=spot.target,
            p95_now_mm=spot.p95_now_mm,
            p95_then_mm=spot.p95_then_mm,
            words=spot.words,
        )


class VerificationRecord(_Record):
    """A `Verification` as JSON."""

    name: str
    kind: Literal["landmark", "surface", "repeat"]
    offset_reference_mm: Point
    distance_mm: float
    expected_p95_mm: float
    on_skin: bool = False
    away_mm: float = 0.0
    own_rms_mm: float | None = None
    point_reference_mm: Point | None = None
    normal_reference: Point | None = None

    @classmethod
    def of(cls, touch: Verification) -> VerificationRecord:
        """The record of `touch`."""
        return cls(
            name=touch.name,
            kind=touch.kind,
            offset_reference_mm=as_point(touch.offset_reference_mm),
            distance_mm=touch.distance_mm,
            expected_p95_mm=touch.expected_p95_mm,
            on_skin=touch.on_skin,
            away_mm=touch.away_mm,
            own_rms_mm=touch.own_rms_mm,
            point_reference_mm=None if touch.point_reference_mm is None else as_point(touch.point_reference_mm),
            normal_reference=None if touch.normal_reference is None else as_point(touch.normal_reference),
        )

    def verification(self) -> Verification:
        """The touch that was recorded."""
        return Verification(
            name=self.name,
            kind=self.kind,
            offset_reference_mm=np.array(self.offset_reference_mm),
            distance_mm=self.distance_mm,
            expected_p95_mm=self.expected_p95_mm,
            on_skin=self.on_skin,
            away_mm=self.away_mm,
            own_rms_mm=self.own_rms_mm,
            point_reference_mm=None if self.point_reference_mm is None else np.array(self.point_reference_mm),
            normal_reference=None if self.normal_reference is None else np.array(self.normal_reference),
        )


class AttemptResult(_Record):
    """The result of an attempt.

    Attributes:
        pose: the resulting pose with its uncertainty.
        fre_rms_mm: FRE of the landmarks alone; not the accuracy at a target. None without landmarks.
        landmark_residuals_reference_mm: touched minus mapped position of each landmark.
        left_out: leave-one-out: each landmark as a verification of the pose from the others.
        surface_residual_rms_mm, surface_residual_p95_mm, surface_offset_mm, iterations: of the refinement on the
            surface; None without it.
        expected: expected TRE at each target.
        next_touch: the touch that would reduce the largest of them most; None if none would.
    """

    pose: PoseRecord
    fre_rms_mm: float | None = None
    landmark_residuals_reference_mm: dict[str, Point] = {}
    left_out: dict[str, VerificationRecord] = {}
    surface_residual_rms_mm: float | None = None
    surface_residual_p95_mm: float | None = None
    surface_offset_mm: float | None = None
    iterations: int | None = None
    expected: dict[str, TargetRecord] = {}
    next_touch: NextTouchRecord | None = None


class Attempt(_Record):
    """One registration attempt, successful or not.

    Attributes:
        id: its name in the case, such as ``r-0001``.
        time: ISO 8601 with a time zone.
        person: who made it.
        inputs: what was planned and measured.
        settings: the assumptions, by group (`Assumptions.to_json`).
        limits: limits of the verdict.
        findings: the numbers that the verdict rests on.
        result: None if it failed; then ``findings.failure`` says why.
        verdict: the verdict when the attempt was made. Later verification touches are events in the case's manifest,
            and may change the verdict.
    """

    schema_name: Literal["surgnav.registration"] = "surgnav.registration"
    schema_version: Literal[1, 2, 3] = 3
    id: str = Field(min_length=1)
    time: str = Field(min_length=1)
    person: str = Field(min_length=1)
    inputs: AttemptInputs
    settings: dict[str, Any] = {}
    limits: VerdictSettings = VerdictSettings()
    findings: Findings
    result: AttemptResult | None
    verdict: Verdict

    @model_validator(mode="after")
    def _holds_together(self) -> Attempt:
        if (self.result is None) != bool(self.findings.failure):
            raise ValueError("a result and a failure, or neither")
        if self.result is None and self.verdict.level != "refuse":
            raise ValueError(f"no result, yet the verdict '{self.verdict.level}'")
        return self

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        return self.model_dump(mode="json")

    def used_landmarks_ct(self) -> dict[str, Floats]:
        """The landmarks that the registration was made from: name -> ``(3,)`` in ct."""
        return {mark.name: np.array(mark.ct_mm) for mark in self.inputs.landmarks if mark.used}


def read_attempt(content: bytes | str) -> Attempt:
    """Reads the record that `Attempt.to_json` made.

    Raises:
        AttemptError: another content, or a record that contradicts itself or holds no valid pose or covariance.
    """
    try:
        return Attempt.model_validate_json(content)
    except ValidationError as error:
        raise damaged("a registration", error) from error
    except SurgNavError as error:
        raise AttemptError(
            f"a record of a registration with {error.came}", error.allowed, "restore it, or register again"
        ) from error


def read_verification(details: Mapping[str, Any]) -> Verification:
    """Reads the touch from the details ``{"touch": VerificationRecord}`` of an event.

    Raises:
        AttemptError: there is no touch, or a damaged one.
    """
    try:
        return VerificationRecord.model_validate(details.get("touch")).verification()
    except ValidationError as error:
        raise damaged("a verification", error) from error


def damaged(what: str, error: ValidationError) -> AttemptError:
    """The error of a record that is not as this program writes it."""
    fault = error.errors(include_input=False, include_url=False)[0]
    came = f"a record of {what} with '{'.'.join(map(str, fault['loc']))}': {fault['msg']}"
    return AttemptError(came, "a record as this program wrote it", "restore it, or register again")


def record_result(
    by_landmarks: LandmarkRegistration | None,
    by_surface: SurfaceRegistration | None,
    uncertainty: PoseUncertainty,
    expected: dict[str, TargetRecord],
    left_out: Mapping[str, Verification],
    next_touch: NextTouch | None = None,
) -> AttemptResult:
    """The record of a result; where there is a surface registration, its pose is the result.

    Args:
        by_landmarks, by_surface: the two registrations; one of them may be None.
        uncertainty: uncertainty of the resulting pose, with all errors included.
        expected: expected TRE by target.
        left_out: leave-one-out result by landmark.
        next_touch: the most useful next touch.

    Raises:
        AttemptError: neither landmarks nor a surface.
    """
    registered = by_surface or by_landmarks
    if registered is None:
        raise AttemptError("a result without a registration", "one from landmarks or a surface", "register first")
    marks = () if by_landmarks is None else zip(by_landmarks.names, by_landmarks.residuals_reference_mm, strict=True)
    return AttemptResult(
        pose=PoseRecord(
            matrix=registered.T_reference_ct.matrix.tolist(),
            covariance=uncertainty.covariance.tolist(),
            pivot_reference_mm=as_point(uncertainty.pivot_reference_mm),
            degrees=uncertainty.degrees if math.isfinite(uncertainty.degrees) else None,
            joint=uncertainty.joint.tolist(),
        ),
        fre_rms_mm=None if by_landmarks is None else by_landmarks.fre_rms_mm,
        landmark_residuals_reference_mm={name: as_point(vector) for name, vector in marks},
        left_out={name: VerificationRecord.of(touch) for name, touch in left_out.items()},
        surface_residual_rms_mm=None if by_surface is None else by_surface.residual_rms_mm,
        surface_residual_p95_mm=None if by_surface is None else by_surface.residual_p95_mm,
        surface_offset_mm=None if by_surface is None else by_surface.offset_mm,
        iterations=None if by_surface is None else by_surface.iterations,
        expected=expected,
        next_touch=None if next_touch is None else NextTouchRecord.of(next_touch),
    )


def target_records(
    names: list[str], expected: ExpectedTre, T_reference_ct: Transform, with_tool: ExpectedTre | None = None
) -> dict[str, TargetRecord]:
    """Records of the expected errors at n targets, by name; `with_tool` are those that include the tip's error."""
    axes, semi_axes_mm = expected.ellipsoids()
    longest_ct = T_reference_ct.inverse().rotate(axes[:, :, 0])
    return {
        name: TargetRecord(
            rms_mm=float(expected.rms_mm[i]),
            p95_mm=float(expected.p95_mm[i]),
            covariance_reference_mm2=expected.covariance_reference_mm2[i].tolist(),
            semi_axes_mm=as_point(semi_axes_mm[i]),
            longest_ct=as_point(longest_ct[i]),
            with_tool_p95_mm=None if with_tool is None else float(with_tool.p95_mm[i]),
        )
        for i, name in enumerate(names)
    }


def as_point(point: Floats) -> Point:
    """A point or vector ``(3,)`` as a tuple, for JSON."""
    x, y, z = (float(value) for value in point)
    return x, y, z
