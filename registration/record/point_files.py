"""Files of points that state their frame: touched landmarks as JSON, a sweep as CSV or PLY, a plan as markups or JSON.

3D Slicer's markups hold coordinates of the CT, so points in the tracker's ``reference`` are never read from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from case.atomic import atomic_write
from case.fcsv import read_fcsv
from case.markups import read_markups
from case.text_files import ContentError, read_json
from geometry.errors import InvalidPointsError
from geometry.frames import CT, REFERENCE
from geometry.orientation import flip_ras_lps
from geometry.points import Floats, as_points, read_only
from registration.errors import PointsFileError
from registration.measurements import TouchedPoint
from registration.record.point_tables import read_point_table
from registration.uncertainty.mobility import LandmarkKind

CSV_HEADER = "x_reference_mm,y_reference_mm,z_reference_mm"
MARKUPS = ".mrk.json"
FCSV = ".fcsv"
SWEEPS = f"CSV with the header {CSV_HEADER}, or PLY with the comment 'frame=reference unit=mm'"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PointRecord(_Record):
    """One point in a file.

    Attributes:
        position_mm: its position in the file's frame.
        spread_rms_mm: RMS spread of the frames it was averaged from; None if unknown.
        frames: number of these frames; None if unknown.
        kind: kind of a planned landmark, where it is stated.
    """

    position_mm: tuple[float, float, float]
    spread_rms_mm: float | None = None
    frames: int | None = None
    kind: LandmarkKind | None = None


class PointsFile(_Record):
    """Points of one frame: by name, or as a list if it is unknown which landmark each of them is.

    Attributes:
        coordinate_system: axes of points in ct; LPS if left out.
        order: ``known`` with names, ``unknown`` with a list.
    """

    schema_name: Literal["surgnav.points"] = "surgnav.points"
    schema_version: Literal[1] = 1
    frame: Literal["ct", "reference"]
    units: Literal["mm"]
    coordinate_system: Literal["LPS", "RAS"] | None = None
    order: Literal["known", "unknown"] = "known"
    points: dict[str, PointRecord] | tuple[PointRecord, ...]

    @model_validator(mode="after")
    def _order_is_that_of_the_points(self) -> PointsFile:
        if isinstance(self.points, dict) != (self.order == "known"):
            raise ValueError('named points are of "order": "known", a list of points of "order": "unknown"')
        if self.coordinate_system is not None and self.frame != CT:
            raise ValueError('a "coordinate_system" (LPS or RAS) belongs to points of "frame": "ct" only')
        return self


def write_touched(path: Path, touched: Mapping[str, TouchedPoint]) -> None:
    """Writes touched landmarks as JSON that names the frame ``reference``, atomically."""
    points = {name: _record_of(touch) for name, touch in touched.items()}
    _write(path, PointsFile(frame="reference", units="mm", points=points))


def write_unordered(path: Path, touched: Sequence[TouchedPoint]) -> None:
    """Writes touched points of unknown order as JSON that names the frame ``reference``, atomically."""
    points = tuple(_record_of(touch) for touch in touched)
    _write(path, PointsFile(frame="reference", units="mm", order="unknown", points=points))


def read_touched_or_unordered(path: Path) -> tuple[dict[str, TouchedPoint], tuple[TouchedPoint, ...]]:
    """Reads touched landmarks by name, and touched points of unknown order; one of the two is empty.

    Raises:
        PointsFileError: as for `read_touched`, except for points without names.
    """
    points = _read(path, REFERENCE).points
    if isinstance(points, dict):
        return {name: _touch_of(point) for name, point in points.items()}, ()
    return {}, tuple(_touch_of(point) for point in points)


def read_touched(path: Path) -> dict[str, TouchedPoint]:
    """Reads touched landmarks by name from JSON that names the frame ``reference``.

    Raises:
        PointsFileError: 3D Slicer markups, another frame or unit, points without names, or an unreadable file.
    """
    return {name: _touch_of(point) for name, point in _named(path, _read(path, REFERENCE)).items()}


def read_planned(path: Path) -> dict[str, Floats]:
    """Reads planned points ``(3,)`` in ct, by name: 3D Slicer's markups or .fcsv, or JSON that names the frame ``ct``.

    Raises:
        MarkupsError: markups that cannot be read, or are in another unit.
        PointsFileError: another format, frame or unit.
    """
    if path.name.endswith(MARKUPS):
        return dict(read_markups(path).points_ct_mm)
    if path.suffix.lower() == FCSV:
        return dict(read_fcsv(path).points_ct_mm)
    file = _read(path, CT)
    turned = flip_ras_lps if file.coordinate_system == "RAS" else np.array
    return {name: read_only(turned(point.position_mm)) for name, point in _named(path, file).items()}


def write_sweep(path: Path, points_reference_mm: Floats) -> None:
    """Writes swept points ``(n, 3)`` at full precision as CSV whose header names frame and unit, atomically."""
    rows = [",".join(map(repr, row)) for row in points_reference_mm.tolist()]
    atomic_write(path, "\n".join([CSV_HEADER, *rows, ""]).encode())


def read_sweep(path: Path) -> Floats:
    """Reads swept points ``(n, 3)`` in reference, in mm, from CSV (of `write_sweep` or a spreadsheet) or PLY.

    Raises:
        PointsFileError: an unreadable file, a frame or unit that is not stated, or content that is not numbers.
    """
    columns = CSV_HEADER.split(",")
    try:
        points = (
            _ply_points(path) if path.suffix == ".ply" else read_point_table(path, (columns[0], columns[1], columns[2]))
        )
        return read_only(as_points(points, "swept points", minimum=1))
    except ContentError as error:
        raise PointsFileError(f"{path.name}: {error}", SWEEPS, "export the sweep again") from error
    except (OSError, ValueError, TypeError, LookupError, AttributeError, InvalidPointsError) as error:
        raise PointsFileError(
            f"{path.name}, which holds no swept points ({error})", SWEEPS, "export the sweep again"
        ) from error


def _touch_of(point: PointRecord) -> TouchedPoint:
    return TouchedPoint(read_only(np.array(point.position_mm)), point.spread_rms_mm, point.frames)


def _record_of(touch: TouchedPoint) -> PointRecord:
    x, y, z = touch.point_reference_mm.tolist()
    return PointRecord(position_mm=(x, y, z), spread_rms_mm=touch.spread_rms_mm, frames=touch.n_frames)


def _write(path: Path, file: PointsFile) -> None:
    document = file.model_dump(mode="json", exclude_none=True)
    atomic_write(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def _named(path: Path, file: PointsFile) -> dict[str, PointRecord]:
    if not isinstance(file.points, dict):
        raise PointsFileError(
            f"{path.name} with points of unknown order", "points with names", "name each after its landmark"
        )
    return file.points


def _read(path: Path, frame: str) -> PointsFile:
    if path.name.endswith(MARKUPS) or path.suffix.lower() == FCSV:
        raise _markups_here(path, frame)
    try:
        document = read_json(path)
        if isinstance(document, dict) and "markups" in document:
            raise _markups_here(path, frame)
        file = PointsFile.model_validate(document)
    except OSError as error:
        raise PointsFileError(f"{path}, which cannot be read", "a file of points", "check the path") from error
    except ContentError as error:
        raise PointsFileError(
            f"{path.name}: {error}", _allowed(frame), "write the points with their frame and unit"
        ) from error
    except ValidationError as error:
        raise PointsFileError(
            f"{path.name} with {_fault(error)}", _allowed(frame), "write the points with their frame and unit"
        ) from error
    if file.frame != frame:
        raise PointsFileError(
            f"{path.name} with points of '{file.frame}'", f"points of '{frame}'", "pass the file of the other side"
        )
    if not file.points:
        raise PointsFileError(f"{path.name} without points", "at least one point", "measure the points first")
    return file


def _fault(error: ValidationError) -> str:
    """Place and kind of the first fault, without the names of this program's classes."""
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"] if "[" not in str(part)) or "the whole"
    return f"'{place}': {fault['msg'].replace(' or instance of PointRecord', '')}"


def _allowed(frame: str) -> str:
    return f'JSON with "frame": "{frame}", "units": "mm", "points": {{name: {{"position_mm": [x, y, z]}}}}'


def _markups_here(path: Path, frame: str) -> PointsFileError:
    if frame == CT:
        return PointsFileError(
            f"3D Slicer markups in {path.name}", f"markups in a file that ends in {MARKUPS}", "rename it"
        )
    return PointsFileError(
        f"3D Slicer markups ({path.name}) for points of '{frame}'",
        f'JSON with "frame": "{frame}", "units": "mm"',
        "write the touched points with their frame (markups hold coordinates of the CT)",
    )


def _ply_points(path: Path) -> Floats:
    head = path.read_bytes()[:4096].partition(b"end_header")[0].decode("ascii", errors="replace")
    stated = {word for line in head.splitlines() if line.startswith("comment") for word in line.split()}
    if not {f"frame={REFERENCE}", "unit=mm"} <= stated:
        raise ValueError("no comment states 'frame=reference unit=mm'")
    import trimesh

    return np.asarray(trimesh.load(path, file_type="ply").vertices, dtype=np.float64)
