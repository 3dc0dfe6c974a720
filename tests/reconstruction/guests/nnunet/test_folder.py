"""nnU-Net folders: our answer is nnU-Net's own; what is not supported is refused by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.guests.axes import along
from reconstruction.guests.errors import ModelError
from reconstruction.guests.kinds import open_guest, read_card
from tests.conftest import IN_CI, REPOSITORY
from tests.reconstruction.guests.nnunet import models as make

# What each case is there for; each is predicted by nnU-Net itself, all in one process.
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "plain_old_plan": {"old": True},
    "residual_two_folds": {"kind": make.RESIDUAL, "folds": ["0", "1"]},
    "regions_transposed": {"labels": make.REGIONS, "forward": (2, 0, 1)},
    "mirrored_file_order": {"mirror": True, "reader": "SimpleITKIO", "patch_size": [20, 40, 40]},
    "thick_slices_padded": {"spacing": [9.0, 2.2, 2.2], "patch_size": [16, 64, 64]},
}


def nnunet_folder() -> Path:
    """Where nnU-Net is installed, apart from this program's packages: scripts/setup tests."""
    return Path(os.environ.get("SURGNAV_NNUNET") or Path(sys.prefix) / "nnunet")


@pytest.fixture(scope="module")
def predicted(oblique_ct: Volume, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Volume]:
    """The folder of all cases with nnU-Net's answers, and the CT that they are for: empty at its edge."""
    if not (nnunet_folder() / "nnunetv2").is_dir():
        reason = "nnU-Net is not installed apart; 'make setup-tests' does that"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    voxels = np.array(oblique_ct.voxels[:28, :36, :34])
    voxels[:3], voxels[:, :, -4:] = 0, 0
    ct = Volume(voxels, oblique_ct.affine)
    root = tmp_path_factory.mktemp("nnunet")
    for name, case in CASES.items():
        orientation = "LPS" if "reader" in case else "RAS"
        turned = along(ct, orientation)
        changes = {key: case[key] for key in ("spacing", "patch_size") if key in case}
        chosen = make.configuration(case.get("kind", make.PLAIN), case.get("old", False), **changes)
        given = {key: case[key] for key in ("reader", "forward") if key in case}
        folder = make.write_texts(
            root / name, make.plans(chosen, **given), make.dataset(case.get("labels", make.LABELS))
        )
        np.save(root / f"{orientation}.npy", np.asarray(turned.voxels))
        job = {"voxels": str(root / f"{orientation}.npy"), "spacing": turned.spacing_mm[::-1].tolist()}
        job |= {"folds": case.get("folds", ["0"]), "mirror": case.get("mirror", False)}
        (folder / "job.json").write_text(json.dumps(job))
    paths = {key: str(root) for key in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    found = os.pathsep.join([str(REPOSITORY), str(nnunet_folder())])
    run = subprocess.run(
        [sys.executable, "-m", "tests.reconstruction.guests.nnunet.by_nnunet", str(root)],
        env={**os.environ, **paths, "PYTHONPATH": found, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return root, ct


@pytest.mark.parametrize("case", CASES)
def test_answer_is_that_of_nnunet(predicted: tuple[Path, Volume], case: str):
    root, ct = predicted
    theirs = np.load(root / case / "theirs.npz")
    model = open_guest(read_card(root / case, "tiny", mirror=CASES[case].get("mirror", False)))
    probabilities = model.probabilities(ct)
    difference = np.abs(probabilities - theirs["probabilities"]).max()
    print(f"{case}: largest difference of probabilities to nnU-Net {difference:.2g}")
    assert difference < 1e-3
    assert theirs["probabilities"].std() > 0.05
    (labels,) = model.segment(ct).layers
    assert len(np.unique(theirs["labels"])) > 1
    assert (np.asarray(labels.voxels) == theirs["labels"]).mean() > 0.9999
    np.testing.assert_allclose(labels.affine, along(ct, model.card.orientation).affine)


def test_card_says_what_the_plan_says(predicted: tuple[Path, Volume]):
    root, _ = predicted
    card = read_card(root / "plain", "tiny")
    assert card.structures == ("Left kidney", "Aorta", "vertebrae_L1")
    assert (card.spacing_mm, card.window) == ((2.0, 2.0, 4.0), (32, 24, 16))
    assert (card.orientation, card.licence, card.notes) == ("RAS", "CC-BY-4.0", ())
    assert card.intensities_hu == (-300.0, 500.0)
    assert set(card.files) == {"plans.json", "dataset.json", "fold_0/checkpoint_final.pth"}
    assert set(read_card(root / "residual_two_folds", "two").files) >= {"fold_1/checkpoint_final.pth"}
    assert read_card(root / "regions_transposed", "regions").structures == ("whole kidney", "tumour")
    silent = read_card(root / "mirrored_file_order", "silent")
    assert "do not say which way" in silent.notes[0]
    assert read_card(root / "mirrored_file_order", "said", orientation="RAS").notes == ()


def tiny_folder(folder: Path, plan: Any = None, described: Any = None, **more: Any) -> Path:
    """A folder whose one checkpoint holds nothing that fits."""
    import torch

    plan = plan or make.plans(make.configuration())
    make.write_texts(folder, plan, described or make.dataset(make.LABELS))
    make.write_checkpoint(folder, torch.nn.Conv3d(1, 1, 1), "0", 0, **more)
    return folder


@pytest.mark.parametrize(
    ("plan", "described", "said"),
    [
        (make.plans(make.configuration(previous_stage="3d_lowres")), None, "cascade"),
        (make.plans(make.configuration(patch_size=[64, 64])), None, "two-dimensional"),
        (make.plans(make.configuration(preprocessor_name="Odd")), None, "preprocessor Odd"),
        (make.plans(make.configuration(resampling_fn_data="resample_torch_fornnunet")), None, "resample_torch"),
        (make.plans(make.configuration(normalization_schemes=["ZScoreNormalization"])), None, "ZScore"),
        (
            make.plans(make.configuration(architecture={"network_class_name": "a.Mamba", "arch_kwargs": {}})),
            None,
            "read",
        ),
        (None, make.dataset(make.LABELS, channel_names={"0": "T1"}), "'T1'"),
        (None, make.dataset(make.LABELS, channel_names={"0": "CT", "1": "PET"}), "2 channels"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path: Path, plan: Any, described: Any, said: str):
    with pytest.raises(ModelError, match=said):
        read_card(tiny_folder(tmp_path / "tiny", plan, described), "tiny")


def test_parameters_that_do_not_fit_and_missing_folds_are_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="parameters that do not fit"):
        open_guest(read_card(tiny_folder(tmp_path / "tiny"), "tiny"))
    empty = make.write_texts(tmp_path / "empty", make.plans(make.configuration()), make.dataset(make.LABELS))
    with pytest.raises(ModelError, match="without a trained fold"):
        read_card(empty, "empty")


def test_checkpoint_that_would_run_code_is_refused_when_it_is_added(tmp_path: Path):
    folder = tiny_folder(tmp_path / "tiny", more=Path("a pickle of its own class"))
    with pytest.raises(ModelError, match=r"pathlib\.PosixPath.*--trust"):
        read_card(folder, "tiny")
    assert read_card(folder, "tiny", trusted=True).trusted
