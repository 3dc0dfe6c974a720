"""What a folder of DICOM leaves open is offered with words to choose by; what a header leaves open, values decide."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from case.case import Case, MadeBy
from reconstruction import in_case
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.inspection import inspect, to_json
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.dicom.bad_series import BAD, SMALL
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, ramp, write_series
from tests.reconstruction.ct.drawn_chest import mediastinum, trunk

TIME = "2026-01-02T03:04:05+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CORRECT = CtChoice(correct_hu=True)


def uid_of(series: str) -> str:
    return generate_uid(entropy_srcs=["series", series])


# ----------------------------------------------------------------------------------------------------- advice that fits
ADVICE = {
    "tilt": "without gantry tilt",
    "small tilt": "without gantry tilt",
    "missing slice": "with every slice",
    "variable gap": "one slice distance",
    "creeping gap": "one slice distance",
    "duplicate": "one slice for each place",
    "turned slice": "one stack of slices alone",
    "mixed matrix": "one stack of slices alone",
    "mixed spacing": "one stack of slices alone",
    "sheared cosines": "orientation was edited",
    "no position": "with orientation, position and pixel spacing",
    "no HU scale": "rescale slope and intercept",
    "other units": "in HU",
    "two frames": "one frame alone",
    "one slice": "with every slice",
}


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.name in ADVICE], ids=lambda bad: bad.name)
def test_each_refusal_says_what_would_help_against_it_and_nothing_else(tmp_path: Path, bad) -> None:
    bad.make(tmp_path)
    with pytest.raises(CtRefusedError) as caught:
        read_ct(tmp_path, SMALL)
    assert ADVICE[bad.name] in caught.value.action
    assert ("tilt" in caught.value.action) == ("tilt" in bad.name)


# --------------------------------------------------------------------------------------- two studies, one series number
def two_studies(folder: Path) -> None:
    """Series 3 in both; the folder that bears the patient's name is written by the factory below each of them."""

    def described(words: str):
        return lambda dataset, _: setattr(dataset, "SeriesDescription", words)

    write_series(folder / "one", ramp((12, 8, 10)), edit=described("THORAX 1.0"))
    write_series(folder / "two", ramp((14, 8, 10)), series="b", edit=described("of Dulcinea"))


def test_two_studies_with_one_series_number_are_told_apart_by_their_uids(tmp_path: Path) -> None:
    two_studies(tmp_path)
    for choice in (None, CtChoice(series="3")):
        with pytest.raises(UnreadableInputError) as caught:
            read_ct(tmp_path, SMALL, choice)
        assert f"--series {uid_of('a')}" in caught.value.action
        assert f"--series {uid_of('b')}" in caught.value.action
        assert "THORAX 1.0" in caught.value.action
        assert not [word for word in IDENTIFYING if word in str(caught.value).lower()]  # folder and description masked
    assert read_ct(tmp_path, SMALL, CtChoice(series=uid_of("b"))).volume.shape_ijk == (10, 8, 14)
    assert read_ct(tmp_path, SMALL, CtChoice(series=uid_of("a")[:-3])).volume.shape_ijk == (10, 8, 12)
    with pytest.raises(UnreadableInputError, match="2 CT series"):
        read_ct(tmp_path, SMALL, CtChoice(series="1.2.826.0.1.3680043.8.498."))
    with pytest.raises(UnreadableInputError, match="whose UID begins like that"):
        read_ct(tmp_path, SMALL, CtChoice(series="1.9.9"))


def test_folders_that_bear_no_name_are_shown(tmp_path: Path) -> None:
    for name, series in (("S1", "a"), ("S2", "b")):
        inside = tmp_path / "made" / name
        write_series(inside, series=series)
        shutil.move(inside / "quixote_dulcinea", tmp_path / name)
    shutil.rmtree(tmp_path / "made")
    with pytest.raises(UnreadableInputError) as caught:
        read_ct(tmp_path, SMALL)
    assert "series 3 (12 slices) in S1" in caught.value.action
    assert "series 3 (12 slices) in S2" in caught.value.action


def test_inspect_shows_how_to_name_them_on_the_screen_only(tmp_path: Path) -> None:
    two_studies(tmp_path)
    reports = inspect(tmp_path, SMALL)
    assert [uid_of("b") in reports[0].apart, uid_of("a") in reports[1].apart] == [True, True]
    assert "1.2.826" not in str(to_json(reports))


def test_the_case_finds_the_series_again_and_keeps_no_uid(tmp_path: Path) -> None:
    two_studies(tmp_path / "dicom")
    chosen = read_ct(tmp_path / "dicom", SMALL, CtChoice(series=uid_of("b")))
    with Case.create(tmp_path / "case", "x", TIME) as case:
        in_case.add_ct_reference(case, chosen, tmp_path / "dicom", MADE_BY)
    case = Case.open(tmp_path / "case")
    assert in_case.read_ct(case).content_sha256 == chosen.content_sha256
    assert uid_of("b") not in (tmp_path / "case" / "case.json").read_text()


