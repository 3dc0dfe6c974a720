"""Trajectories in a case: lines of 3D Slicer whose points are called entry and target, each with what goes with it.

A trajectory is kept as ``plans/NAME.mrk.json``, with its screw, the bone that it lies in and the structures at risk in
the case's manifest. Which end is the entry is said by the points' names and never taken from their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from case.case import Artefact, Case, MadeBy, checked_name
from case.markups import read_markups, write_markups
from geometry.errors import SurgNavError
from geometry.points import Floats
from navigation.errors import PlanError
from navigation.guidance.plan import Screw, SurgicalPlan, Trajectory
from registration.distance.distance_grid import DistanceGrid
from registration.record.kept_grid import open_field

KIND, LINE = "trajectory", "Line"
ENDS = ("entry", "target")


@dataclass(frozen=True)
class KeptTrajectory:
    """A trajectory as the case has it.

    Attributes:
        trajectory: the way itself.
        bone: name of the surface that the screw lies in; empty without one.
        at_risk: names of the surfaces that must not be touched.
    """

    trajectory: Trajectory
    bone: str
    at_risk: tuple[str, ...]

    @property
    def structures(self) -> tuple[str, ...]:
        return (*filter(None, [self.bone]), *self.at_risk)


def read_line(path: Path) -> tuple[Floats, Floats]:
    """Entry and target ``(3,)`` in ``ct`` of a line that 3D Slicer saved.

    Raises:
        MarkupsError: no line, or one whose coordinates are not known.
        PlanError: its points are not called entry and target.
    """
    points = {label.strip().lower(): point for label, point in read_markups(path, LINE).points_ct_mm.items()}
    if sorted(points) != sorted(ENDS):
        raise PlanError(
            f"{path.name} with the points {', '.join(sorted(points)) or 'none'}",
            "two points called entry and target",
            "rename them in 3D Slicer (Markups, Control Points): which end is which is not guessed",
        )
    return points["entry"], points["target"]


def keep_trajectory(case: Case, kept: KeptTrajectory, made_by: MadeBy) -> Artefact:
    """Keeps a trajectory in the case, in place of one of the same name.

    Raises:
        CaseError: a name that no file can have, or a structure that the case does not have.
    """
    trajectory = kept.trajectory
    screw = trajectory.screw
    for structure in kept.structures:
        case.read_surface(structure)
    points = {"entry": trajectory.entry_ct_mm, "target": trajectory.target_ct_mm}
    details = {
        "screw": None if screw is None else {"diameter_mm": screw.diameter_mm, "length_mm": screw.length_mm},
        "bone": kept.bone or None,
        "at_risk": list(kept.at_risk),
    }
    return case.add(
        KIND,
        f"plans/{checked_name(trajectory.name)}.mrk.json",
        lambda path: write_markups(path, trajectory.name, points, kind=LINE),
        made_by,
        tuple(_surface_id(structure) for structure in dict.fromkeys(kept.structures)),
        details=details,
    )


def kept_trajectories(case: Case) -> Iterator[tuple[str, KeptTrajectory | SurgNavError]]:
    """Every trajectory of the case by name, or why it cannot be used."""
    unfit = case.stale() | {name: f"its file is {how}" for name, how in case.verify().items()}
    for artefact in case.artefacts:
        if artefact.kind == KIND:
            name = Path(artefact.path).name.removesuffix(".mrk.json")
            try:
                yield name, _kept(case, artefact, name, unfit.get(artefact.id, ""))
            except SurgNavError as error:
                yield name, error


def open_surgical_plan(
    case: Case, made_by: MadeBy, *, research: bool, say: Callable[[str], None] = lambda line: None
) -> SurgicalPlan | None:
    """The plan of a case with the distances that it needs, made where they are not kept; None without a trajectory.

    Args:
        research: whether suggested surfaces may be used.
        say: told what takes its time.
    """
    found = list(kept_trajectories(case))
    if not found:
        return None
    kept = [each for _, each in found if isinstance(each, KeptTrajectory)]
    problems = [f"'{name}': {each.came}" for name, each in found if isinstance(each, SurgNavError)]
    bones = {each.bone for each in kept if each.bone}
    if len(bones) > 1:
        problems.append(f"trajectories in several bones ({', '.join(sorted(bones))}): plan them in one surface")
    at_risk = list(dict.fromkeys(structure for each in kept for structure in each.at_risk))
    problems += [problem for name in (*bones, *at_risk) if (problem := _not_usable(case, name, research))]
    if problems:
        return SurgicalPlan(problem="; ".join(problems))
    grids = {name: _grid(case, name, made_by, say) for name in dict.fromkeys((*bones, *at_risk))}
    return SurgicalPlan(
        tuple(each.trajectory for each in kept),
        tuple((name, grids[name]) for name in at_risk),
        grids[bones.pop()] if bones else None,
    )


def plan_fingerprint(case: Case) -> str:
    """Changes with every trajectory and with every surface that one names, and with what was decided on it."""
    told: list[object] = []
    for name, each in kept_trajectories(case):
        if isinstance(each, SurgNavError):
            told.append([name, each.came])
            continue
        ends = [point.tolist() for point in (each.trajectory.entry_ct_mm, each.trajectory.target_ct_mm)]
        surfaces = [[case.artefact(_surface_id(s)).sha256, case.state(s)] for s in each.structures]
        told.append([name, ends, repr(each.trajectory.screw), each.structures, surfaces])
    return hashlib.sha256(json.dumps(told).encode()).hexdigest() if told else ""


def _kept(case: Case, artefact: Artefact, name: str, unfit: str) -> KeptTrajectory:
    if unfit:
        raise PlanError(
            f"a trajectory that is out of date: {unfit}", "one made from what there is now", "plan it again"
        )
    entry, target = read_line(case.path_of(artefact.id))
    details = artefact.details
    screw = details.get("screw")
    made = None if screw is None else Screw(float(screw["diameter_mm"]), float(screw["length_mm"]))
    return KeptTrajectory(
        Trajectory(name, entry, target, made), details.get("bone") or "", tuple(details.get("at_risk", ()))
    )


def _not_usable(case: Case, structure: str, research: bool) -> str:
    state = case.state(structure)
    if state in ("approved", "edited") or (research and state == "suggested"):
        return ""
    return f"the surface '{structure}' is {state}, not approved (surgnav review)"


def _grid(case: Case, structure: str, made_by: MadeBy, say: Callable[[str], None]) -> DistanceGrid:
    surface = case.read_surface(structure)
    say(f"distances to '{structure}'")
    with suppress(OSError, SurgNavError):
        return open_field(case, surface, _surface_id(structure), made_by)
    return DistanceGrid.from_surface(surface)  # a case that cannot be written to is guided in all the same


def _surface_id(structure: str) -> str:
    return f"surfaces/{structure}.glb"
