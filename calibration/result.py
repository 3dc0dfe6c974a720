"""What every calibration comes to, whatever was calibrated: values, their errors, the verdict; and its JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from scipy.spatial.transform import Rotation

from calibration.errors import CalibrationRefusedError, CalibrationResultError
from geometry import Transform
from geometry.points import Floats

FORMAT: Literal["surgnav_calibration"] = "surgnav_calibration"
Kind = Literal[
    "pivot",
    "spin",
    "camera",
    "stereo",
    "hand_eye",
    "headset_to_tracker",
    "tool_geometry",
    "probe_temporal",
    "probe_spatial",
]
ACCEPTED: Literal["accepted"] = "accepted"
REFUSED: Literal["refused"] = "refused"
# Names of folders in the rack as well: nothing else may stand in them.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_Count = Annotated[int, Field(ge=0)]
_Size = Annotated[float, Field(ge=0.0)]
_Three = tuple[float, float, float]
_Four = tuple[float, float, float, float]
_UNIT_LENGTH = 1e-6
_LARGEST_BYTES = 50_000_000
_ACTION = "calibrate it again; results are not edited by hand"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class InputFile(_Part):
    """A file that a calibration was computed from, or a device it was recorded at.

    Attributes:
        name: of the file, without its folder, or of the device.
        sha256: of the file's bytes, or of the poses that the device gave.
    """

    name: str = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class CalibratedTransform(_Part):
    """A rigid transform ``T_to_from`` that was calibrated.

    Attributes:
        translation_mm, quaternion_xyzw: as `geometry.Transform` has them.
        covariance: of (rotation vector in rad, translation in mm), ``(6, 6)`` row by row, of an error that is applied
            from the left, along the axes of `to_frame`; None where it is not known.
    """

    to_frame: Name
    from_frame: Name
    translation_mm: _Three
    quaternion_xyzw: _Four
    covariance: tuple[tuple[float, ...], ...] | None = None

    @classmethod
    def of(cls, transform: Transform, covariance: Floats | None = None) -> Self:
        """From a transform and its covariance ``(6, 6)``."""
        x, y, z = transform.translation_mm.tolist()
        qx, qy, qz, qw = transform.rotation.as_quat().tolist()
        rows = None if covariance is None else tuple(map(tuple, np.asarray(covariance, np.float64).tolist()))
        return cls(
            to_frame=transform.to_frame,
            from_frame=transform.from_frame,
            translation_mm=(x, y, z),
            quaternion_xyzw=(qx, qy, qz, qw),
            covariance=rows,
        )

    @property
    def transform(self) -> Transform:
        rotation = Rotation.from_quat(self.quaternion_xyzw)
        return Transform.from_rotation(rotation, self.translation_mm, self.to_frame, self.from_frame)

    @property
    def covariance_matrix(self) -> Floats | None:
        """``(6, 6)``, or None."""
        return None if self.covariance is None else np.array(self.covariance)

    @field_validator("quaternion_xyzw")
    @classmethod
    def _is_a_rotation(cls, value: _Four) -> _Four:
        if abs(float(np.linalg.norm(value)) - 1.0) > _UNIT_LENGTH:
            raise ValueError(f"a quaternion of length 1, not {np.linalg.norm(value):.6g}")
        return value

    @field_validator("covariance")
    @classmethod
    def _is_a_covariance(cls, value: tuple[tuple[float, ...], ...] | None) -> tuple[tuple[float, ...], ...] | None:
        if value is None:
            return None
        if len(value) != 6 or any(len(row) != 6 for row in value):
            raise ValueError("6 rows of 6 numbers")
        matrix = np.array(value)
        largest = float(np.abs(matrix).max())
        if np.abs(matrix - matrix.T).max() > 1e-9 * largest or np.linalg.eigvalsh(matrix).min() < -1e-9 * largest:
            raise ValueError("a symmetric matrix without negative eigenvalues")
        return value


class Outlier(_Part):
    """A sample that contradicts the others and was left out.

    Attributes:
        index: which sample, from 0 on.
        time_s: when, on the device's clock; None for samples without a time.
        residual: how far off, in the `residual_unit` of the result.
    """

    index: int = Field(ge=0)
    time_s: float | None
    residual: float = Field(ge=0.0)


class ExpectedError(_Part):
    """What a calibration is worth.

    Attributes:
        value: RMS error that is to be expected, in `unit`.
        at: the point or quantity that it holds for, such as ``stylus_tip``.
    """

    value: float = Field(ge=0.0)
    unit: str = Field(min_length=1)
    at: str = Field(min_length=1)


class CalibrationResult(_Part):
    """The result of one calibration, accepted or refused; written once, never changed.

    Attributes:
        kind: what was calibrated.
        subject: the tool or device, by its name in the room.
        made: when, ISO 8601 with a time zone.
        method: in words, with its paper.
        inputs: what it was computed from.
        transforms: what came out of it.
        numbers: by a name that ends in its unit, such as ``time_offset_ms``.
        matrices: what is no rigid transform, by name: pixels to a probe with their spacing, a camera matrix.
        n_used, n_rejected: numbers of samples.
        outliers: the samples that were rejected.
        residual_rms, residual_p95: of the samples used, in `residual_unit`; None where nothing came out.
        coverage: sentences, with numbers, on which motions and places the samples cover.
        expected_error: what it is worth; None only where it was refused.
        verdict, reasons: whether it may be used, and why not, in sentences.
    """

    format: Literal["surgnav_calibration"] = FORMAT
    kind: Kind
    subject: Name
    made: str
    method: str = Field(min_length=1)
    inputs: tuple[InputFile, ...] = ()
    transforms: tuple[CalibratedTransform, ...] = ()
    numbers: dict[str, float] = Field(default_factory=dict)
    matrices: dict[str, tuple[tuple[float, ...], ...]] = Field(default_factory=dict)
    n_used: _Count
    n_rejected: _Count = 0
    outliers: tuple[Outlier, ...] = ()
    residual_rms: _Size | None = None
    residual_p95: _Size | None = None
    residual_unit: str = "mm"
    coverage: tuple[str, ...] = ()
    expected_error: ExpectedError | None = None
    verdict: Literal["accepted", "refused"]
    reasons: tuple[str, ...] = ()

    @classmethod
    def or_refused(
        cls,
        calibrate: Callable[[], Self],
        *,
        kind: Kind,
        subject: str,
        made: str,
        method: str,
        n_used: int,
        inputs: Sequence[InputFile] = (),
    ) -> Self:
        """What `calibrate` comes to, or, where it raises a `CalibrationRefusedError`, what is kept of the refusal."""
        try:
            return calibrate()
        except CalibrationRefusedError as error:
            return cls(
                kind=kind,
                subject=subject,
                made=made,
                method=method,
                inputs=tuple(inputs),
                n_used=n_used,
                verdict=REFUSED,
                reasons=(str(error),),
            )

    @property
    def is_accepted(self) -> bool:
        return self.verdict == ACCEPTED

    @property
    def made_at(self) -> datetime:
        """`made`, with its time zone."""
        return datetime.fromisoformat(self.made)

    def transform(self, to_frame: str, from_frame: str) -> Transform:
        """The calibrated ``T_to_from``.

        Raises:
            CalibrationResultError: the result has none between these frames.
        """
        for each in self.transforms:
            if (each.to_frame, each.from_frame) == (to_frame, from_frame):
                return each.transform
        there = ", ".join(f"T_{each.to_frame}_{each.from_frame}" for each in self.transforms) or "no transform"
        raise CalibrationResultError(
            f"T_{to_frame}_{from_frame} of the {self.kind} calibration of {self.subject}, which has {there}",
            "a transform that it has",
            "calibrate what is needed, or name another calibration",
        )

    def to_json(self) -> str:
        """The file, for `read_result`."""
        return self.model_dump_json(indent=2) + "\n"

    @field_validator("made")
    @classmethod
    def _has_a_zone(cls, value: str) -> str:
        try:
            zone = datetime.fromisoformat(value).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise ValueError("a time in ISO 8601 with its time zone, such as 2026-11-27T02:15:03+00:00")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.verdict == REFUSED and not self.reasons:
            raise ValueError("a reason for verdict = 'refused'")
        if self.verdict == ACCEPTED and self.expected_error is None:
            raise ValueError("an expected_error with verdict = 'accepted'")
        return self


def read_result(path: Path) -> CalibrationResult:
    """Reads the result of a calibration.

    Raises:
        CalibrationResultError: no such file, or not such a result.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise CalibrationResultError(f"{path.name}, larger than {_LARGEST_BYTES:,} bytes", "a result", _ACTION)
        return CalibrationResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CalibrationResultError(
            f"the calibration {path}: {(error.strerror or str(error)).lower()}",
            "a file that can be read",
            "correct the path, or calibrate it",
        ) from error
    except ValidationError as error:
        faults = "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in error.errors()[:5])
        allowed = f"JSON with format = {FORMAT!r}, as 'surgnav calibrate' writes it"
        raise CalibrationResultError(f"the calibration {path.name} with {faults}", allowed, _ACTION) from error
