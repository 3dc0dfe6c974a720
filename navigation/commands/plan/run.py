"""Keeps a line from 3D Slicer as a trajectory of the case, and shows what every trajectory would do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isinf

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from case.case import Case, MadeBy
from geometry.errors import SurgNavError
from navigation.commands.plan.command import PlanRequest
from navigation.errors import PlanError
from navigation.guidance.case_plans import (
    KeptTrajectory,
    keep_trajectory,
    kept_trajectories,
    open_surgical_plan,
    read_line,
)
from navigation.guidance.check_plan import check_trajectory
from navigation.guidance.plan import Screw, Trajectory
from registration.distance.closest_point import DistanceField

_SCREW = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[xX]\s*(\d+(?:\.\d+)?)\s*")
# A screw that reaches farther beyond its target than this was planned for another one.
BEYOND_MM = 3.0


def plan(request: PlanRequest, time: str, console: Console) -> bool:
    """Keeps the line, if one is given, and shows all trajectories; says whether all of them can be guided by.

    Args:
        time: ISO 8601 with a time zone.

    Raises:
        PlanError: a line or a screw that cannot be planned with, or nobody who planned it.
        SurgNavError: no such case, file or surface.
    """
    case = Case.open(request.case)
    if request.line is not None:
        kept = _asked_for(request)
        keep_trajectory(case, kept, MadeBy.surgnav(time, {"person": request.person, "file": request.line.name}))
        console.print(f"[green]✓[/] trajectory '{escape(kept.trajectory.name)}' kept", highlight=False)
    elif any((request.name, request.screw, request.bone, request.at_risk)):
        raise PlanError("a screw, a bone or structures, and no line", "a line of 3D Slicer", "name the .mrk.json file")
    opened = open_surgical_plan(
        case, MadeBy.surgnav(time, {}), research=False, say=lambda line: console.print(line, highlight=False)
    )
    if opened is None:
        console.print("No trajectory: draw a line in 3D Slicer and keep it with 'surgnav plan CASE LINE.mrk.json'")
        return True
    if opened.problem:
        console.print(f"[yellow]not to be guided by:[/] {escape(opened.problem)}", highlight=False, soft_wrap=True)
        return False
    fields = dict(opened.at_risk)
    table = Table("trajectory", "length", "screw", "in the bone", "nearest to", box=None, header_style="bold")
    for name, each in kept_trajectories(case):
        if not isinstance(each, SurgNavError):
            table.add_row(*_row(name, each, opened.bone, {s: fields[s] for s in each.at_risk}))
    console.print(table)
    return True


def _asked_for(request: PlanRequest) -> KeptTrajectory:
    if request.line is None or not (request.person or "").strip():
        raise PlanError("a trajectory without a person", "the name of who planned it", "pass --person NAME")
    if request.screw is not None and request.bone is None:
        raise PlanError("a screw without a bone", "the surface that it lies in", "pass --bone NAME")
    entry, target = read_line(request.line)
    name = request.name or request.line.name.removesuffix(".mrk.json").lower()
    screw = None if request.screw is None else _screw(request.screw)
    return KeptTrajectory(Trajectory(name, entry, target, screw), request.bone or "", tuple(request.at_risk or ()))


def _screw(text: str) -> Screw:
    sizes = _SCREW.fullmatch(text)
    if sizes is None:
        raise PlanError(f"the screw {text!r}", "diameter x length in mm, such as 6.5x45", "write --screw 6.5x45")
    return Screw(float(sizes[1]), float(sizes[2]))


def _row(
    name: str, kept: KeptTrajectory, bone: DistanceField | None, at_risk: Mapping[str, DistanceField]
) -> tuple[str, ...]:
    found = check_trajectory(kept.trajectory, bone, at_risk)
    screw, fit = kept.trajectory.screw, found.screw
    sizes = "" if screw is None else f"{screw.diameter_mm:g} x {screw.length_mm:g} mm"
    if found.beyond_mm is not None and found.beyond_mm > BEYOND_MM:
        sizes += f", {found.beyond_mm:.1f} mm beyond the target"
    lies = "" if fit is None else f"grade {fit.grade.value.upper()}, {_wall(fit.breach_mm)}"
    nearest = sorted(found.clearances_mm.items(), key=lambda pair: pair[1])
    near = ", ".join(f"{escape(structure)} {left_mm:.1f} mm" for structure, left_mm in nearest)
    return escape(name), f"{kept.trajectory.length_mm:.1f} mm", sizes, lies, near


def _wall(breach_mm: float) -> str:
    if isinf(breach_mm):
        return "misses it"
    return f"{breach_mm:.1f} mm out" if breach_mm > 0.0 else f"{-breach_mm:.1f} mm of wall"
