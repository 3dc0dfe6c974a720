"""Measured points in files that state their frame: touched landmarks as JSON, a sweep as CSV or PLY.

3D Slicer's markups always mean the CT, so points of the tracker's ``reference`` never come from them: a frame is read,
not guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from geometry.errors import InvalidPointsError
from geometry.frames import CT, REFERENCE
from geometry.points import Floats, as_points, read_only
from navigation.acquisition import TouchedPoint
from navigation.errors import PointsFileError
from reconstruction.atomic import atomic_write
from reconstruction.markups import read_markups

CSV_HEADER = "x_reference_mm,y_reference_mm,z_reference_mm"
MARKUPS = ".mrk.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PointRecord(_Record):
    """One point; the spread of the frames it was averaged from, and their number, where they are known."""

    position_mm: tuple[float, float, float]
    spread_rms_mm: float | None = None
    frames: int | None = None


class PointsFile(_Record):
    """Points of one frame: named, or, where nobody knows which is which, in a list."""

    schema_name: Literal["surgnav.points"] = "surgnav.points"
    schema_version: Literal[1] = 1
    frame: Literal["ct", "reference"]
    units: Literal["mm"]
    order: Literal["known", "unknown"] = "known"
    points: dict[str, PointRecord] | tuple[PointRecord, ...]

    @model_validator(mode="after")
    def _order_is_that_of_the_points(self) -> PointsFile:
        if isinstance(self.points, dict) != (self.order == "known"):
            raise ValueError('named points are of "order": "known", a list of points of "order": "unknown"')
        return self


def write_touched(path: Path, touched: Mapping[str, TouchedPoint]) -> None:
    """Writes touched landmarks as JSON that names the frame ``reference``, atomically."""
    points = {name: _record_of(touch) for name, touch in touched.items()}
    _write(path, PointsFile(frame="reference", units="mm", points=points))


def write_unordered(path: Path, touched: Sequence[TouchedPoint]) -> None:
    """Writes touched points of which nobody knows the landmark, in the same way."""
    points = tuple(_record_of(touch) for touch in touched)
    _write(path, PointsFile(frame="reference", units="mm", order="unknown", points=points))


def read_touched_or_unordered(path: Path) -> tuple[dict[str, TouchedPoint], tuple[TouchedPoint, ...]]:
    """Touched landmarks by name, and touched points of unknown order: a file holds the one or the other.

    Raises:
        PointsFileError: as `read_touched`.
    """
    points = _read(path, REFERENCE)
    if isinstance(points, dict):
        return {name: _touch_of(point) for name, point in points.items()}, ()
    return {}, tuple(_touch_of(point) for point in points)


def read_touched(path: Path) -> dict[str, TouchedPoint]:
    """Touched landmarks by name, from JSON that names the frame ``reference``.

    Raises:
        PointsFileError: 3D Slicer markups, another frame or unit, points without names, or no such file.
    """
    return {name: _touch_of(point) for name, point in _named(path, REFERENCE).items()}


def read_planned(path: Path) -> dict[str, Floats]:
    """Planned points ``(3,)`` by name in ct: 3D Slicer markups, or JSON that names the frame ``ct``.

    Raises:
        MarkupsError, PointsFileError: neither of the two, or another frame or unit.
    """
    if path.name.endswith(MARKUPS):
        return dict(read_markups(path).points_ct_mm)
    return {name: read_only(np.array(point.position_mm)) for name, point in _named(path, CT).items()}


def write_sweep(path: Path, points_reference_mm: Floats) -> None:
    """Writes swept points ``(n, 3)`` as CSV whose header names frame and unit; every digit is kept. Atomically."""
    rows = [",".join(map(repr, row)) for row in points_reference_mm.tolist()]
    atomic_write(path, "\n".join([CSV_HEADER, *rows, ""]).encode())


def read_sweep(path: Path) -> Floats:
    """Swept points ``(n, 3)`` in reference, in mm: CSV as `write_sweep` makes it, or PLY that states its frame.

    Raises:
        PointsFileError: no such file, a frame or unit that is not stated, or not numbers.
    """
    try:
        points = _ply_points(path) if path.suffix == ".ply" else _csv_points(path)
        return read_only(as_points(points, "swept points", minimum=1))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, InvalidPointsError) as error:
        raise PointsFileError(
            f"{path.name}, which holds no swept points ({error})",
            f"CSV with the header {CSV_HEADER}, or PLY with the comment 'frame=reference unit=mm'",
            "export the sweep again",
        ) from error


def _touch_of(point: PointRecord) -> TouchedPoint:
    return TouchedPoint(read_only(np.array(point.position_mm)), point.spread_rms_mm, point.frames)


def _record_of(touch: TouchedPoint) -> PointRecord:
    x, y, z = touch.point_reference_mm.tolist()
    return PointRecord(position_mm=(x, y, z), spread_rms_mm=touch.spread_rms_mm, frames=touch.n_frames)


def _write(path: Path, file: PointsFile) -> None:
    document = file.model_dump(mode="json", exclude_none=True)
    atomic_write(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def _named(path: Path, frame: str) -> dict[str, PointRecord]:
    points = _read(path, frame)
    if not isinstance(points, dict):
        raise PointsFileError(
            f"{path.name} with points of unknown order", "points with names", "name each after its landmark"
        )
    return points


def _read(path: Path, frame: str) -> dict[str, PointRecord] | tuple[PointRecord, ...]:
    if path.name.endswith(MARKUPS):
        raise PointsFileError(
            f"3D Slicer markups ({path.name}) for points of '{frame}'",
            f'JSON with "frame": "{frame}", "units": "mm"',
            "markups hold coordinates of the CT; write what was touched with its frame",
        )
    try:
        file = PointsFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PointsFileError(f"{path}, which cannot be read", "a file of points", "check the path") from error
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise PointsFileError(
            f"{path.name} with '{'.'.join(map(str, fault['loc']))}': {fault['msg']}",
            f'"frame": "{frame}", "units": "mm", "points": {{name: {{"position_mm": [x, y, z]}}}}',
            "write the points with their frame and unit",
        ) from error
    if file.frame != frame:
        raise PointsFileError(
            f"{path.name} with points of '{file.frame}'", f"points of '{frame}'", "give the file of the other side"
        )
    if not file.points:
        raise PointsFileError(f"{path.name} without points", "at least one", "measure first")
    return file.points


def _csv_points(path: Path) -> Floats:
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    if header.replace(" ", "") != CSV_HEADER:
        raise ValueError(f"the header {header[:80]!r} names no frame and unit")
    return np.array([[float(number) for number in row.split(",")] for row in rows if row.strip()])


def _ply_points(path: Path) -> Floats:
    head = path.read_bytes()[:4096].partition(b"end_header")[0].decode("ascii", errors="replace")
    stated = {word for line in head.splitlines() if line.startswith("comment") for word in line.split()}
    if not {f"frame={REFERENCE}", "unit=mm"} <= stated:
        raise ValueError("no comment states 'frame=reference unit=mm'")
    import trimesh

    return np.asarray(trimesh.load(path, file_type="ply").vertices, dtype=np.float64)
