"""``surgnav case``: shows the chain, names what is not as it was made, and exports all of what may leave or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from typer.testing import CliRunner, Result

from case.case import Case, MadeBy
from case.findings.finding import MarkedIn, made_finding
from case.findings.kept import keep_finding
from case.markups import read_markups
from navigation.cli import app
from tests.case.slicers_core import read_by_slicer
from tests.reconstruction.archive.made_case import PERSON, TIME, make_case


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return make_case(tmp_path).root


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["case", *map(str, words)], env={"COLUMNS": "220"})


def test_show_names_files_makers_inputs_and_decisions(case: Path) -> None:
    shown = run("show", case)
    assert shown.exit_code == 0, shown.output
    for said in (
        "labels/labels.nii.gz",
        "surfaces/liver.glb",
        f"{PERSON}: liver approved, looked at pictures",
        "): approved by hand",
    ):
        assert said in shown.output


def test_verify_passes_a_sound_case_and_names_one_flipped_byte(case: Path) -> None:
    assert run("verify", case).exit_code == 0
    for path in sorted(case.rglob("*")):
        if not path.is_file() or path.name == "case.json":
            continue
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        found = run("verify", case)
        assert found.exit_code == 1
        assert f"{path.relative_to(case)} (altered)" in found.output.replace("\n", " ")
        path.write_bytes(content)


def test_export_writes_dicom_that_names_the_structures(case: Path, tmp_path: Path) -> None:
    made = run("export", case, "--out", tmp_path / "dicom")
    assert made.exit_code == 0, made.output
    names = sorted(path.name for path in (tmp_path / "dicom").iterdir())
    assert names == ["report.dcm", "segmentation_1.dcm", "surface_kidney_left.dcm", "surface_liver.dcm"]
    assert len(dcmread(tmp_path / "dicom" / "segmentation_1.dcm").SegmentSequence) == 2
    again = run("export", case, "--out", tmp_path / "dicom")
    assert again.exit_code == 1
    assert "which is there already" in again.output


def test_export_for_slicer_is_opened_by_it(case: Path, tmp_path: Path) -> None:
    made = run("export", case, "--out", tmp_path / "slicer", "--slicer")
    assert made.exit_code == 0, made.output
    names = sorted(path.name for path in (tmp_path / "slicer").iterdir())
    assert names == ["kidney_left.stl", "liver.stl", "structures_1.seg.nrrd"]
    found = read_by_slicer([tmp_path / "slicer" / "structures_1.seg.nrrd"])
    assert sorted(found["structures_1.seg.nrrd"]) == ["kidney_left", "liver"]


def test_nothing_is_left_where_nothing_may_leave(tmp_path: Path) -> None:
    case = make_case(tmp_path, decided=False).root
    refused = run("export", case, "--out", tmp_path / "dicom")
    assert refused.exit_code == 1
    assert "may leave" in refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "ct"]


def test_findings_are_listed_with_their_frame_and_only_those_in_the_ct_go_to_slicer(case: Path, tmp_path: Path) -> None:
    opened = Case.open(case)
    registration = opened.write_json("registration", "r-0001", {"pose": 1}, MadeBy.surgnav(TIME))
    common = {"shape": "point", "points_mm": ((1.0, 2.0, 3.0),), "person": PERSON, "time": TIME}
    marked_in = MarkedIn(images="the probe", session="5e55")
    placed = {"in_frame": "ct", "registration": "r-0001", "registration_sha256": registration.sha256}
    keep_finding(opened, made_finding(name="vessel-1", marked_in=marked_in, **placed, **common))
    keep_finding(opened, made_finding(name="vessel-2", marked_in=marked_in, in_frame="reference", **common))
    shown = " ".join(run("show", case).output.split())
    assert "vessel-1, point at 1.0, 2.0, 3.0 mm in ct by r-0001 (in force now: none), error not known" in shown
    assert "vessel-2, point at 1.0, 2.0, 3.0 mm in reference of session 5e55: NOT in the CT" in shown
    assert run("export", case, "--out", tmp_path / "slicer", "--slicer").exit_code == 0
    written = read_markups(tmp_path / "slicer" / "finding_vessel-1.mrk.json").points_ct_mm
    np.testing.assert_array_equal(written["vessel-1"], [1.0, 2.0, 3.0])
    assert not (tmp_path / "slicer" / "finding_vessel-2.mrk.json").exists()
    opened.write_json("registration", "r-0001", {"pose": 2}, MadeBy.surgnav(TIME))
    assert "findings/vessel-1.json: registration/r-0001.json changed since" in " ".join(
        run("show", case).output.split()
    )
    assert run("export", case, "--out", tmp_path / "again", "--slicer").exit_code == 0
    assert not (tmp_path / "again" / "finding_vessel-1.mrk.json").exists()
