"""``surgnav case``: shows the chain, names what is not as it was made, and exports all of what may leave or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner, Result

from navigation.cli import app
from tests.case.slicers_core import read_by_slicer
from tests.reconstruction.archive.made_case import PERSON, make_case


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
