"""A plan whose numbers lie elsewhere than the patient, as `surgnav register` meets it: from files, and live."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from reconstruction import in_case
from registration.errors import LandmarksRefusedError
from registration.record.attempts import load_attempt
from tests.navigation.commands.register import harness as driven
from tests.navigation.commands.register.harness import MADE_BY, TOUCH_FIVE, live, recorded

# Fixtures of the other file, which this one uses too.
case = driven.case


def in_ras(case: Path, path: Path, **said: str) -> Path:
    points = Case.open(case).read_markups("landmarks").points_ct_mm
    turned = {name: {"position_mm": (point * [-1, -1, 1]).tolist()} for name, point in points.items()}
    path.write_text(json.dumps({"frame": "ct", "units": "mm", "points": turned} | said))
    return path


def test_landmarks_in_ras_are_refused_by_name_and_nothing_of_them_is_kept(case: Path, tmp_path: Path) -> None:
    live(case, f"{TOUCH_FIVE} c q")
    before = Case.open(case).artefacts
    written = in_ras(case, tmp_path / "ras.json")
    with pytest.raises(LandmarksRefusedError, match="x and y negated: they are RAS"):
        recorded(case, landmarks=written, sweep=None, accept_if="check")
    with pytest.raises(LandmarksRefusedError, match="they are RAS"):
        live(case, "q", landmarks=written)
    assert Case.open(case).artefacts == before
    # Said to be RAS, they are the same landmarks.
    recorded(case, landmarks=in_ras(case, tmp_path / "said.json", coordinate_system="RAS"), sweep=None)
    again = load_attempt(Case.open(case), "r-0002")
    assert again.result.fre_rms_mm == pytest.approx(load_attempt(Case.open(case), "r-0001").result.fre_rms_mm)


def test_landmarks_on_no_approved_surface_are_checked_where_nothing_but_they_hold_the_pose(case: Path) -> None:
    live(case, f"{TOUCH_FIVE} w c q")
    opened = Case.open(case)
    middle = opened.read_surface("body").bounds_mm.mean(axis=0)
    points = opened.read_markups("landmarks").points_ct_mm
    deep = {name: middle + 0.5 * (point - middle) for name, point in points.items()}
    opened.add_markups("landmarks", deep, MADE_BY, made_from=())
    path = case / "registration" / "r-0001_touched.points.json"
    document = json.loads(path.read_text())
    pose = load_attempt(opened, "r-0001").result.pose.transform()
    for name, point in document["points"].items():
        point["position_mm"] = pose.apply(deep[name]).tolist()
    touched = case.parent / "deep.json"
    touched.write_text(json.dumps(document))
    _, screen = recorded(case, touched=touched, sweep=None, accept_if="accept")
    assert "on no approved surface" in screen
    alone = load_attempt(Case.open(case), "r-0002")
    assert alone.verdict.level == "check"
    assert sum("on no approved surface" in reason for reason in alone.verdict.reasons) == 5
    # A sweep would not fit landmarks in other axes: with it, nothing is doubted.
    recorded(case, touched=touched)
    assert not any("approved" in reason for reason in load_attempt(Case.open(case), "r-0003").verdict.reasons)


def test_a_target_outside_the_patient_is_refused(case: Path, tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    path.write_text(json.dumps({"frame": "ct", "units": "mm", "points": {"far": {"position_mm": [20.0, 900.0, 0.0]}}}))
    with pytest.raises(LandmarksRefusedError, match=r"'far' at \(20, 900, 0\)"):
        live(case, "q", targets=path)


def test_the_ct_s_own_box_counts_where_the_case_holds_it(case: Path) -> None:
    from geometry import Volume
    from registration.record.placement import _ct_box_mm

    opened = Case.open(case)
    assert _ct_box_mm(opened) is None
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [-10.0, -20.0, 30.0]
    in_case.add_labels(opened, Volume(np.zeros((5, 6, 7), np.uint8), affine, "ct"), {1: "body"}, MADE_BY, made_from=())
    # Voxels of 2, 3 and 4 mm, 7 along x: their outer faces.
    np.testing.assert_allclose(_ct_box_mm(opened), [[-11.0, -21.5, 28.0], [3.0, -3.5, 48.0]])
