"""``surgnav review``: an approval says whether anybody looked; doubts about the network are on the screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from case.case import Case
from geometry.clock import StageTimer
from navigation.cli import app
from navigation.commands.review.command import ReviewRequest
from navigation.commands.review.run import review
from reconstruction import in_case, pipeline
from reconstruction.network.segmentation import Segmentation
from tests.reconstruction.labels.label_files import boxes, ct_dicom, write_seg

TIME = "2026-01-02T03:04:05+00:00"
NAME = "segment_n_1"
APPROVE = ["--structure", NAME, "--decision", "approved", "--person", "Dr Test"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review")
    ct, labels = ct_dicom(folder / "ct"), write_seg(folder / "labels.dcm", boxes())
    run = CliRunner().invoke(app, ["reconstruct", str(ct), "--labels", str(labels), "--case", str(folder / "case")])
    assert run.exit_code == 0, run.output
    return folder / "case"


@pytest.fixture
def case(made: Path) -> Path:
    """Undecided at the beginning of each test."""
    kept = (made / "case.json").read_bytes()
    yield made
    (made / "case.json").write_bytes(kept)


def reviewed(case: Path, *arguments: str, code: int = 0) -> str:
    run = CliRunner().invoke(app, ["review", str(case), *arguments])
    assert run.exit_code == code, run.output
    return " ".join((run.output + run.stderr).split())


def test_where_nobody_can_be_asked_an_approval_must_say_whether_pictures_were_looked_at(case: Path) -> None:
    said = reviewed(case, *APPROVE, code=1)
    assert "--looked-at or --not-looked-at" in said
    assert "--pictures" in said
    assert Case.open(case).decisions == ()


@pytest.mark.parametrize(("flag", "looked_at"), [("--looked-at", True), ("--not-looked-at", False)])
def test_the_record_and_the_screen_say_whether_anybody_looked(case: Path, flag: str, looked_at: bool) -> None:
    said = reviewed(case, *APPROVE, flag)
    (decision,) = Case.open(case).decisions
    assert (decision.state, decision.looked_at) == ("approved", looked_at)
    assert ("approved without a look at its pictures" in said) is not looked_at


def test_rejecting_needs_no_look(case: Path) -> None:
    said = reviewed(case, "--structure", NAME, "--decision", "rejected", "--person", "Dr Test")
    assert Case.open(case).state(NAME) == "rejected"
    assert "without a look" not in said


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_shown_where_the_picture_is_and_asked(case: Path, answer: bool) -> None:
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        assert (case / "pictures" / f"{NAME}.png").is_file()  # drawn before the question
        return answer

    console = Console(record=True, width=200)
    request = ReviewRequest(case=case, structure=NAME, decision="approved", person="Dr Test")
    review(request, TIME, console, ask)
    assert asked == [f"Have you looked at the picture of '{NAME}'?"]
    assert f"look at {case}/pictures/{NAME}.png" in console.export_text()
    assert Case.open(case).decisions[0].looked_at is answer


def test_pictures_are_drawn_of_all_or_one_and_are_part_of_the_case(case: Path) -> None:
    reviewed(case, "--structure", NAME, "--pictures")
    assert [a.path for a in Case.open(case).artefacts if a.kind == "pictures"] == [f"pictures/{NAME}.png"]
    reviewed(case, "--pictures")
    opened = Case.open(case)
    assert sum(artefact.kind == "pictures" for artefact in opened.artefacts) == 3
    assert (opened.verify(), opened.stale(), opened.decisions) == ({}, {}, ())


def test_a_decision_of_an_earlier_version_does_not_pretend_to_know(case: Path) -> None:
    reviewed(case, *APPROVE, "--looked-at")
    manifest = json.loads((case / "case.json").read_text())
    del manifest["decisions"][0]["looked_at"]
    (case / "case.json").write_text(json.dumps(manifest))
    assert Case.open(case).decisions[0].looked_at is None
    assert "approved before looks were recorded" in reviewed(case)


# ----------------------------------------------------------------------------------------- doubts, screen and numbers
@pytest.fixture
def doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict, str]:
    """A case from a network that finds half of the bone, and is not sure of it; its numbers, and what was printed."""

    def half_of_the_bone(ct, *_: object, stages: StageTimer, **__: object) -> Segmentation:
        stages.run("network", lambda: None)
        bone = np.where(ct.voxels > 300, 0.6, 0.0).astype(np.float32)
        bone[:, :, : bone.shape[2] // 2] = 0.0
        labels = ct.with_voxels((bone > 0.5).astype(np.uint8))
        uncertainty = ct.with_voxels(np.full(bone.shape, 0.25, np.float32))
        return Segmentation({"bone": ct.with_voxels(bone)}, labels, uncertainty, "half", "0" * 64, (), False, ct, ct)

    monkeypatch.setattr(pipeline, "segment", half_of_the_bone)
    ct = ct_dicom(tmp_path / "ct")
    command = ["reconstruct", str(ct), "--case", str(tmp_path / "case"), "--json", str(tmp_path / "made.json")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    return tmp_path / "case", json.loads((tmp_path / "made.json").read_text()), " ".join(run.output.split())


def test_doubts_are_in_the_case_and_on_both_screens(doubtful: tuple[Path, dict, str]) -> None:
    path, document, printed = doubtful
    case = Case.open(path)
    kept = case.read_doubts()
    assert kept == document["network"]["doubts"]
    assert kept["structures"]["bone"]["mean_probability"] == pytest.approx(0.6, abs=1e-3)
    assert kept["mean_uncertainty"] == pytest.approx(0.25)
    assert case.artefact("quality/network.json").made_from
    np.testing.assert_allclose(in_case.read_uncertainty(case).voxels, 0.25, atol=1 / 255)
    for screen in (printed, reviewed(path)):
        assert "look bone: the network is not sure of it: mean probability 0.60" in screen
        assert "no thorax or abdomen in the field of view" in screen


def test_the_numbers_of_a_reconstruction(doubtful: tuple[Path, dict, str]) -> None:
    path, document, printed = doubtful
    assert (document["schema"], document["version"], document["case"]) == ("surgnav.reconstruction", 1, str(path))
    assert document["verdict"] == "usable"
    assert set(document["absent"]) == {"bone"}  # too little of it for a surface
    assert set(document["seconds"]) == {"read", "network", "check", "uncertainty", "surfaces", "write"}
    shown = printed.split("stage s share")[1]
    assert all(f"{stage} {seconds:.1f} " in shown for stage, seconds in document["seconds"].items())
    assert f"all {sum(document['seconds'].values()):.1f} 100%" in shown
    assert document["labels"] is None


def test_the_numbers_of_a_reconstruction_from_labels(tmp_path: Path) -> None:
    ct, labels = ct_dicom(tmp_path / "ct"), write_seg(tmp_path / "labels.dcm", boxes())
    command = ["reconstruct", str(ct), "--labels", str(labels), "--case", str(tmp_path / "case")]
    assert CliRunner().invoke(app, [*command, "--json", str(tmp_path / "made.json")]).exit_code == 0
    document = json.loads((tmp_path / "made.json").read_text())
    assert (document["network"], document["labels"]["format"]) == (None, "DICOM SEG (binary)")
    assert set(document["structures"]) == {"segment_n_1", "segment_n_2", "segment_n_3"}
    surface = Case.open(tmp_path / "case").read_surface(NAME)
    numbers = document["structures"][NAME]
    assert (numbers["triangles"], numbers["watertight"]) == (len(surface.triangles), True)
    assert numbers["volume_ml"] == pytest.approx(surface.volume_ml, abs=1e-3)
