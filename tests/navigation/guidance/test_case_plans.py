"""Trajectories of a case: kept, read, refused, out of date, and the command that does so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from case.case import Case, MadeBy
from case.errors import CaseError, MarkupsError
from case.markups import write_markups
from navigation.cli import app
from navigation.errors import PlanError
from navigation.guidance.case_plans import (
    KeptTrajectory,
    keep_trajectory,
    kept_trajectories,
    open_surgical_plan,
    plan_fingerprint,
    read_line,
)
from tests.navigation.guidance.harness import BALL_CT, BALL_RADIUS_MM, LEFT, SCREW, ball, rod

TIME, PERSON = "2026-11-27T08:00:00+00:00", "Dr Test"
MADE_BY = MadeBy.surgnav(TIME, {})
ENDS = {"entry": LEFT.entry_ct_mm, "target": LEFT.target_ct_mm}
KEPT = KeptTrajectory(LEFT, "bone", ("vessel",))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """With a rod of bone and a vessel beside it, both approved."""
    with Case.create(tmp_path / "case", "spine", TIME) as made:
        made.add_surface(rod(5.0, 60.0), MADE_BY, made_from=())
        made.add_surface(ball(BALL_CT, BALL_RADIUS_MM, "vessel"), MADE_BY, made_from=())
    for structure in ("bone", "vessel"):
        made.decide(structure, "approved", PERSON, TIME)
    return made


def line(path: Path, points: dict = ENDS, kind: str = "Line") -> Path:
    write_markups(path, "left", points, kind=kind)
    return path


def planned(case: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["plan", str(case), *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_line_is_read_by_the_names_of_its_points_not_by_their_order(tmp_path: Path) -> None:
    path = line(tmp_path / "left.mrk.json", {"Target": LEFT.target_ct_mm, "ENTRY": LEFT.entry_ct_mm})
    entry, target = read_line(path)
    np.testing.assert_array_equal(entry, LEFT.entry_ct_mm)
    np.testing.assert_array_equal(target, LEFT.target_ct_mm)


def test_ras_becomes_lps(tmp_path: Path) -> None:
    path = line(tmp_path / "left.mrk.json", {"entry": [1.0, 2.0, 3.0], "target": [11.0, 22.0, 33.0]})
    path.write_text(path.read_text().replace('"LPS"', '"RAS"'))
    np.testing.assert_array_equal(read_line(path)[1], [-11.0, -22.0, 33.0])


def test_points_that_do_not_say_which_end_they_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="the points l-1, l-2"):
        read_line(line(tmp_path / "a.mrk.json", {"L-1": LEFT.entry_ct_mm, "L-2": LEFT.target_ct_mm}))
    with pytest.raises(MarkupsError, match="Fiducial"):
        read_line(line(tmp_path / "b.mrk.json", kind="Fiducial"))


def test_what_is_kept_is_what_is_guided_by(case: Case) -> None:
    keep_trajectory(case, KEPT, MADE_BY)
    plan = open_surgical_plan(Case.open(case.root), MADE_BY, research=False)
    assert (plan.problem, [each.name for each in plan.trajectories]) == ("", ["left"])
    assert plan.trajectories[0].screw == SCREW
    np.testing.assert_array_equal(plan.trajectories[0].target_ct_mm, LEFT.target_ct_mm)
    ((name, grid),) = plan.at_risk
    assert name == "vessel"
    assert grid.distance(BALL_CT[None]).signed_mm[0] == pytest.approx(-BALL_RADIUS_MM, abs=0.3)
    assert plan.bone.distance(np.array([[4.0, 0.0, 30.0]])).signed_mm[0] == pytest.approx(-1.0, abs=0.1)
    again = open_surgical_plan(Case.open(case.root), MADE_BY, research=False)
    assert again.bone.fingerprint == plan.bone.fingerprint, "out of the case, where it was kept"


def test_a_case_without_a_trajectory_has_no_plan(case: Case) -> None:
    assert open_surgical_plan(case, MADE_BY, research=False) is None
    assert plan_fingerprint(case) == ""


def test_a_surface_that_is_not_approved_is_not_guided_by(case: Case) -> None:
    keep_trajectory(case, KEPT, MADE_BY)
    case.decide("vessel", "rejected", PERSON, TIME)
    assert "'vessel' is rejected" in open_surgical_plan(case, MADE_BY, research=False).problem
    assert "'vessel' is rejected" in open_surgical_plan(case, MADE_BY, research=True).problem


def test_a_trajectory_whose_surface_was_made_again_is_out_of_date(case: Case) -> None:
    keep_trajectory(case, KEPT, MADE_BY)
    case.add_surface(rod(4.0, 60.0), MADE_BY, made_from=())
    ((name, error),) = kept_trajectories(case)
    assert name == "left"
    assert "out of date: surfaces/bone.glb changed since" in str(error)
    assert "out of date" in open_surgical_plan(case, MADE_BY, research=False).problem


def test_a_file_that_was_altered_is_not_guided_by(case: Case) -> None:
    keep_trajectory(case, KEPT, MADE_BY)
    path = case.root / "plans" / "left.mrk.json"
    path.write_text(path.read_text().replace("40.0", "41.0"))
    assert "its file is altered" in open_surgical_plan(case, MADE_BY, research=False).problem


def test_screws_in_two_bones_are_no_plan(case: Case) -> None:
    keep_trajectory(case, KEPT, MADE_BY)
    keep_trajectory(case, KeptTrajectory(LEFT, "vessel", ()), MADE_BY)  # in place of the first
    other = type(LEFT)("right", LEFT.entry_ct_mm, LEFT.target_ct_mm, SCREW)
    keep_trajectory(case, KeptTrajectory(other, "bone", ()), MADE_BY)
    assert "several bones (bone, vessel)" in open_surgical_plan(case, MADE_BY, research=False).problem


def test_the_fingerprint_follows_plan_surfaces_and_decisions(case: Case) -> None:
    keep_trajectory(case, KEPT, MADE_BY)
    seen = [plan_fingerprint(case)]
    case.decide("vessel", "rejected", PERSON, TIME)
    seen.append(plan_fingerprint(case))
    case.decide("vessel", "approved", PERSON, TIME)
    assert plan_fingerprint(case) == seen[0]
    keep_trajectory(case, KeptTrajectory(LEFT, "bone", ()), MADE_BY)
    seen.append(plan_fingerprint(case))
    case.add_surface(rod(4.0, 60.0), MADE_BY, made_from=())
    seen.append(plan_fingerprint(case))
    assert len(set(seen)) == 4


def test_a_structure_that_is_not_there_is_refused(case: Case) -> None:
    with pytest.raises(CaseError, match="'cord', which has no surface"):
        keep_trajectory(case, KeptTrajectory(LEFT, "bone", ("cord",)), MADE_BY)


def test_the_command_keeps_and_checks(case: Case, tmp_path: Path) -> None:
    assert "No trajectory" in planned(case.root)
    path = line(tmp_path / "L3_left.mrk.json")
    options = ["--screw", "6x40", "--bone", "bone", "--at-risk", "vessel", "--person", PERSON]
    said = planned(case.root, str(path), *options)
    # The ball of 10 mm is 20 mm aside: 10 mm, less the screw's 3 mm; the rod's 5 mm leave 2 mm of wall.
    assert "trajectory 'l3_left' kept" in said
    assert "6 x 40 mm" in said
    assert "grade A, 2.0 mm of wall" in said
    assert re.search(r"vessel (6\.9|7\.0) mm", said), "the grid is off by up to 0.1 mm so far out"
    (artefact,) = [each for each in Case.open(case.root).artefacts if each.kind == "trajectory"]
    assert artefact.made_by.parameters["person"] == PERSON
    assert artefact.details == {
        "screw": {"diameter_mm": 6.0, "length_mm": 40.0},
        "bone": "bone",
        "at_risk": ["vessel"],
    }
    assert json.loads((case.root / artefact.path).read_text())["markups"][0]["type"] == "Line"
    case = Case.open(case.root)
    case.decide("vessel", "rejected", PERSON, TIME)
    assert "not to be guided by" in planned(case.root, code=3)


def test_a_screw_too_long_for_its_target_is_said(case: Case, tmp_path: Path) -> None:
    path = line(tmp_path / "left.mrk.json")
    said = planned(case.root, str(path), "--screw", "7x50", "--bone", "bone", "--person", PERSON)
    assert "10.0 mm beyond the target" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--screw", "6x40", "--bone", "bone"], "without a person"),
        (["--screw", "6x40", "--person", PERSON], "a screw without a bone"),
        (["--screw", "6,5x40", "--bone", "bone", "--person", PERSON], "diameter x length"),
        (["--screw", "65x40", "--bone", "bone", "--person", PERSON], "1.5 to 12 mm"),
        (["--name", "../left", "--person", PERSON], "lower-case letters"),
    ],
)
def test_what_cannot_be_planned_is_refused_and_not_kept(
    case: Case, tmp_path: Path, options: list[str], complaint: str
) -> None:
    assert complaint in planned(case.root, str(line(tmp_path / "left.mrk.json")), *options, code=1)
    assert not list(kept_trajectories(Case.open(case.root)))


def test_options_without_a_line_are_refused(case: Case) -> None:
    assert "and no line" in planned(case.root, "--bone", "bone", code=1)