# -------------------------------------------------------------------------------------------- a UID for every slice
def test_slices_that_are_each_a_series_are_put_together_and_it_is_said(tmp_path: Path) -> None:
    def own(dataset: Dataset, k: int) -> None:
        dataset.SeriesInstanceUID = f"1.2.3.{k + 1}"

    write_series(tmp_path / "own", edit=own)
    write_series(tmp_path / "plain")
    scan = read_ct(tmp_path / "own", SMALL)
    assert scan.content_sha256 == read_ct(tmp_path / "plain", SMALL).content_sha256
    assert any("each of 12 slices is named a series of its own" in reason for reason in scan.verdict.reasons)
    (report,) = inspect(tmp_path / "own", SMALL)
    assert (report.images, report.verdict.level) == (12, "usable")


def test_slices_of_two_studies_are_not_put_together(tmp_path: Path) -> None:
    for study in (1, 2):

        def own(dataset: Dataset, k: int, study: int = study) -> None:
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.{study}", f"1.2.{study}.{k + 1}"

        write_series(tmp_path / str(study), edit=own)
    with pytest.raises(UnreadableInputError, match=r"2 CT series: 2 times series 3 \(12 slices\)"):
        read_ct(tmp_path, SMALL)


def test_a_slice_that_is_missing_there_is_missed_there_too(tmp_path: Path) -> None:
    def own(dataset: Dataset, k: int) -> None:
        dataset.SeriesInstanceUID = f"1.2.3.{k + 1}"

    write_series(tmp_path, ramp((14, 8, 10)), edit=own)[6].unlink()
    with pytest.raises(CtRefusedError, match="1 missing slice"):
        read_ct(tmp_path, SMALL)


# -------------------------------------------------------------------------------------- several acquisitions, one place
def two_phases(folder: Path, field: str, values: tuple[object, object]) -> None:
    for phase, value in enumerate(values):

        def edit(dataset: Dataset, k: int, phase: int = phase, value: object = value) -> None:
            setattr(dataset, field, value)
            dataset.SeriesInstanceUID = "1.2.3"
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{phase}.{k + 1}"

        write_series(folder, ramp((12, 8, 10)) + phase, edit=edit, series="ab"[phase])


@pytest.mark.parametrize(
    ("field", "values", "names", "told_by"),
    [
        ("AcquisitionNumber", (4, 7), ("4", "7"), "acquisition number"),
        ("TemporalPositionIdentifier", (1, 2), ("1", "2"), "temporal position"),
        ("ConvolutionKernel", ("B30f", "B70f"), ("1", "2"), "kernel"),
        ("AcquisitionTime", ("101500", "101530.5"), ("1", "2"), "acquisition time"),
    ],
)
def test_acquisitions_in_one_series_are_offered_and_can_be_chosen(
    tmp_path: Path, field: str, values: tuple[object, object], names: tuple[str, str], told_by: str
) -> None:
    two_phases(tmp_path, field, values)
    with pytest.raises(CtRefusedError, match="12 slices at a place already taken") as caught:
        read_ct(tmp_path, SMALL)
    offer = f"--acquisition with one of {names[0]} (12 slices), {names[1]} (12 slices), told apart by {told_by}"
    assert offer in caught.value.action
    for phase, name in enumerate(names):
        scan = read_ct(tmp_path, SMALL, CtChoice(acquisition=name))
        np.testing.assert_array_equal(scan.volume.voxels, ramp((12, 8, 10)) + phase)
        assert any(told_by in note for note in scan.verdict.notes)
    with pytest.raises(UnreadableInputError, match=r"no acquisition 9 .*4 \(12|no acquisition 9 .*1 \(12"):
        read_ct(tmp_path, SMALL, CtChoice(acquisition="9"))
    (report,) = inspect(tmp_path, SMALL)
    assert any(offer in note for note in report.verdict.notes)


def test_numbers_that_part_a_series_into_no_grids_are_not_offered(tmp_path: Path) -> None:
    """Every third slice belongs to the second acquisition, at both phases."""
    two_phases(tmp_path, "ConvolutionKernel", ("B30f", "B30f"))
    for number, path in enumerate(sorted((tmp_path / "quixote_dulcinea").iterdir())):
        dataset = dcmread(path)
        dataset.AcquisitionNumber = 1 + (number % 3 == 0)
        dataset.save_as(path)
    with pytest.raises(CtRefusedError, match="one slice for each place") as caught:
        read_ct(tmp_path, SMALL)
    assert "--acquisition" not in caught.value.action


def test_a_series_of_one_acquisition_has_none_to_choose(tmp_path: Path) -> None:
    write_series(tmp_path)
    with pytest.raises(UnreadableInputError, match="leave --acquisition out"):
        read_ct(tmp_path, SMALL, CtChoice(acquisition="1"))


# ------------------------------------------------------------------------------- headers that do not vouch for their HU
def rescaled(folder: Path, hu: np.ndarray, units: str | None, **fields: object) -> None:
    def edit(dataset: Dataset, _: int) -> None:
        if units is not None:
            dataset.RescaleType = units
        for key, value in fields.items():
            setattr(dataset, key, value)

    write_series(folder, hu.astype(np.int16), edit=edit, step_mm=7.5)


