"""Points of spheres frame by frame, as a table with a row for each point: ``frame``, ``x_mm``, ``y_mm``, ``z_mm``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from calibration.tool_geometry.errors import PointsFileError
from geometry.points import Floats

_COLUMNS = ("frame", "x_mm", "y_mm", "z_mm")
# No tracker has its volume so near that all that it ever saw of a tool lies within this: it is in metres.
_NEAREST_MM = 10.0


def read_points(path: Path) -> list[Floats]:
    """The points of each frame, ``(k, 3)`` in mm, in the order in which the frames first appear.

    Raises:
        PointsFileError: no such file, other columns, numbers that are none, or points in metres.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise _no_points(path, (error.strerror or str(error)).lower()) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_points(path, f"which is no table: {error}") from error
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise _no_points(path, f"without a column {', '.join(missing)}")
    columns = [header.index(name) for name in _COLUMNS]
    frames: dict[str, list[list[float]]] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        try:
            frame, *point = (row[column] for column in columns)
            values = [float(value) for value in point]
        except (ValueError, IndexError):
            raise _no_points(path, f"with no three numbers in line {line}") from None
        if not np.isfinite(values).all():
            raise _no_points(path, f"with NaN or infinity in line {line}")
        frames.setdefault(frame, []).append(values)
    found = [np.array(points) for points in frames.values()]
    if found and np.abs(np.concatenate(found)).max() < _NEAREST_MM:
        raise _no_points(path, f"whose points all lie within {_NEAREST_MM:g} mm of the tracker: they are in metres")
    return found


def _no_points(path: Path, why: str) -> PointsFileError:
    return PointsFileError(
        f"the points {path.name}, {why}",
        f"a CSV file with the columns {', '.join(_COLUMNS)}, in mm",
        "export the single points that the tracker sees, frame by frame",
    )
