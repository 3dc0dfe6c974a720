"""Vertebrae in the case and on the screens: each with its surface and number; what is out of order is listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from case.case import Case
from case.nifti_files import write_nifti
from geometry.volume import Volume
from navigation.cli import app
from reconstruction import pipeline
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.network.grid import network_grid, resample_hu
from reconstruction.network.segmentation import Segmentation
from reconstruction.phantom.spine_evidence import COARSE_MM, evidence_of
from reconstruction.vertebrae.anatomy import USUAL
from reconstruction.vertebrae.evidence import CLASSES_NEEDED
from tests.reconstruction.vertebrae.spines import spine

LEVELS = USUAL.levels[17:21]  # T11 to L2: nothing below to count from


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "250"})
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def write_ct(path: Path, labels: Volume) -> Path:
    write_nifti(path, labels.with_voxels(np.where(np.asarray(labels.voxels) > 0, 400, 40).astype(np.int16)))
    return path


def test_each_vertebra_is_in_the_case_with_its_surface_and_how_sure_its_number_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, names = spine(LEVELS, sacrum=False)

    def by_a_network_that_is_right(ct: Volume, *_: object, **__: object) -> Segmentation:
        evidence, grid = evidence_of(labels, names), network_grid(ct, COARSE_MM)
        hu = Volume(resample_hu(ct, grid), grid.affine)
        classes = np.stack([evidence.probabilities[name] for name in CLASSES_NEEDED]).astype(np.float16)
        bone = hu.with_voxels(classes.sum(axis=0, dtype=np.float32))
        nothing = hu.with_voxels(np.zeros(bone.voxels.shape, np.uint8))
        offered = {"bone": bone, "vertebrae": hu.with_voxels(evidence.vertebra)}
        return Segmentation(
            offered, nothing, bone.with_voxels(np.zeros(bone.voxels.shape, np.float32)), "right", "0" * 64, (), False,
            hu, hu, (), CLASSES_NEEDED, classes, evidence.offsets_mm.astype(np.float16),
        )  # fmt: skip

    monkeypatch.setattr(pipeline, "segment", by_a_network_that_is_right)
    ct, made = write_ct(tmp_path / "ct.nii.gz", labels), tmp_path / "made.json"
    printed = run("reconstruct", ct, "--case", tmp_path / "case", "--json", made, "--uncertainty", "none")
    case, told = Case.open(tmp_path / "case"), json.loads(made.read_text())["network"]["vertebrae"]
    assert len(told["vertebrae"]) == len(LEVELS)
    assert {v["name"] for v in told["vertebrae"]} <= set(case.structures())
    assert (case.verify(), case.stale()) == ({}, {})
    for vertebra, value in zip(told["vertebrae"], range(1, len(LEVELS) + 1), strict=True):
        truth_ml = float((np.asarray(labels.voxels) == value).sum()) * labels.voxel_volume_ml
        surface = case.read_surface(vertebra["name"])
        assert surface.is_watertight
        assert surface.volume_ml == pytest.approx(truth_ml, rel=0.2)
        assert case.state(vertebra["name"]) == "suggested"
    found = read_nifti_volume(tmp_path / "case" / "labels" / "vertebrae.nii.gz")
    assert set(np.unique(found.voxels)) == set(range(len(LEVELS) + 1))
    for screen in (printed, run("review", tmp_path / "case")):
        assert "look vertebrae: no sacrum in the field of view" in screen
        assert all(v["name"] in screen for v in told["vertebrae"])


def test_vertebrae_that_others_exchanged_are_listed_for_review(tmp_path: Path) -> None:
    labels, names = spine(LEVELS, sacrum=False)
    ct = write_ct(tmp_path / "ct.nii.gz", labels)
    write_nifti(tmp_path / "labels.nii.gz", labels)
    names[2], names[3] = names[3], names[2]
    lines = "".join(f"{value},{name}\n" for value, name in names.items())
    (tmp_path / "names.csv").write_text("id,name\n" + lines, encoding="utf-8")
    taken = ("--labels", tmp_path / "labels.nii.gz", "--label-names", tmp_path / "names.csv")
    run("reconstruct", ct, *taken, "--case", tmp_path / "case")
    assert "look vertebrae: vertebrae out of order: L1 lies above T12" in run("review", tmp_path / "case")
