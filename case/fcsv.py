"""3D Slicer's older point lists (``.fcsv``): comma-separated, with a head of comments.

Format: Slicer's developer guide, "Markups fiducial point list file format". The coordinate system stands in the head,
by name or, as Slicer wrote until 4.10, by number (RAS is 0, LPS is 1); the lists of Slicer 3 and of some other programs
have none, and are refused: both systems are in use, and a guess would be wrong by half a turn.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from case.errors import MarkupsError
from case.markups import Markups
from case.text_files import ContentError, read_text
from geometry.errors import InvalidPointsError
from geometry.orientation import flip_ras_lps
from geometry.points import Floats, as_points, read_only

SYSTEMS = {"0": "RAS", "RAS": "RAS", "1": "LPS", "LPS": "LPS"}
COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
# Slicer 5 adds these without naming them; a point is placed at 2.
AFTER_NAMED = ("position_status", "auto_created")
PLACED = "2"
ACTION = "save the points again from 3D Slicer as .mrk.json"


def read_fcsv(path: Path) -> Markups:
    """Reads one list of labelled points, LPS or RAS, as points of the frame ``ct``.

    Raises:
        MarkupsError: no such list, no or an unknown coordinate system, a repeated or empty label, no numbers.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, ContentError) as error:
        raise MarkupsError(f"{path.name}, which is {_reason(error)}", "a list of points (.fcsv)", ACTION) from error
    head = _head(line for line in lines if line.startswith("#"))
    system = _system(path, head)
    columns = [name.strip() for name in head.get("columns", COLUMNS).split(",")]
    points: dict[str, Floats] = {}
    descriptions: dict[str, str] = {}
    undefined = []
    for fields in csv.reader(line for line in lines if line.strip() and not line.startswith("#")):
        row = dict(zip([*columns, *AFTER_NAMED], map(str.strip, fields), strict=False))
        label = row.get("label", "")
        if not label or label in points or label in undefined:
            raise MarkupsError(f"a label that is empty or repeated ({label!r})", "one name for each point", ACTION)
        if row.get("position_status", PLACED) in ("0", "1", "3"):
            undefined.append(label)
            continue
        point = _position(row, label)
        points[label] = read_only(flip_ras_lps(point) if system == "RAS" else point)
        if row.get("desc"):
            descriptions[label] = row["desc"]
    if not points and not undefined:
        raise MarkupsError(f"{path.name} without points", "at least one", ACTION)
    name = path.name.removesuffix(".fcsv")
    return Markups(name, MappingProxyType(points), tuple(undefined), MappingProxyType(descriptions))


def _head(comments: Iterable[str]) -> dict[str, str]:
    """``# key = value`` of each comment."""
    found = {}
    for line in comments:
        key, equals, value = line.lstrip("# ").partition("=")
        if equals:
            found[key.strip()] = value.strip()
    return found


def _system(path: Path, head: Mapping[str, str]) -> str:
    said = head.get("CoordinateSystem")
    if said is None:
        raise MarkupsError(
            f"{path.name}, which does not say its coordinate system",
            "the line '# CoordinateSystem = LPS', or RAS, among the first",
            "find out which of the two the program that wrote it uses (3D Slicer up to 4.10: RAS), and add that line",
        )
    if said not in SYSTEMS:
        raise MarkupsError(f"the coordinate system {said!r} in {path.name}", "LPS or RAS (1 or 0)", ACTION)
    return SYSTEMS[said]


def _position(row: Mapping[str, str], label: str) -> Floats:
    try:
        return as_points([float(row[axis]) for axis in "xyz"], f"the point '{label}'", minimum=1)[0]
    except (KeyError, ValueError, InvalidPointsError) as error:
        raise MarkupsError(
            f"the point '{label}' without three finite coordinates", "x, y, z, with decimal points", ACTION
        ) from error


def _reason(error: OSError | ContentError) -> str:
    return str(error) if isinstance(error, ContentError) else f"not readable ({error.strerror or error})"
