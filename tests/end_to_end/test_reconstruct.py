"""``surgnav reconstruct`` on real scans, and on what it must refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from reconstruction import in_case
from tests.end_to_end.program import largest_child_gb, surgnav, unpacked


def text_file(path: Path) -> Path:
    path.write_text("this is no scan")
    return path


@pytest.fixture(scope="module")
def lidc_case(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("lidc")
    ct = unpacked(shared_data / "ct" / "lidc0314_dicom.tar.gz", folder / "dicom")
    run = surgnav("reconstruct", ct, "--case", folder / "case")
    assert run.returncode == 0, run.stderr + run.stdout
    assert "quality good" in run.stdout
    return Case.open(folder / "case")


@pytest.fixture(scope="module")
def ircadb_case(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("ircadb")
    archive = shared_data / "ct" / "ircadb17_dicom_ct_and_masks.tar.gz"
    ct = unpacked(archive, folder / "dicom", "PATIENT_DICOM/") / "PATIENT_DICOM"
    run = surgnav("reconstruct", ct, "--case", folder / "case")
    assert run.returncode == 0, run.stderr + run.stdout
    assert "quality usable" in run.stdout
    return Case.open(folder / "case")


def volume_ml(case: Case, structure: str) -> float:
    return case.read_surface(structure).volume_ml


def test_a_chest_of_275_slices_becomes_plausible_surfaces(lidc_case: Case) -> None:
    # Two inflated lungs hold 2 to 7 litres, 275 mm of a trunk 12 to 30. The bones of a chest hold 0.5 to 2.5: the
    # network alone found 470 ml, with 170 ml of the table beside it.
    assert 2_000 < volume_ml(lidc_case, "lung") < 7_000
    assert 12_000 < volume_ml(lidc_case, "body") < 30_000
    assert 600 < volume_ml(lidc_case, "bone") < 2_500
    assert set(lidc_case.structures()) >= {"body", "bone", "lung"}
    assert all(lidc_case.state(structure) == "suggested" for structure in lidc_case.structures())
    assert not lidc_case.approved_surfaces()


def test_what_the_network_misses_of_the_bone_the_scan_adds_and_the_table_is_none_of_it(lidc_case: Case) -> None:
    told = lidc_case.path_of("quality/network.json").read_text("utf-8")
    assert "bone missed" not in told
    # Read off the slices (+y is posterior): the back ends at 294 mm, on the table, whose boards go on to 340.
    for structure in lidc_case.structures():
        assert lidc_case.read_surface(structure).vertices_mm[:, 1].max() < 297.0, structure


def test_the_liver_of_an_abdomen_is_on_the_right_and_near_its_known_size(ircadb_case: Case) -> None:
    liver, body = ircadb_case.read_surface("liver"), ircadb_case.read_surface("body")
    # The experts' mask has 1,861 ml.
    assert liver.volume_ml == pytest.approx(1_861, rel=0.25)
    assert liver.vertices_mm[:, 0].mean() < body.vertices_mm[:, 0].mean() - 30.0  # patient right is -x in LPS


def test_it_stays_within_six_gigabytes(lidc_case: Case) -> None:
    assert lidc_case.structures()
    assert largest_child_gb() < 6.0


def test_a_tilted_gantry_is_refused_with_the_reason_and_leaves_nothing(shared_data: Path, tmp_path: Path) -> None:
    head = unpacked(shared_data / "ct" / "ge_head_gantry_tilt.tar.gz", tmp_path / "dicom")
    run = surgnav("reconstruct", head, "--case", tmp_path / "case")
    assert run.returncode == 1
    assert "CtRefusedError" in run.stderr
    assert "tilt" in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dicom"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "absent", "does not exist"),
        (lambda folder: folder, "empty folder"),
        (lambda folder: text_file(folder / "scan.nii.gz"), "no NIfTI image"),
        (lambda folder: text_file(folder / "scan.tar.gz"), "unpack"),
    ],
    ids=["missing", "empty", "not a NIfTI", "an archive"],
)
def test_bad_input_is_one_clear_error_and_no_case(make: object, words: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    run = surgnav("reconstruct", make(tmp_path / "in"), "--case", tmp_path / "case")
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert "expected:" in run.stderr
    assert "fix:" in run.stderr
    assert words.lower() in run.stderr.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_review_records_a_named_decision_and_nothing_less(ircadb_case: Case) -> None:
    root = ircadb_case.root
    assert "suggested" in surgnav("review", root).stdout
    refused = surgnav("review", root, "--structure", "liver", "--decision", "approved")
    assert refused.returncode == 1
    assert "--person" in refused.stderr
    decision = ["--structure", "liver", "--decision", "approved", "--person", "Dr Test"]
    unseen = surgnav("review", root, *decision)  # nobody is there to be asked
    assert unseen.returncode == 1
    assert "--looked-at or --not-looked-at" in unseen.stderr
    drawn = surgnav("review", root, "--structure", "liver", "--pictures")
    assert "look at" in drawn.stdout
    assert (root / "pictures" / "liver.png").stat().st_size > 100_000
    run = surgnav("review", root, *decision, "--looked-at")
    assert run.returncode == 0, run.stderr
    assert "Dr Test" in run.stdout
    approved = Case.open(root).approved_surfaces()
    assert [a.details["structure"] for a in approved] == ["liver"]


def test_labels_and_probabilities_lie_on_one_grid_in_the_case(ircadb_case: Case) -> None:
    labels, names = in_case.read_labels(ircadb_case)
    liver = in_case.read_probability(ircadb_case, "liver")
    np.testing.assert_allclose(labels.affine, liver.affine, atol=1e-5)
    value = next(value for value, name in names.items() if name == "liver")
    agreement = ((np.asarray(liver.voxels) > 0.5) == (np.asarray(labels.voxels) == value)).mean()
    # Labels are the likeliest class, which may have less than one half: at borders the two may differ.
    assert agreement > 0.995


def test_help_lists_the_commands_in_the_order_of_a_case() -> None:
    text = surgnav("--help").stdout
    places = [text.index(f" {command} ") for command in ("reconstruct", "review", "demo", "train", "doctor")]
    assert places == sorted(places)


def test_what_may_be_wrong_on_a_scan_it_never_saw_is_said(ircadb_case: Case) -> None:
    """The network alone had half of the bone here; with the CT's word on it, it agrees with what is dense."""
    doubts = ircadb_case.read_doubts()
    assert doubts["warnings"] == []  # a trunk, as those it was trained on
    assert doubts["structures"]["bone"]["dice_with_hu"] > 0.75
    assert doubts["structures"]["bone"]["warnings"] == doubts["structures"]["liver"]["warnings"] == []
    shown = surgnav("review", ircadb_case.root).stdout
    assert "These weights were never calibrated" in shown
    assert "more regions to review stand in the case" in shown
