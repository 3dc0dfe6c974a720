"""``surgnav models`` and ``surgnav reconstruct --model``, by the commands that a person types."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from case.nifti_files import write_nifti
from geometry.volume import Volume
from navigation.cli import app
from navigation.commands.models.folders import model_folder
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights, shipped_ct_networks
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom
from tests.reconstruction.guests.bundles import write_bundle
from tests.reconstruction.guests.nnunet.models import (
    LABELS,
    configuration,
    dataset,
    plans,
    write_checkpoint,
    write_texts,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, so that nothing of this machine's user is seen or touched."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def typed(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_the_shipped_network_is_listed_and_shown(home: Path):
    assert next(iter(shipped_ct_networks())) == load_weights().name
    listed = typed("models", "list")
    for name in shipped_ct_networks():
        assert name in listed
        assert "body, bone, lung, liver" in typed("models", "show", name)
    assert model_folder() == home / "data" / "surgnav" / "models"


def test_a_bundle_is_added_shown_checked_and_used(home: Path):
    folder = write_bundle(home / "tiny")
    said = typed("models", "add", folder, "--name", "Tiny")
    assert "3: Left kidney, Aorta, Spleen" in said
    assert "'surgnav models check tiny'" in said
    assert "MONAI" in typed("models", "list")
    assert "Apache License 2.0" in typed("models", "show", "tiny")
    checked = home / "check.json"
    assert "at most" in typed("models", "check", "tiny", "--json", checked)
    result = json.loads(checked.read_text())
    assert set(result["volumes_ml"]) <= {"Left kidney", "Aorta", "Spleen"}
    assert result["volumes_ml"]
    assert result["seconds"]["segment"] > 0
    phantom = make_torso_phantom(TorsoPhantomSettings(spacing_mm=(10.0, 10.0, 10.0)), np.random.default_rng(1))
    middle = Volume(phantom.ct.voxels[8:20, 8:20, 12:24], phantom.ct.affine)
    write_nifti(home / "ct.nii.gz", middle)
    made = typed("reconstruct", home / "ct.nii.gz", "--case", home / "case", "--model", "tiny")
    assert "the MONAI bundle 'tiny'" in made
    assert "voxels of 10 mm; 'tiny' was made for 4 mm" in made
    assert (home / "case" / "surfaces" / "aorta.glb").is_file()
    (folder / "models" / "model.pt").write_bytes(b"other weights")
    assert "have changed" in typed("models", "list")
    assert "have changed" in typed("models", "check", "tiny", code=1)


def test_totalsegmentators_weights_are_found_where_it_keeps_them(home: Path, monkeypatch: pytest.MonkeyPatch):
    inside = Path("Dataset291_Total") / "nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"
    kept = home / "home" / ".totalsegmentator" / "nnunet" / "results" / inside
    write_texts(kept, plans(configuration(old=True)), dataset(LABELS))
    assert f"surgnav models add {kept} --name dataset291_total" in typed("models", "list")
    write_checkpoint(kept, torch.nn.Conv3d(1, 1, 1), "0", 0)
    assert "aorta" in typed("models", "add", kept, "--name", "dataset291_total").lower()
    assert "surgnav models add" not in typed("models", "list")
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(home / "elsewhere"))
    other = write_texts(home / "elsewhere" / inside, plans(configuration(old=True)), dataset(LABELS))
    assert f"surgnav models add {other} --name" in typed("models", "list")


def test_wrong_words_are_refused(home: Path):
    assert "the network 'nobody'" in typed("models", "check", "nobody", code=1)
    assert "no network that this program knows" in typed("models", "add", home, code=1)
    words = ("reconstruct", home, "--case", home / "case", "--model", "tiny")
    bundle = write_bundle(home / "tiny")
    assert "no nnU-Net model" in typed("models", "add", bundle, "--mirror", code=1)
    assert "exclude each other" in typed(*words, "--engine", "torch", code=2)


def test_what_train_wrote_is_added_checked_and_used_as_ours(home: Path):
    for suffix in (".json", ".onnx"):
        shutil.copy(DEFAULT_WEIGHTS.with_suffix(suffix), home)
    trained = home / DEFAULT_WEIGHTS.name
    assert "SurgNav, trained here" in typed("models", "add", trained, "--name", "tuned")
    assert "yes" in typed("models", "list")
    assert "found in a synthetic trunk" in typed("models", "check", "tuned")
    phantom = make_torso_phantom(TorsoPhantomSettings(spacing_mm=(6.0, 6.0, 6.0)), np.random.default_rng(1))
    write_nifti(home / "ct.nii.gz", phantom.ct)
    shown = home / "made.json"
    typed(
        "reconstruct",
        home / "ct.nii.gz",
        "--case",
        home / "case",
        "--model",
        "tuned",
        "--uncertainty",
        "none",
        "--json",
        shown,
    )
    assert json.loads(shown.read_text())["network"]["weights_sha256"] == load_weights().sha256
    trained.write_text(trained.read_text("utf-8").replace("Apache", "other") + " ", "utf-8")
    again = typed("reconstruct", home / "ct.nii.gz", "--case", home / "other", "--model", "tuned", code=1)
    assert "have changed since it was added" in again


def test_a_network_of_images_is_no_network_of_ct(home: Path):
    tiny = DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json"
    assert "a network of 2D images" in typed("models", "add", tiny, code=1)