def test_units_left_open_pass_where_air_and_tissue_confirm_hu(tmp_path: Path) -> None:
    """SimpleITK's own writer puts RescaleType US."""
    rescaled(tmp_path, trunk().clip(-1024), "US")
    scan = read_ct(tmp_path)
    np.testing.assert_array_equal(scan.volume.voxels, trunk().clip(-1024))
    assert any("calls the values US" in reason and "look like HU" in reason for reason in scan.verdict.reasons)
    assert inspect(tmp_path)[0].verdict.level == "usable"


def test_units_left_open_are_refused_where_nothing_confirms_them_with_a_way_round(tmp_path: Path) -> None:
    rescaled(tmp_path, mediastinum(), "US")
    with pytest.raises(CtRefusedError, match="no air to confirm") as caught:
        read_ct(tmp_path)
    assert "--correct-hu" in caught.value.action
    scan = read_ct(tmp_path, choice=CORRECT)
    np.testing.assert_array_equal(scan.volume.voxels, mediastinum())
    assert any("taken for HU, as asked" in reason for reason in scan.verdict.reasons)


def test_a_scale_that_is_missing_is_found_by_air_and_tissue_where_that_was_asked_for(tmp_path: Path) -> None:
    def edit(dataset: Dataset, _: int) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept

    write_series(tmp_path, trunk().clip(-1024).astype(np.int16), edit=edit, step_mm=7.5)
    with pytest.raises(CtRefusedError, match="without rescale slope") as caught:
        read_ct(tmp_path)
    assert "--correct-hu" in caught.value.action
    scan = read_ct(tmp_path, choice=CORRECT)
    np.testing.assert_array_equal(scan.volume.voxels, trunk().clip(-1024))
    with Case.create(tmp_path / "case", "x", TIME) as case:
        in_case.add_ct_reference(case, scan, tmp_path / "quixote_dulcinea", MADE_BY)
    assert in_case.read_ct(Case.open(tmp_path / "case")).content_sha256 == scan.content_sha256


def test_a_capture_that_says_where_it_lies_stands_in_for_a_ct(tmp_path: Path) -> None:
    rescaled(tmp_path / "captured", trunk(), None, SOPClassUID=SECONDARY_CAPTURE)
    scan = read_ct(tmp_path / "captured")
    assert "stored as secondary capture, not as CT" in scan.verdict.reasons
    assert inspect(tmp_path / "captured")[0].kind == "ct"
    write_series(tmp_path / "captured", trunk().astype(np.int16), series="b", number=8)  # beside a true one it is none
    assert read_ct(tmp_path / "captured").info.series_number == 8
    rescaled(tmp_path / "report", trunk(), None, SOPClassUID=SECONDARY_CAPTURE, ImagePositionPatient=None)
    with pytest.raises(UnreadableInputError, match="no CT slices: 24 CT not stored as CT images"):
        read_ct(tmp_path / "report")


# ------------------------------------------------------------------------------------ media, and what may not be read
def write_dicomdir(folder: Path) -> Path:
    """A table of contents as a burnt disc has it, its records left out: they are not what is read."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = "1.2.3", ExplicitVRLittleEndian
    directory = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    directory.FileSetID, directory.DirectoryRecordSequence = "DISC", Items([])
    path = folder / "DICOMDIR"
    directory.save_as(path, enforce_file_format=True)
    return path


def test_a_dicomdir_stands_for_the_folder_it_lies_in(tmp_path: Path) -> None:
    write_series(tmp_path)
    plain = read_ct(tmp_path, SMALL).content_sha256
    path = write_dicomdir(tmp_path)
    assert read_ct(path, SMALL).content_sha256 == plain
    assert read_ct(tmp_path, SMALL).content_sha256 == plain
    assert [report.images for report in inspect(path, SMALL)] == [12]


def test_a_dicomdir_alone_is_called_that(tmp_path: Path) -> None:
    path = write_dicomdir(tmp_path)
    for place in (path, tmp_path):
        with pytest.raises(UnreadableInputError, match=r"a DICOMDIR .*copy all of the disc"):
            read_ct(place)


def test_a_slice_that_may_not_be_read_is_not_called_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden = write_series(tmp_path)[4]
    open_path = Path.open

    def refuse(path: Path, *arguments: object, **named: object):
        if path == forbidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_path(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableInputError, match=r"file 5 of 12 .*you may not read.*chmod") as caught:
        read_ct(tmp_path, SMALL)
    assert "cut short" not in str(caught.value)
    (report,) = inspect(tmp_path, SMALL)
    assert report.verdict.level == "refused"
    assert any("you may not read" in reason for reason in report.verdict.reasons)


def test_a_folder_inside_that_may_not_be_read_does_not_shorten_the_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path)
    (tmp_path / "more").mkdir()
    scandir = os.scandir

    def refuse(path: object):
        if Path(str(path)) == tmp_path / "more":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableInputError, match="a folder inside this one that cannot be looked into"):
        read_ct(tmp_path, SMALL)
