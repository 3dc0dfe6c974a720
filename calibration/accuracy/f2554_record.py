"""What the tests of ASTM F2554 found, kept in the rack beside the quick checks of the tool.

RACK/<subject>/accuracy/f2554/<made as 2026-11-27T021503Z>.json
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from calibration.accuracy.record import FOLDER, Size, read_records
from calibration.rack import write_once
from calibration.result import Name

F2554_FOLDER = "f2554"
Axis = Literal["roll", "pitch", "yaw"]
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class PointTest(BaseModel):
    """A single point, touched again and again.

    Attributes:
        n: touches.
        bias_mm: from the mean of the touches to where the point is, by a rigid fit of the block's other points; None
            where these do not say it.
        precision_mm: standard deviation of a touch in 3-D.
        p95_mm, max_mm: distance of the touches from their mean: 95 %, and the largest.
    """

    model_config = _STRICT
    n: int
    bias_mm: Size | None
    precision_mm: Size
    p95_mm: Size
    max_mm: Size


class AxisTest(BaseModel):
    """The tool turned about one axis, with its tip in the single point.

    Attributes:
        axis: roll is about the line from the tool's origin to its tip; pitch and yaw are across it.
        n: poses.
        low_deg, high_deg: how far it was turned, from the middle.
        bias_mm: from the single point's mean to that of the turned tip.
        precision_mm: standard deviation of the turned tip in 3-D.
        p95_mm, max_mm: distance of the turned tip from the single point's mean: 95 %, and the largest.
    """

    model_config = _STRICT
    axis: Axis
    n: int
    low_deg: float
    high_deg: float
    bias_mm: Size
    precision_mm: Size
    p95_mm: Size
    max_mm: Size


class DistanceTest(BaseModel):
    """Distances between the block's points, measured minus known.

    Attributes:
        n: distances; in `n_rounds` each pair of points has one.
        bias_mm: their mean error, signed.
        precision_mm: standard deviation of the error.
        rms_mm, p95_mm, max_mm: of the error's size.
        worst: between which points the largest is.
    """

    model_config = _STRICT
    n: int
    n_rounds: int
    bias_mm: float
    precision_mm: Size
    rms_mm: Size
    p95_mm: Size
    max_mm: Size
    worst: str


class F2554Record(BaseModel):
    """The accuracy of one tool on one day, by the tests of ASTM F2554.

    Attributes:
        subject: the tool, by its name in the rack.
        made: when, ISO 8601 with a time zone.
        block: name of the block that it was measured on.
        calibrated: when the calibration that was in force was made.
        relative_to: frame that the poses were given in.
        duration_s: of the three tests together.
        block_fit_rms_mm: how well the block's other points fitted where the single point's bias is from.
        expected_distance_rms_mm: what the calibration promises for a distance.
        limit_mm: of the block.
    """

    model_config = _STRICT
    format: Literal["surgnav_accuracy_f2554"] = "surgnav_accuracy_f2554"
    subject: Name
    made: str
    block: str
    calibrated: str
    relative_to: str
    duration_s: Size
    single: PointTest
    block_fit_rms_mm: Size | None
    rotation: tuple[AxisTest, AxisTest, AxisTest]
    distances: DistanceTest
    expected_distance_rms_mm: Size
    limit_mm: Size

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.made)

    @property
    def worst_rotation_p95_mm(self) -> float:
        """Of the axis about which the tip wandered most."""
        return max(axis.p95_mm for axis in self.rotation)

    @property
    def is_inside(self) -> bool:
        """Whether every distance, and 95 % of what was seen of the single point, are within the limit."""
        single = max(self.single.p95_mm, self.single.bias_mm or 0.0)
        return max(single, self.worst_rotation_p95_mm, self.distances.max_mm) <= self.limit_mm

    def lines(self) -> tuple[str, ...]:
        """The answer, a line for the verdict and one for each test."""
        verdict = "within its limit" if self.is_inside else "OUTSIDE its limit"
        single, off = self.single, self.distances
        bias = "bias not known" if single.bias_mm is None else f"bias {single.bias_mm:.2f} mm"
        return (
            f"{self.subject} on {self.block}, by the tests of ASTM F2554: {verdict} of {self.limit_mm:g} mm",
            f"single point, {single.n} touches: {bias}, precision {single.precision_mm:.2f} mm, "
            f"95 % within {single.p95_mm:.2f} mm, {single.max_mm:.2f} mm at most",
            *(
                f"{axis.axis} from {axis.low_deg:+.0f} to {axis.high_deg:+.0f} degrees: bias {axis.bias_mm:.2f} mm, "
                f"precision {axis.precision_mm:.2f} mm, 95 % within {axis.p95_mm:.2f} mm, {axis.max_mm:.2f} mm at most"
                for axis in self.rotation
            ),
            f"{off.n} distances: bias {off.bias_mm:+.2f} mm, precision {off.precision_mm:.2f} mm, "
            f"{off.rms_mm:.2f} mm RMS ({self.expected_distance_rms_mm:.2f} expected), "
            f"{off.max_mm:.2f} mm at most ({off.worst})",
        )


def keep_f2554(rack: Path, record: F2554Record) -> Path:
    """Writes a record into the rack, once, and returns its path."""
    content = (record.model_dump_json(indent=2) + "\n").encode()
    return write_once(rack / record.subject / FOLDER / F2554_FOLDER, record.made_at, content)


def past_f2554(rack: Path, subject: str, block: str) -> list[F2554Record]:
    """What was found on a block so far, from the oldest on.

    Raises:
        AccuracyRecordError: a file that is no record.
    """
    return read_records(rack / subject / FOLDER / F2554_FOLDER, F2554Record, block)
