"""Points as 3D Slicer markups (``.mrk.json``): landmarks and plans that a surgeon can open, move and save.

Format: Slicer's markups-schema-v1.0.3. Written in LPS and mm; LPS and RAS are read, anything else is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from case.atomic import atomic_write
from case.errors import MarkupsError
from case.text_files import ContentError, read_json
from geometry.errors import InvalidPointsError
from geometry.orientation import flip_ras_lps
from geometry.points import Floats, as_points, read_only

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
MM = ("mm", ["mm", "UCUM", "millimeter"], None)  # the schema's default is mm
KINDS = {
    "Fiducial": "a list of points",
    "Curve": "an open curve",
    "ClosedCurve": "a closed curve",
    "Line": "a line between two points",
}
AXES_LPS = [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]  # Slicer's own axes (RAS), given in LPS
ACTION = "save the points again from 3D Slicer as .mrk.json"


@dataclass(frozen=True, eq=False)
class Markups:
    """A named list of points.

    Attributes:
        name: the list's name.
        points_ct_mm: label -> point ``(3,)`` in the frame ``ct`` (LPS), in file order.
        undefined: labels of points that were announced but never placed.
        descriptions: label -> the text that Slicer shows beside the point; labels without text are missing.
    """

    name: str
    points_ct_mm: Mapping[str, Floats]
    undefined: tuple[str, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)


def write_markups(
    path: Path,
    name: str,
    points_ct_mm: Mapping[str, ArrayLike],
    descriptions: Mapping[str, str] | None = None,
    kind: str = "Fiducial",
) -> None:
    """Writes labelled points of the frame ``ct`` as a Slicer point list, atomically.

    Args:
        descriptions: label -> text that Slicer shows beside the point.
        kind: what Slicer makes of the points, one of `KINDS`.

    Raises:
        MarkupsError: no points, an empty label, or the wrong ending.
        InvalidPointsError: a point that is not three finite coordinates.
    """
    if not points_ct_mm or not all(points_ct_mm):
        raise MarkupsError("no points, or a point without a label", "at least one labelled point", "label every point")
    control_points = [
        _control_point(number, label, point, (descriptions or {}).get(label, ""))
        for number, (label, point) in enumerate(points_ct_mm.items(), start=1)
    ]
    write_markup(path, kind, name, control_points, locked=False, indent=2)


def write_markup(
    path: Path,
    kind: str,
    name: str,
    control_points: Sequence[Mapping[str, Any]],
    *,
    locked: bool,
    indent: int | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Writes one markup in LPS and mm as a document of its own, atomically.

    Args:
        path: ends in ``.mrk.json``.
        kind: the schema's type, one of `KINDS`.
        control_points: as the schema has them, positions in the frame ``ct``.
        locked: whether Slicer keeps the points from being dragged.
        indent: spaces per level of the JSON; None for one line.
        more: further fields of the markup, such as ``measurements``.

    Raises:
        MarkupsError: the wrong ending.
    """
    if not path.name.endswith(".mrk.json"):
        action = "rename the file: 3D Slicer recognises markups by this ending"
        raise MarkupsError(f"a file name ending in '{path.suffix}'", "a name ending in .mrk.json", action)
    markup = {
        "type": kind,
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": locked,
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(control_points),
        "controlPoints": control_points,
        **(more or {}),
    }
    content = json.dumps({"@schema": SCHEMA, "markups": [markup]}, indent=indent, ensure_ascii=False)
    atomic_write(path, content.encode())


def read_markups(path: Path, kind: str = "Fiducial") -> Markups:
    """Reads a file with one list of labelled points, LPS or RAS, as points of the frame ``ct``.

    Args:
        kind: what the points are in Slicer, one of `KINDS`.

    Raises:
        MarkupsError: not markups, several lists, an unknown coordinate system or unit, a repeated or empty label.
    """
    markup = only_markup(path, kind)
    flip = needs_flip(markup)
    points: dict[str, Floats] = {}
    descriptions: dict[str, str] = {}
    undefined = []
    for control in markup.get("controlPoints", []):
        label = str(control.get("label", ""))
        if not label or label in points or label in undefined:
            raise MarkupsError(f"a label that is empty or repeated ({label!r})", "one name for each point", ACTION)
        if control.get("positionStatus", "defined") != "defined":
            undefined.append(label)
            continue
        point = _position(control, label)
        points[label] = read_only(flip_ras_lps(point) if flip else point)
        if control.get("description"):
            descriptions[label] = str(control["description"])
    name = str(markup.get("name") or path.name.removesuffix(".mrk.json"))
    return Markups(name, MappingProxyType(points), tuple(undefined), MappingProxyType(descriptions))


def _control_point(number: int, label: str, point_ct_mm: ArrayLike, description: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "label": label,
        "description": description,
        "associatedNodeID": "",
        "position": as_points(point_ct_mm, f"the point '{label}'")[0].tolist(),
        "orientation": AXES_LPS,
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "defined",
    }


def _position(control: Mapping[str, Any], label: str) -> Floats:
    try:
        return as_points(control["position"], f"the point '{label}'", minimum=1)[0]
    except (KeyError, InvalidPointsError) as error:
        raise MarkupsError(f"the point '{label}' without three finite coordinates", "x, y, z", ACTION) from error


def needs_flip(markup: Mapping[str, Any]) -> bool:
    """Whether a markup's coordinates are RAS, not LPS.

    Raises:
        MarkupsError: an unknown coordinate system, none, or a unit other than mm.
    """
    system, units = markup.get("coordinateSystem"), markup.get("coordinateUnits")
    if system not in ("LPS", "RAS"):
        raise MarkupsError(f"the coordinate system {system!r}", "LPS or RAS, stated in the file", ACTION)
    if units not in MM:
        raise MarkupsError(f"coordinates in {units!r}", "coordinates in mm", ACTION)
    return bool(system == "RAS")


def only_markup(path: Path, kind: str) -> Mapping[str, Any]:
    """The one markup of a file, of the type `kind` (one of `KINDS`), as JSON.

    Raises:
        MarkupsError: not readable, not markups, several of them, or of another type.
    """
    try:
        markups = read_json(path)["markups"]
    except ContentError as error:
        raise MarkupsError(
            f"{path.name}, which cannot be read as markups: {error}", "a .mrk.json file", ACTION
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MarkupsError(
            f"a file that cannot be read as markups ({type(error).__name__})", "a .mrk.json file", ACTION
        ) from error
    if not isinstance(markups, list) or len(markups) != 1 or not isinstance(markups[0], dict):
        count = len(markups) if isinstance(markups, list) else "no list of"
        raise MarkupsError(f"{count} markups in one file", KINDS[kind], "save each markup to its own file")
    if markups[0].get("type") != kind:
        raise MarkupsError(f"a markup of type {markups[0].get('type')!r}", f"{KINDS[kind]} ({kind})", ACTION)
    return markups[0]
