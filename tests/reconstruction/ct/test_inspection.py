"""`inspect` lists every series with the verdict that `read_ct` then gives, by headers, and without a name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from case.case import Case
from navigation.cli import app
from reconstruction import in_case
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.inspection import inspect, to_json
from reconstruction.ct.quality import CtReadSettings
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.dicom.bad_series import BAD, SMALL
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, ramp, write_series
from tests.reconstruction.ct.dicom.dicom_formats import write_enhanced
from tests.reconstruction.ct.recorded_ct import unpacked
from tests.reconstruction.labels.label_files import affine_ras, write_label_nifti


def mixed_study(folder: Path) -> None:
    """Three CT series (one of thick slices, one with a gap), a localizer, a report and an enhanced CT."""

    def localizer(dataset, _: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    def report(dataset, _: int) -> None:
        dataset.Modality, dataset.SOPClassUID = "SR", "1.2.840.10008.5.1.4.1.1.88.67"

    def thick(dataset, _: int) -> None:
        dataset.SliceThickness = "3.0"

    def gap(dataset, k: int) -> None:
        dataset.ImagePositionPatient = ["0", "0", str(k + 5 * (k > 7))]

    write_series(folder)
    write_series(folder, ramp((14, 8, 10)), series="b", number=4, edit=thick)
    write_series(folder, ramp((16, 8, 10)), series="c", number=5, edit=gap)
    write_series(folder, ramp((1, 8, 10)), series="d", number=1, edit=localizer)
    write_series(folder, ramp((1, 8, 10)), series="e", number=9, edit=report)
    write_enhanced(folder / "enhanced.dcm", ramp((4, 8, 10)), number=7)


def test_every_series_of_a_study_with_its_verdict(tmp_path: Path) -> None:
    mixed_study(tmp_path)
    reports = inspect(tmp_path, SMALL)
    found = {report.number: (report.kind, report.verdict.level, report.images) for report in reports}
    assert found == {
        3: ("ct", "good", 12),
        4: ("ct", "usable", 14),
        7: ("ct", "usable", 4),
        5: ("ct", "refused", 16),
        1: ("localizer", "refused", 1),
        9: ("other", "refused", 1),
    }
    assert [report.number for report in reports] == [3, 4, 7, 5, 1, 9]
    by_number = {report.number: report for report in reports}
    assert by_number[4].verdict.reasons == ("slice thickness 3 mm, over 1 mm",)
    assert "missing slice" in by_number[5].verdict.reasons[0]
    assert by_number[7].spacing_mm == (0.8, 0.7, 1.5)
    for number in (3, 4, 7):  # `read_ct` agrees
        scan = read_ct(tmp_path, SMALL, CtChoice(series=str(number)))
        assert scan.verdict.level == by_number[number].verdict.level
        assert scan.volume.shape_ijk == by_number[number].shape_ijk


def test_json_is_whole_and_bears_no_name(tmp_path: Path) -> None:
    mixed_study(tmp_path)
    text = json.dumps(to_json(inspect(tmp_path, SMALL)))
    loaded = json.loads(text)
    assert (loaded["schema"], len(loaded["series"])) == ("surgnav.inspection", 6)
    assert not [word for word in IDENTIFYING if word in text.lower()]


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_what_the_door_refuses_inspect_does_not_recommend(tmp_path: Path, bad) -> None:
    """Broken pixels apart, which headers and three slices need not show."""
    bad.make(tmp_path / "in")
    try:
        reports = inspect(tmp_path / "in", SMALL)
    except (UnreadableInputError, CtRefusedError):
        return
    taken = [report for report in reports if report.read_by_default and report.verdict.level != "refused"]
    assert not taken or bad.name in ("cut in the pixels", "cut while compressed")


def test_planning_requirement_costs_good(tmp_path: Path) -> None:
    """512 x 512 and 1 mm are what the planning needs: the plain default settings."""
    hu = np.full((60, 512, 512), -1000, np.int16)
    hu[:, 100:400, 100:400] = 40
    write_series(tmp_path / "fine", hu)
    write_series(tmp_path / "coarse", hu[:, :511])
    assert inspect(tmp_path / "fine")[0].verdict.level == "good"
    (coarse,) = inspect(tmp_path / "coarse")
    assert (coarse.verdict.level, coarse.verdict.reasons) == ("usable", ("matrix 512 x 511, under 512 x 512",))


def test_command_line_and_its_exit_codes(tmp_path: Path) -> None:
    mixed_study(tmp_path / "study")
    run = CliRunner().invoke(app, ["inspect", str(tmp_path / "study"), "--json", str(tmp_path / "found.json")])
    assert run.exit_code == 0, run.output
    assert len(json.loads((tmp_path / "found.json").read_text())["series"]) == 6
    assert not [word for word in IDENTIFYING if word in run.output.lower()]
    write_series(tmp_path / "one", ramp((1, 8, 10)))
    assert CliRunner().invoke(app, ["inspect", str(tmp_path / "one")]).exit_code == 3
    assert CliRunner().invoke(app, ["inspect", str(tmp_path / "none")]).exit_code == 1


def test_one_of_several_series_becomes_a_case(tmp_path: Path) -> None:
    mixed_study(tmp_path / "study")
    labels = np.zeros((14, 8, 10), np.uint8)
    labels[4:9, 2:6, 3:7] = 1
    write_label_nifti(tmp_path / "a.nii", labels, affine_ras((0.8, 0.8, 1.0), (-100.0, -50.0, 30.0)))
    command = ["reconstruct", str(tmp_path / "study"), "--labels", str(tmp_path / "a.nii")]
    listed = CliRunner().invoke(app, ["inspect", str(tmp_path / "study")])
    assert "such as --series 4" in " ".join(listed.output.split())  # the one of most slices
    ambiguous = CliRunner().invoke(app, [*command, "--case", str(tmp_path / "none")])
    assert ambiguous.exit_code == 1
    assert "3 CT series" in " ".join(ambiguous.stderr.split())  # the enhanced one is too short to compete
    chosen = CliRunner().invoke(app, [*command, "--series", "4", "--case", str(tmp_path / "case")])
    assert chosen.exit_code == 0, chosen.output
    case = Case.open(tmp_path / "case")
    assert in_case.read_ct(case).volume.shape_ijk == (10, 8, 14)  # by reference, so the number must be kept
    np.testing.assert_array_equal(in_case.read_labels(case)[0].voxels, labels)


def test_lidc_by_headers(shared_data: Path, tmp_path: Path) -> None:
    folder = unpacked(shared_data / "ct" / "lidc0314_dicom.tar.gz", tmp_path)
    (report,) = inspect(folder)
    assert (report.verdict.level, report.shape_ijk, report.judged_by) == (
        "good",
        (512, 512, 275),
        "headers and 3 slices",
    )


def test_a_file_is_read_whole(shared_data: Path) -> None:
    (report,) = inspect(shared_data / "ct" / "totalseg_example" / "totalseg_example_ct_3mm.nii.gz", CtReadSettings())
    assert (report.format, report.verdict.level, report.judged_by) == ("nifti", "usable", "all voxels")


def test_a_folder_of_volumes_lists_each(shared_data: Path) -> None:
    """A CT and two label maps, which are none: their values span too little."""
    reports = inspect(shared_data / "ct" / "tptbox_vertebra_crop")
    assert [report.verdict.level for report in reports] == ["usable", "refused", "refused"]
    assert "volume 1 of 3 in path order" in reports[0].verdict.notes[0]
    assert "values from 0 to" in reports[1].verdict.reasons[0]
    assert not any(report.read_by_default for report in reports)
