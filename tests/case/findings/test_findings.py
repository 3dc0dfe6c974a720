"""Findings in the case: where they lie is said, and those in ``reference`` never pass as ones in ``ct``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from case.case import Case, MadeBy
from case.errors import CaseError
from case.findings.finding import Finding, MarkedIn, made_finding, write_finding
from case.findings.kept import findings, free_name, keep_finding, surface_path
from case.markups import read_markups
from case.mesh_files import read_surface
from geometry import Surface
from geometry.frames import CT, REFERENCE

TIME = "2026-11-27T10:00:00+00:00"
SQUARE = ((0.0, 0.0, 5.0), (4.0, 0.0, 5.0), (4.0, 2.0, 5.0), (0.0, 2.0, 5.0))
LIVE = MarkedIn(images="the probe", session="5e55", image=12, shows_ns=7, probe="probe")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    with Case.create(tmp_path / "case", "made", TIME) as made:
        made.write_json("registration", "r-0001", {"pose": 1}, MadeBy.surgnav(TIME))
    return Case.open(tmp_path / "case")


def in_ct(case: Case, **more: object) -> Finding:
    sha256 = case.artefact("registration/r-0001.json").sha256
    fields = {
        "name": "vessel-1",
        "shape": "contour",
        "structure": "vessel",
        "in_frame": CT,
        "points_mm": SQUARE,
        "closed": True,
        "p95_mm": 1.25,
        "registration": "r-0001",
        "registration_sha256": sha256,
        "person": "Dr Test",
        "time": TIME,
        "marked_in": LIVE,
    }
    return made_finding(**{**fields, **more})


def in_reference(case: Case, **more: object) -> Finding:
    return in_ct(case, **{"in_frame": REFERENCE, "registration": "", "registration_sha256": "", **more})


def test_a_finding_comes_back_as_it_was_kept(case: Case) -> None:
    for finding in (in_ct(case), in_reference(case, name="vessel-2", p95_mm=None)):
        keep_finding(case, finding)
    again = Case.open(case.root)
    assert [found for _, found in findings(again)] == [in_ct(case), in_reference(case, name="vessel-2", p95_mm=None)]
    assert again.verify() == again.stale() == {}
    np.testing.assert_allclose(in_ct(case).middle_mm, [2.0, 1.0, 5.0])
    assert (in_ct(case).error_words, in_reference(case, p95_mm=None).error_words) == (
        "95 of 100 within 1.2 mm",
        "error not known",
    )


def test_it_is_out_of_date_once_its_registration_is_made_again_and_one_in_the_reference_is_not(case: Case) -> None:
    keep_finding(case, in_ct(case))
    keep_finding(case, in_reference(case, name="vessel-2"))
    case.write_json("registration", "r-0001", {"pose": 2}, MadeBy.surgnav(TIME))
    (_, stale), (_, kept) = findings(case)
    assert stale == "registration/r-0001.json changed since"
    assert isinstance(kept, Finding)


def test_one_that_does_not_say_where_it_is_is_refused(case: Case) -> None:
    for wrong in (
        {"registration": "", "registration_sha256": ""},
        {"in_frame": REFERENCE},
        {"in_frame": REFERENCE, "registration": "", "marked_in": MarkedIn(images="the probe")},
        {"points_mm": ()},
        {"points_mm": ((0.0, 0.0, float("nan")),)},
        {"shape": "point"},
        {"shape": "volume", "points_mm": SQUARE[:1]},
        {"p95_mm": -1.0},
        {"person": " "},
        {"time": "2026-11-27"},
        {"in_frame": "tracker"},
    ):
        with pytest.raises(CaseError):
            in_ct(case, **wrong)
    with pytest.raises(CaseError, match="another version of 'r-0001'"):
        keep_finding(case, in_ct(case, registration_sha256=64 * "0"))
    with pytest.raises(CaseError, match="no artefact 'registration/r-0002"):
        keep_finding(case, in_ct(case, registration="r-0002"))
    assert list(findings(case)) == []


def test_a_name_is_not_taken_twice(case: Case) -> None:
    assert free_name(case, "vessel") == "vessel-1"
    keep_finding(case, in_ct(case))
    assert free_name(case, "vessel") == "vessel-2"
    with pytest.raises(CaseError, match="which the case has already"):
        keep_finding(case, in_ct(case, person="Dr Other"))
    with pytest.raises(CaseError, match="lower-case"):
        keep_finding(case, in_ct(case, name="../vessel"))


def test_a_volume_has_its_surface_beside_it_in_its_frame(case: Case) -> None:
    corners = np.array([[0, 0, 0], [9.0, 0, 0], [0, 9.0, 0], [0, 0, 9.0]])
    surface = Surface(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]), REFERENCE, "tumour")
    kept = {"name": "tumour-1", "shape": "volume", "points_mm": SQUARE[:1], "surface": surface_path("tumour-1")}
    keep_finding(case, in_reference(case, **kept), surface)
    assert case.structures() == (), "a surface that is offered to headsets is another thing"
    assert read_surface(case.path_of("findings/tumour-1.stl")).frame == REFERENCE
    with pytest.raises(CaseError, match="not the finding's"):
        keep_finding(case, in_ct(case, **{**kept, "name": "tumour-2", "surface": surface_path("tumour-2")}), surface)


def test_slicer_gets_those_in_the_ct_as_markups_and_no_others(case: Case, tmp_path: Path) -> None:
    write_finding(tmp_path / "vessel.mrk.json", in_ct(case))
    (markup,) = json.loads((tmp_path / "vessel.mrk.json").read_text())["markups"]
    assert (markup["type"], markup["coordinateSystem"], markup["locked"]) == ("ClosedCurve", "LPS", True)
    assert [tuple(each["position"]) for each in markup["controlPoints"]] == list(SQUARE)
    write_finding(tmp_path / "point.mrk.json", in_ct(case, shape="point", points_mm=SQUARE[1:2], closed=False))
    read = read_markups(tmp_path / "point.mrk.json")
    np.testing.assert_allclose(read.points_ct_mm["vessel-1"], SQUARE[1])
    assert "95 of 100 within 1.2 mm, by Dr Test" in read.descriptions["vessel-1"]
    with pytest.raises(CaseError, match="in 'reference'"):
        write_finding(tmp_path / "no.mrk.json", in_reference(case))
    assert not (tmp_path / "no.mrk.json").exists()


def test_the_ellipsoid_is_that_of_the_covariance_by_hand(case: Case) -> None:
    finding = in_ct(case, covariance_mm2=(1.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.25))
    np.testing.assert_allclose(finding.semi_axes_mm, 2.7955 * np.array([2.0, 1.0, 0.5]), rtol=1e-4)
    assert in_ct(case).semi_axes_mm is None
