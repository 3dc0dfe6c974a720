"""`--anonymize`: names planted in headers, folders and files appear in no byte of the case; names typed are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from case.case import Case
from geometry import ManualClock, Volume
from navigation.cli import app
from reconstruction import in_case, pipeline
from reconstruction.ct.dicom.identity import identifying_words
from reconstruction.errors import IdentityError
from reconstruction.identity import check_no_identity
from reconstruction.network.segmentation import Segmentation
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, write_series
from tests.reconstruction.labels.label_files import ORIGIN, SPACING, boxes, hu, label_map, write_label_nifti, write_seg

FURTHER = ("dapple", "rocinante", "19471004", "9876543")  # in other attributes than name and ID


def planted(dataset: Dataset, _: int) -> None:
    dataset.ReferringPhysicianName, dataset.InstitutionName = "Dapple^Dr", "Rocinante Hospital"
    dataset.PatientBirthDate, dataset.AccessionNumber = "19471004", "9876543"
    dataset.SeriesDescription = dataset.StudyDescription = "thorax of Quixote"
    dataset.ImageComments = "Dulcinea of Toboso, Q7734Z"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A CT whose folder, files and headers are full of names."""
    folder = tmp_path / "quixote dulcinea q7734z"
    write_series(folder, hu(), spacing_ij_mm=SPACING[:2], step_mm=SPACING[2], origin_mm=ORIGIN, edit=planted)
    return folder


def everything(case: Path) -> bytes:
    """Every byte of every file, unpacked where packed, and every name, in lower case."""
    content = [str(path.relative_to(case)).encode() for path in case.rglob("*")]
    for path in (found for found in case.rglob("*") if found.is_file()):
        raw = path.read_bytes()
        content += [raw, gzip.decompress(raw) if path.suffix == ".gz" else b""]
    return b"\n".join(content).lower()


@pytest.mark.parametrize("kind", ["seg", "nifti"])
def test_no_byte_of_an_anonymous_case_bears_a_name(tmp_path: Path, study: Path, kind: str) -> None:
    if kind == "seg":
        labels = write_seg(tmp_path / "toboso.dcm", boxes(), edit=lambda dataset: planted(dataset, 0))
    else:
        labels = write_label_nifti(tmp_path / "quixote.nii.gz", label_map(), names={5: "liver"})
    command = ["reconstruct", str(study), "--labels", str(labels), "--anonymize"]
    run = CliRunner().invoke(app, [*command, "--case", str(tmp_path / "case")])
    assert run.exit_code == 0, run.output
    content = everything(tmp_path / "case")
    words = [word for word in (*IDENTIFYING, *FURTHER, str(tmp_path).lower()) if word.encode() in content]
    assert not words
    assert not [word for word in (*IDENTIFYING, *FURTHER) if word in run.output.lower()]
    case = Case.open(tmp_path / "case")
    np.testing.assert_array_equal(in_case.read_ct(case).volume.voxels, hu())
    assert not any(artefact.by_reference for artefact in case.artefacts)
    assert not any(
        content.startswith(b"DICM", 128) for content in map(Path.read_bytes, (tmp_path / "case").glob("*/*"))
    )


def test_the_network_s_case_is_anonymous_too(tmp_path: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same writer as with the real network, which would cost this test half a minute."""
    monkeypatch.setattr(pipeline, "segment", lambda ct, *_, **__: bone_by_threshold(ct))
    settings = pipeline.ReconstructionSettings(anonymize=True)
    time = "2026-01-02T03:04:05+00:00"
    clock = ManualClock()
    pipeline.reconstruct(study, tmp_path / "case", name="case", time=time, clock=clock, settings=settings)
    content = everything(tmp_path / "case")
    assert not [word for word in (*IDENTIFYING, *FURTHER, str(tmp_path).lower()) if word.encode() in content]
    assert Case.open(tmp_path / "case").structures() == ("bone",)
    with pytest.raises(IdentityError):
        pipeline.reconstruct(study, tmp_path / "b", name="Toboso", time=time, clock=clock, settings=settings)
    assert not (tmp_path / "b").exists()


def bone_by_threshold(ct: Volume) -> Segmentation:
    bone = ct.with_voxels((ct.voxels > 300).astype(np.float32))
    labels = ct.with_voxels((ct.voxels > 300).astype(np.uint8))
    return Segmentation({"bone": bone}, labels, bone, "threshold", "0" * 64, (), False, ct, ct)


def test_without_it_the_case_says_where_the_ct_is(tmp_path: Path, study: Path) -> None:
    """So the test above looks where the name would be."""
    labels = write_label_nifti(tmp_path / "a.nii.gz", label_map())
    CliRunner().invoke(app, ["reconstruct", str(study), "--labels", str(labels), "--case", str(tmp_path / "case")])
    assert b"quixote" in everything(tmp_path / "case")


@pytest.mark.parametrize(
    ("more", "structure"), [(["--name", "Case of Quixote"], "liver"), ([], "Dulcinea's liver"), ([], "tumour_q7734z")]
)
def test_a_name_that_somebody_typed_is_refused(tmp_path: Path, study: Path, more: list[str], structure: str) -> None:
    labels = write_label_nifti(tmp_path / "a.nii.gz", label_map(), names={5: structure})
    command = ["reconstruct", str(study), "--labels", str(labels), "--anonymize", *more]
    run = CliRunner().invoke(app, [*command, "--case", str(tmp_path / "case")])
    assert run.exit_code == 1
    assert "IdentityError" in run.stderr
    assert not [word for word in IDENTIFYING if word in run.stderr.lower()]
    assert not (tmp_path / "case").exists()


def test_words_of_the_header(study: Path) -> None:
    words = identifying_words(study)
    assert words == {"quixote", "dulcinea", "q7734z", "toboso", "19471004", "9876543"}
    check_no_identity(["liver", "left_lung", "case"], words)
    with pytest.raises(IdentityError, match="name 2"):
        check_no_identity(["liver", "quixotes-liver"], words)


def test_names_in_other_scripts_are_found_too(tmp_path: Path) -> None:
    def edit(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", "Müller^Zoë=山田^太郎"

    write_series(tmp_path, hu(), edit=edit)
    words = identifying_words(tmp_path)
    check_no_identity(["liver"], words)
    for name in ("MULLER", "Case Zoë", "zoe_liver", "山田"):
        with pytest.raises(IdentityError):
            check_no_identity([name], words)
