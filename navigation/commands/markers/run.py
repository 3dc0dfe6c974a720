"""Finds skin markers in a CT, shows them, and keeps them as the case's planned landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from case.case import CT_ID, PLANNED, Case, MadeBy
from case.manifest import Artefact
from case.markups import Markups, read_markups
from navigation.commands.markers.command import MarkersRequest
from navigation.errors import MarkersError
from navigation.terminal.json_files import write_json_file
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.skin_markers.find import SkinMarker, SkinMarkers, find_skin_markers

COMMAND = "markers"
LANDMARKS = "landmarks"


def run_markers(request: MarkersRequest, time: str, console: Console) -> bool:
    """Finds the markers, shows them, and keeps them. False if none, or not as many as expected: nothing is kept then.

    Args:
        time: ISO 8601 with a time zone.

    Raises:
        SurgNavError: neither CT nor case, a CT that is not the case's, landmarks of somebody else, what cannot be read.
    """
    case = None if request.case is None else Case.open(request.case)
    if case is not None:
        _check_free(case, request)
    scan = _scan(request, case)
    found = find_skin_markers(scan.volume, request.diameter)
    named = {f"marker_{number}": marker for number, marker in enumerate(found.markers, start=1)}
    _show(named, found, console)
    complete = bool(named) and request.expect in (None, len(named))
    if not complete:
        wanted = "" if request.expect is None else f", not {request.expect}"
        console.print(f"[yellow]{len(named)} found{wanted}: nothing is kept.[/]", highlight=False)
    elif case is not None:
        console.print(f"[green]✓[/] {escape(_keep(case, named, request, time))}", highlight=False)
    if request.json_file is not None:
        write_json_file(request.json_file, _as_json(named, found))
    return complete


def _scan(request: MarkersRequest, case: Case | None) -> CtScan:
    if request.ct is None:
        if case is None:
            raise MarkersError("neither a CT nor a case", "a CT, a case, or both", "name one")
        return in_case.read_ct(case)
    scan = read_ct(request.ct, choice=request.choice)
    if case is not None and scan.content_sha256 != case.artefact(CT_ID).details["content_sha256"]:
        raise MarkersError(
            "a CT other than the one the case was made from",
            "the same voxels",
            "leave the CT out: the case knows its own",
        )
    return scan


def _check_free(case: Case, request: MarkersRequest) -> None:
    """Landmarks that this command did not write, or that were changed since, are somebody's work."""
    owner = _others_work(case)
    if owner and not request.replace:
        raise MarkersError(
            f"a case whose {PLANNED[LANDMARKS]} {owner}",
            "no landmarks yet, or those that this command found",
            "look at them in 3D Slicer; --replace keeps them under another name and puts the markers in their place",
        )


def _others_work(case: Case) -> str | None:
    path = PLANNED[LANDMARKS]
    artefact = _landmarks(case)
    if artefact is None:
        return "is not in case.json: somebody put it there" if (case.root / path).exists() else None
    if case.verify().get(path) == "altered":
        return "was changed since it was written"
    if artefact.made_by.parameters.get("command") != COMMAND:
        return f"was made by {artefact.made_by.parameters.get('person') or artefact.made_by.program}"
    return None


def _landmarks(case: Case) -> Artefact | None:
    return next((artefact for artefact in case.artefacts if artefact.id == PLANNED[LANDMARKS]), None)


def _keep(case: Case, named: Mapping[str, SkinMarker], request: MarkersRequest, time: str) -> str:
    """Writes the landmarks and says what was done; the same ones again leave the case as it is."""
    said = {name: _description(marker) for name, marker in named.items()}
    points = {name: marker.centre_ct_mm for name, marker in named.items()}
    asked = {"command": COMMAND, "diameter_mm": request.diameter, "expected": request.expect}
    made_by = MadeBy.surgnav(time, asked)
    path = PLANNED[LANDMARKS]
    kept = ""
    if (case.root / path).exists():
        old = read_markups(case.root / path)
        if _landmarks(case) is not None and _same(old, points, said) and CT_ID not in case.stale():
            return f"{path} holds these markers already; it stays as it is"
        if _others_work(case):
            name = _free_name(case)
            before = MadeBy.surgnav(time, {"replaced_by": COMMAND})
            case.add_markups(
                name, old.points_ct_mm, before, made_from=(), kind="replaced_landmarks", descriptions=old.descriptions
            )
            kept = f"; what was there is markups/{name}.mrk.json now"
    case.add_markups(LANDMARKS, points, made_by, (CT_ID,), descriptions=said)
    return f"{len(named)} markers are the planned landmarks of {case.name}: {path}{kept}"


def _same(old: Markups, points: Mapping[str, Any], said: Mapping[str, str]) -> bool:
    same_points = {name: point.tolist() for name, point in old.points_ct_mm.items()} == {
        name: point.tolist() for name, point in points.items()
    }
    return same_points and dict(old.descriptions) == dict(said) and not old.undefined


def _free_name(case: Case) -> str:
    known = {artefact.id for artefact in case.artefacts}
    number = 1
    while f"markups/landmarks_replaced_{number}.mrk.json" in known:
        number += 1
    return f"landmarks_replaced_{number}"


def _description(marker: SkinMarker) -> str:
    return (
        f"kind: skin_marker; centre of a ball of {marker.diameter_mm:.1f} mm, {marker.contrast_hu:.0f} HU over its "
        f"surroundings, found in the CT; expected error {marker.centre_sd_mm:.3f} mm RMS"
    )


def _show(named: Mapping[str, SkinMarker], found: SkinMarkers, console: Console) -> None:
    table = Table("marker", "x", "y", "z (ct, LPS, mm)", "expected error mm", "diameter mm", "HU above", "misfit")
    for name, marker in named.items():
        numbers = [f"{value:.2f}" for value in marker.centre_ct_mm]
        size = (f"{marker.diameter_mm:.1f}", f"{marker.contrast_hu:.0f}", f"{marker.misfit:.0%}")
        table.add_row(name, *numbers, f"{marker.centre_sd_mm:.3f}", *size)
    console.print(table)
    if found.note:
        console.print(f"[yellow]{escape(found.note)}[/]", highlight=False)
    near = [spot for spot in found.rejected if spot.near_miss]
    if near:
        console.print(f"{len(near)} looked like one, and {'is' if len(near) == 1 else 'are'} none:", highlight=False)
    for spot in near:
        place = ", ".join(f"{value:.1f}" for value in spot.centre_ct_mm)
        console.print(f"  - ({place}): {escape(spot.reason)}", highlight=False)


def _as_json(named: Mapping[str, SkinMarker], found: SkinMarkers) -> dict[str, Any]:
    return {
        "schema": "surgnav.markers",
        "version": 1,
        "frame": "ct",
        "units": "mm",
        "markers": {
            name: {
                "centre_ct_mm": marker.centre_ct_mm.tolist(),
                "centre_sd_mm": marker.centre_sd_mm,
                "diameter_mm": marker.diameter_mm,
                "contrast_hu": marker.contrast_hu,
                "misfit": marker.misfit,
            }
            for name, marker in named.items()
        },
        "near_misses": [
            {"centre_ct_mm": spot.centre_ct_mm.tolist(), "reason": spot.reason}
            for spot in found.rejected
            if spot.near_miss
        ],
        "note": found.note,
    }
