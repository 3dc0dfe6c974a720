"""Every kind of bad input through the command line: a named error, what is allowed, what to do, and nothing written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import HTJ2KLossless, RLELossless
from typer.testing import CliRunner

from case.case import Case, MadeBy
from navigation.cli import app
from reconstruction import in_case
from tests.reconstruction.bad_input import snapshot
from tests.reconstruction.ct import bad_nifti, itk_files
from tests.reconstruction.ct.dicom import bad_series
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, ramp, write_series
from tests.reconstruction.ct.dicom.dicom_formats import in_syntax, write_enhanced
from tests.reconstruction.labels.label_files import (
    SHAPE,
    affine_ras,
    boxes,
    ct_dicom,
    label_map,
    slicer_segment,
    write_label_nifti,
    write_seg,
    write_slicer,
)

TIME = "2026-01-02T03:04:05+00:00"


@dataclass(frozen=True)
class Kind:
    """`make` writes the input under a folder and returns what is given to the command, after the good CT for labels."""

    name: str
    make: Callable[[Path], list[str]]
    error: tuple[str, ...]
    of_labels: bool = False


def _ct(name: str, make: Callable[[Path], object], *error: str) -> Kind:
    def given(folder: Path) -> list[str]:
        made = make(folder)
        return [str(made if isinstance(made, Path) else folder)]

    return Kind(name, given, error or ("UnreadableInputError", "CtRefusedError"))


def _labels(name: str, make: Callable[[Path], list[Path | str] | Path], *error: str) -> Kind:
    def given(folder: Path) -> list[str]:
        made = make(folder)
        return [str(part) for part in (made if isinstance(made, list) else [made])]

    return Kind(f"labels: {name}", given, error or ("LabelsError",), of_labels=True)


def _bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _undecodable(folder: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        in_syntax(RLELossless)(dataset, k)
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless

    write_series(folder, ramp((4, 8, 10)), edit=edit)


def _no_frame_headers(folder: Path) -> Path:
    def edit(dataset: Dataset) -> None:
        del dataset.PerFrameFunctionalGroupsSequence

    return write_enhanced(folder / "toboso.dcm", ramp((4, 8, 10)), edit=edit)


def _inverted(folder: Path) -> None:
    body = np.full((12, 8, 10), 1000)
    body[:, 2:6, 2:8] = -40
    write_series(folder, body, edit=lambda dataset, _: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))


def _seg(name: str, edit: Callable[[Dataset], None], *error: str) -> Kind:
    return _labels(name, lambda folder: write_seg(folder / "toboso.dcm", boxes(), edit=edit), *error)


def _off_grid(dataset: Dataset) -> None:
    position = dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0]
    position.ImagePositionPatient = [-10, -18.5, position.ImagePositionPatient[2]]


def _far_away(dataset: Dataset) -> None:
    """A position whose exponent was damaged: on the regular grid, a million slices up."""
    position = dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0]
    position.ImagePositionPatient = [-10, -20, 1_000_000]


def _named(table: str) -> Callable[[Path], list[Path | str]]:
    def make(folder: Path) -> list[Path | str]:
        (folder / "names.csv").write_text(table)
        return [write_label_nifti(folder / "a.nii.gz", label_map()), "--label-names", folder / "names.csv"]

    return make


def _cut(make: Callable[[Path], Path], keep: float) -> Callable[[Path], Path]:
    def cut(folder: Path) -> Path:
        path = make(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
        return path

    return cut


def _slicer(folder: Path, pairs: dict[str, str]) -> Path:
    return write_slicer(folder / "a.seg.nrrd", [boxes()[1].astype(np.uint8)], pairs)


def _broken_table(folder: Path) -> Path:
    image = nibabel.Nifti1Image(label_map().T, affine_ras())
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, b"<CaretExtension><LabelTable><Label Key='x'>"))
    nibabel.save(image, folder / "a.nii.gz")
    return folder / "a.nii.gz"


def _mixed_masks(folder: Path) -> Path:
    write_label_nifti(folder / "quixote_liver.nii.gz", label_map())
    return folder


def _placeless(folder: Path) -> Path:
    image = nibabel.Nifti1Image(label_map().T, None)
    nibabel.save(image, folder / "a.nii.gz")
    return folder / "a.nii.gz"


KINDS = [
    *[_ct(f"DICOM: {bad.name}", bad.make, bad.error.__name__) for bad in bad_series.BAD],
    *[_ct(f"NIfTI: {bad.name}", lambda p, bad=bad: _nifti(p, bad), bad.error.__name__) for bad in bad_nifti.BAD],
    *[_ct(f"NRRD, MetaImage: {bad[0]}", lambda p, bad=bad: _only(p, bad[1])) for bad in itk_files.BAD],
    _ct("no such path", lambda folder: folder / "quixote", "UnreadableInputError"),
    _ct("archive", _bytes("toboso.tar.gz", b"\x1f\x8b"), "UnreadableInputError"),
    _ct("archive without its ending", _bytes("toboso", b"PK\x03\x04" + bytes(400)), "UnreadableInputError"),
    _ct("a text", _bytes("quixote.txt", b"no image"), "UnreadableInputError"),
    _ct("one slice of a series", lambda folder: write_series(folder)[0], "UnreadableInputError"),
    _ct("codec without a decoder", _undecodable, "UnreadableInputError"),
    _ct("enhanced without frame headers", _no_frame_headers, "UnreadableInputError"),
    _ct("inverted MONOCHROME1", _inverted, "CtRefusedError"),
    _labels("no such path", lambda folder: folder / "quixote", "UnreadableInputError"),
    _labels("archive", _bytes("a.zip", b"PK\x03\x04"), "UnreadableInputError"),
    _labels("a text", _bytes("quixote.txt", b"no labels"), "UnreadableInputError"),
    _labels("empty folder", lambda folder: folder),
    _labels("all zero", lambda folder: write_label_nifti(folder / "a.nii", np.zeros(SHAPE, np.uint8))),
    _labels("probabilities", lambda folder: write_label_nifti(folder / "a.nii", np.full(SHAPE, 0.3, np.float32))),
    _labels("negative", lambda folder: write_label_nifti(folder / "a.nii", -label_map().astype(np.int16))),
    _labels("too large", lambda folder: write_label_nifti(folder / "a.nii", label_map().astype(np.int32) * 20_000)),
    _labels("4-D", lambda f: write_label_nifti(f / "a.nii", np.stack([label_map()] * 2)), "UnreadableInputError"),
    _labels("placeless", _placeless),
    _labels("elsewhere", lambda f: write_label_nifti(f / "a.nii", label_map(), affine_ras(origin=(900, 0, 0)))),
    _labels("cut short", _cut(lambda f: write_label_nifti(f / "a.nii.gz", label_map()), 0.6), "UnreadableInputError"),
    _labels("broken table in the header", _broken_table),
    _labels("masks that are no masks", _mixed_masks),
    _labels("names: empty table", _named("")),
    _labels("names: no headings", _named("what,ever\n1,a\n")),
    _labels("names: a value twice", _named("id,name\n5,a\n5,b\n")),
    _labels("names: no number", _named("id,name\nfive,a\n")),
    _labels("without a place", lambda f: write_label_nifti(f / "a.nii", label_map(), np.eye(4))),
    _labels(
        "of another size for the CT's voxels",
        lambda f: [write_label_nifti(f / "a.nii", label_map()[1:], np.eye(4)), "--labels-on-ct-grid"],
    ),
    _labels(
        "names: absent table", lambda f: [write_label_nifti(f / "a.nii", label_map()), "--label-names", f / "n.csv"]
    ),
    _seg("SEG of another frame of reference", lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.2.3")),
    _seg("SEG without frame headers", lambda dataset: delattr(dataset, "PerFrameFunctionalGroupsSequence")),
    _seg("SEG off a regular grid", _off_grid),
    _seg("SEG with a frame far away", _far_away),
    _seg("SEG without spacing", lambda d: delattr(d.SharedFunctionalGroupsSequence[0], "PixelMeasuresSequence")),
    _seg("SEG without orientation", lambda d: delattr(d.SharedFunctionalGroupsSequence[0], "PlaneOrientationSequence")),
    _seg("SEG without pixels", lambda dataset: delattr(dataset, "PixelData")),
    _labels("SEG cut short", _cut(lambda f: write_seg(f / "a.dcm", boxes()), 0.9)),
    _labels("a CT as SEG", lambda folder: write_enhanced(folder / "a.dcm", ramp((4, 8, 10)))),
    _labels("a folder of CT", ct_dicom),
    _labels("Slicer: no such layer", lambda f: _slicer(f, slicer_segment(0, "a", 1, 3))),
    _labels("Slicer: no value", lambda f: _slicer(f, slicer_segment(0, "a", 0, 0))),
    _labels(
        "Slicer: cut short", _cut(lambda f: _slicer(f, slicer_segment(0, "a", 1, 0)), 0.95), "UnreadableInputError"
    ),
]


def _nifti(folder: Path, bad: object) -> Path:
    path = folder / "quixote.nii.gz"
    bad.make(path)  # type: ignore[attr-defined]
    return path


def _only(folder: Path, make: Callable[[Path], object]) -> Path:
    make(folder)
    return next(folder.iterdir())


def test_kinds_are_many_and_differ() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names))
    assert len(names) >= 25
    assert sum(kind.of_labels for kind in KINDS) >= 25


@pytest.fixture(scope="module")
def good_ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ct_dicom(tmp_path_factory.mktemp("ct"))


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_bad_input_is_a_named_error_and_writes_nothing(tmp_path: Path, good_ct: Path, kind: Kind) -> None:
    (given := tmp_path / "given").mkdir()
    (cases := tmp_path / "cases").mkdir()
    arguments = kind.make(given)
    before = snapshot(given)
    ct = [str(good_ct), "--labels"] if kind.of_labels else []
    run = CliRunner().invoke(app, ["reconstruct", *ct, *arguments, "--case", str(cases / "new")])
    assert run.exit_code == 1, run.output
    said = " ".join(run.stderr.split())
    assert any(said.startswith(f"{name}:") for name in kind.error), said
    assert "expected: " in said
    assert "fix: " in said
    assert not list(cases.iterdir())
    assert snapshot(given) == before
    assert not [word for word in IDENTIFYING if word in run.output.lower()]


@pytest.mark.parametrize("with_labels", [False, True])
def test_a_case_that_is_there_stays_as_it_is(tmp_path: Path, good_ct: Path, with_labels: bool) -> None:
    with Case.create(tmp_path / "case", "kept", TIME) as case:
        case.write_json("plan", "notes", {"a": 1}, MadeBy(program="test", version="1", time=TIME))
    before = snapshot(tmp_path / "case")
    labels = write_label_nifti(tmp_path / "a.nii", label_map())
    more = ["--labels", str(labels)] if with_labels else []
    run = CliRunner().invoke(app, ["reconstruct", str(good_ct), *more, "--case", str(tmp_path / "case")])
    assert run.exit_code == 1
    assert "CaseError" in run.stderr
    assert snapshot(tmp_path / "case") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii", "case"]


def test_good_labels_do_become_a_case(tmp_path: Path, good_ct: Path) -> None:
    """The same command with good input: so it is the input that the others are refused for."""
    labels = write_seg(tmp_path / "a.dcm", boxes())
    run = CliRunner().invoke(
        app, ["reconstruct", str(good_ct), "--labels", str(labels), "--case", str(tmp_path / "case")]
    )
    assert run.exit_code == 0, run.output
    case = Case.open(tmp_path / "case")
    assert case.structures() == ("segment_n_1", "segment_n_2", "segment_n_3")
    assert (case.verify(), case.stale()) == ({}, {})
    # A box of 6 x 6 x 7 voxels encloses 252 of them; corners are rounded off, and no face moves by half a voxel.
    volume_ml = case.read_surface("segment_n_1").volume_ml
    assert volume_ml == pytest.approx(252 * 0.56e-3, rel=0.1)
    labels, names = in_case.read_labels(case, layer=1)
    assert names == {3: "segment_n_3"}
    np.testing.assert_array_equal(labels.voxels == 3, boxes()[3])


def test_labels_without_a_place_become_a_case_when_asked_and_names_in_any_script_are_shown(
    tmp_path: Path, good_ct: Path
) -> None:
    labels = write_label_nifti(tmp_path / "a.nii", label_map(), np.eye(4))
    (tmp_path / "names.csv").write_text("value,name\n5,肝臓\n9,肺\n", encoding="utf-8")
    options = ["--labels-on-ct-grid", "--label-names", str(tmp_path / "names.csv"), "--triangles", "100"]
    run = CliRunner().invoke(
        app, ["reconstruct", str(good_ct), "--labels", str(labels), *options, "--case", str(tmp_path / "case")]
    )
    assert run.exit_code == 0, run.output
    said = " ".join(run.output.split())
    assert "taken voxel for voxel for the CT's" in said
    assert "label_5" in said
    assert "肝臓" in said
    case = Case.open(tmp_path / "case")
    assert case.structures() == ("label_5", "label_9")
    details = case.artefact("surfaces/label_5.glb").details
    assert details["given_name"] == "肝臓"
    assert details["triangles"] <= 100
    assert details["simplified"]["p95_mm"] > 0.0
    np.testing.assert_array_equal(in_case.read_labels(case)[0].voxels, label_map())


def test_snapshot_sees_a_change(tmp_path: Path) -> None:
    write_series(tmp_path)
    before = snapshot(tmp_path)
    shutil.copy(next(path for path in tmp_path.rglob("*") if path.is_file()), tmp_path / "more")
    assert snapshot(tmp_path) != before
