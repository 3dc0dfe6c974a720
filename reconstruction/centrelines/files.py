"""Centrelines as 3D Slicer markups curves (``.mrk.json``), with the radius where Slicer's own tools look for it.

Conventions of `case.markups`: LPS and mm are written; LPS and RAS are read, anything else is refused. The
radius is a measurement named ``Radius`` with one value for each control point, as SlicerVMTK writes it. Each branch has
a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from case.errors import MarkupsError
from case.markups import ACTION, AXES_LPS, needs_flip, only_markup, write_markup
from geometry.errors import FrameMismatchError, InvalidPointsError
from geometry.frames import CT
from geometry.orientation import flip_ras_lps
from geometry.points import Floats, as_points, read_only
from reconstruction.centrelines.centrelines import CentrelineGraph


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve from a file: its name, points ``(n, 3)`` in `ct`, and radius ``(n,)`` in mm, None where there is none."""

    name: str
    points_ct_mm: Floats
    radius_mm: Floats | None


def write_centrelines(folder: Path, name: str, graph: CentrelineGraph) -> tuple[Path, ...]:
    """Writes each branch as ``NAME_01.mrk.json`` and so on, longest first, into an existing folder.

    Raises:
        FrameMismatchError: a graph that is not in `ct`.
    """
    if graph.frame != CT:
        raise FrameMismatchError(f"centrelines in '{graph.frame}'", f"points in '{CT}'", "transform them first")
    paths = []
    for number, branch in enumerate(graph.branches, start=1):
        path = folder / f"{name}_{number:02d}.mrk.json"
        write_curve(
            path, f"{name} {number}: node {branch.start} to {branch.end}", branch.points_ct_mm, branch.radius_mm
        )
        paths.append(path)
    return tuple(paths)


def write_curve(path: Path, name: str, points_ct_mm: ArrayLike, radius_mm: ArrayLike | None = None) -> None:
    """Writes points ``(n, 3)`` of `ct` as an open curve, atomically.

    Raises:
        MarkupsError: fewer than two points, another number of radii, or the wrong ending.
        InvalidPointsError: points that are not finite ``(n, 3)``.
    """
    points = as_points(points_ct_mm, "curve points")
    radii = None if radius_mm is None else np.asarray(radius_mm, dtype=np.float64)
    if len(points) < 2 or (radii is not None and (radii.shape != (len(points),) or not np.isfinite(radii).all())):
        raise MarkupsError(f"{len(points)} points", "two or more, with one finite radius each", "pass a whole curve")
    more: dict[str, Any] = {}
    if radii is not None:
        radius = {"name": "Radius", "enabled": False, "units": "mm", "controlPointValues": radii.tolist()}
        more["measurements"] = [radius]
    control_points = [_control_point(number, point) for number, point in enumerate(points, start=1)]
    write_markup(path, "Curve", name, control_points, locked=True, more=more)


def read_curve(path: Path) -> Curve:
    """Reads a file with one open curve, LPS or RAS, as points of `ct`.

    Raises:
        MarkupsError: not one curve, an unknown coordinate system or unit, a point without a place, or radii that do
            not match the points.
    """
    markup = only_markup(path, "Curve")
    flip = needs_flip(markup)
    try:
        points = as_points([control["position"] for control in markup["controlPoints"]], "curve points", minimum=2)
        radius = _radius(markup, len(points))
    except (KeyError, TypeError, ValueError, InvalidPointsError) as error:
        raise MarkupsError("points or radii that are not finite numbers", "x, y, z of each point", ACTION) from error
    points = flip_ras_lps(points) if flip else points
    return Curve(str(markup.get("name", "")), read_only(points), radius)


def _radius(markup: Mapping[str, Any], count: int) -> Floats | None:
    for measurement in markup.get("measurements", []):
        if measurement.get("name") == "Radius" and "controlPointValues" in measurement:
            if measurement.get("units", "mm") != "mm":
                raise MarkupsError(f"a radius in {measurement['units']!r}", "mm", ACTION)
            radius = np.asarray(measurement["controlPointValues"], dtype=np.float64)
            if radius.shape != (count,) or not np.isfinite(radius).all():
                raise MarkupsError(f"radii of shape {radius.shape}", f"one for each of {count} points", ACTION)
            return read_only(radius)
    return None


def _control_point(number: int, point_ct_mm: Floats) -> dict[str, Any]:
    return {
        "id": str(number),
        "label": "",
        "position": point_ct_mm.tolist(),
        "orientation": AXES_LPS,
        "selected": True,
        "locked": True,
        "visibility": True,
        "positionStatus": "defined",
    }
