"""What a day's check of accuracy found, kept in the rack beside the calibrations of the tool.

RACK/<subject>/accuracy/<made as 2026-11-27T021503Z>.json
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from calibration.accuracy.errors import AccuracyRecordError
from calibration.rack import write_once
from calibration.result import Name

FOLDER = "accuracy"
Size = Annotated[float, Field(ge=0.0)]


class AccuracyRecord(BaseModel):
    """The accuracy of one tool on one day.

    Attributes:
        subject: the tool, by its name in the rack.
        made: when, ISO 8601 with a time zone.
        block: name of the block that it was measured on.
        calibrated: when the calibration that was in force was made.
        n_points, n_poses, duration_s: how much was measured.
        distance_rms_mm, distance_max_mm, distance_mean_mm: error of the distances between points; the mean is signed.
        worst_distance: between which points the largest error is.
        single_point_rms_mm, single_point_p95_mm: how far the tip was from its middle at the point where the tool was
            tilted the most, and by how much that was.
        single_point_tilt_deg: how far it was tilted there.
        expected_distance_rms_mm: what the calibration promises for a distance.
        limit_mm: of the block.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    format: Literal["surgnav_accuracy"] = "surgnav_accuracy"
    subject: Name
    made: str
    block: str
    calibrated: str
    n_points: int
    n_poses: int
    duration_s: Size
    distance_rms_mm: Size
    distance_max_mm: Size
    distance_mean_mm: float
    worst_distance: str
    single_point_rms_mm: Size
    single_point_p95_mm: Size
    single_point_tilt_deg: Size
    expected_distance_rms_mm: Size
    limit_mm: Size

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.made)

    @property
    def is_inside(self) -> bool:
        """Whether distances and the single point are within the limit."""
        return max(self.distance_max_mm, self.single_point_p95_mm) <= self.limit_mm

    def line(self) -> str:
        """The answer in one line."""
        verdict = "within its limit" if self.is_inside else "OUTSIDE its limit"
        return (
            f"{self.subject} on {self.block}: {verdict} of {self.limit_mm:g} mm: "
            f"distances {self.distance_rms_mm:.2f} mm RMS ({self.expected_distance_rms_mm:.2f} expected), "
            f"{self.distance_max_mm:.2f} mm at most ({self.worst_distance}); a single point 95 % within "
            f"{self.single_point_p95_mm:.2f} mm, tilted by {self.single_point_tilt_deg:.0f} degrees"
        )


def keep_record(rack: Path, record: AccuracyRecord) -> Path:
    """Writes a record into the rack, once, and returns its path."""
    content = (record.model_dump_json(indent=2) + "\n").encode()
    return write_once(rack / record.subject / FOLDER, record.made_at, content)


def past_records(rack: Path, subject: str, block: str) -> list[AccuracyRecord]:
    """What was found on a block so far, from the oldest on.

    Raises:
        AccuracyRecordError: a file that is no record.
    """
    return read_records(rack / subject / FOLDER, AccuracyRecord, block)


class OnBlock(Protocol):
    """A record of one check on a block."""

    @property
    def block(self) -> str: ...
    @property
    def made_at(self) -> datetime: ...


Record = TypeVar("Record", bound=OnBlock)


def read_records(folder: Path, kind: type[Record], block: str) -> list[Record]:
    """The records of a kind, a model of pydantic, that a folder has of a block, from the oldest on.

    Raises:
        AccuracyRecordError: a file that is no such record.
    """
    found: list[Record] = []
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            record = TypeAdapter(kind).validate_json(path.read_bytes())
        except ValidationError as error:
            fault = error.errors()[0]
            came = f"{path.name} with {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            raise AccuracyRecordError(came, "a record of accuracy", "move it out of the rack") from error
        found += [record] if record.block == block else []
    return sorted(found, key=lambda record: record.made_at)
