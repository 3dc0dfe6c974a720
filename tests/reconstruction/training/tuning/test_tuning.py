"""A network tuned on a site's scans learns what they label and keeps what they do not; else the old one is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from case.nifti_files import write_nifti
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.weights import Weights, load_weights
from reconstruction.training.train import run_training
from reconstruction.training.tuning.judging import dice_on, mean
from reconstruction.training.tuning.learning import learn
from reconstruction.training.tuning.settings import TuningSettings
from reconstruction.training.tuning.site import SiteScan, read_site
from reconstruction.training.tuning.tune import load_network, run_tuning, tune, write_tuned
from tests.reconstruction.training.tiny_training import write_scan, write_toml
from tests.reconstruction.training.tuning.made_scans import NAMES, made_ct, made_site_scan, write_site

# A network of three thousand parameters forgets more easily than a real one: it is allowed to lose more.
QUICK = TuningSettings(iterations=80, learning_rate=5e-3, average_over=15, rehearse_every=2, largest_loss=0.03)
SITE_HU, KNOWN_HU = 170.0, 110.0  # the site's livers hold contrast medium; the network has seen none


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that has learnt next to nothing."""
    folder = tmp_path_factory.mktemp("fresh")
    write_scan(folder / "first", seed=1)
    write_scan(folder / "held_out", seed=2)
    return run_training(write_toml(folder), folder / "out", data=folder).weights


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that has learnt livers without contrast medium."""
    folder = tmp_path_factory.mktemp("parent")
    for name, seed in (("first", 1), ("second", 2), ("held_out", 3)):
        ct, labels = made_ct(seed, KNOWN_HU)
        (folder / name).mkdir()
        write_nifti(folder / name / "ct.nii.gz", ct)
        write_nifti(folder / name / "labels.nii.gz", labels)
    toml = write_toml(folder, iterations=120)
    faster = "learning_rate = 2e-2\naverage_over = 20\n\n[augmentation]\naffine = 0.3\n"
    left_out = ("mixed_contrast", "synthetic_contrast", "elastic", "gamma", "noise", "bias", "blur", "low_resolution")
    toml.write_text(toml.read_text() + faster + "".join(f"{name} = 0.0\n" for name in left_out))
    return run_training(toml, folder / "out", data=folder).weights


@pytest.fixture(scope="module")
def weights(parent: Path) -> Weights:
    return load_weights(parent)


@pytest.fixture(scope="module")
def rehearsal(weights: Weights) -> list[SiteScan]:
    return rehearsal_of(weights)


def rehearsal_of(weights: Weights) -> list[SiteScan]:
    return [made_site_scan(seed, weights, KNOWN_HU, NAMES) for seed in (50, 51)]


def test_what_is_written_is_what_was_judged_and_says_what_it_came_from(fresh: Path, tmp_path: Path):
    old, folder = load_weights(fresh), write_site(tmp_path / "site", 5, SITE_HU)
    site = read_site(folder, old)
    judged, parameters = tune(old, site, rehearsal_of(old), replace(QUICK, iterations=3), lambda stage, share: None)
    assert sorted(judged.scans.values()) == ["choose", "judge", "learn", "learn", "learn"]
    moved = {name: value + 0.01 for name, value in parameters.items()}
    result = write_tuned(fresh, moved, site, replace(judged, better=True), tmp_path)
    tuned = load_weights(tmp_path / result.weights)
    for name, value in load_network(tuned).state_dict().items():
        np.testing.assert_allclose(value, moved[name], atol=1e-3)  # half precision
    text = json.loads((tmp_path / result.weights).read_text())
    assert text["tuned"]["parent_sha256"] == hashlib.sha256(old.onnx.read_bytes()).hexdigest()
    learnt = {scan.fingerprint for scan in site if result.scans[scan.name] != "judge"}
    assert set(tuned.trained_on) == {*old.trained_on, *learnt}
    assert len(learnt) == 4


@pytest.mark.slow
def test_tuned_on_ten_scans_it_is_better_on_others(
    parent: Path, weights: Weights, rehearsal: list[SiteScan], tmp_path: Path
):
    site = write_site(tmp_path / "site", 10, SITE_HU)
    result = run_tuning(parent, site, tmp_path / "out", QUICK, rehearsal=rehearsal)
    assert sorted(result.scans.values()) == ["choose"] * 2 + ["judge"] * 2 + ["learn"] * 6
    assert mean(result.after) > mean(result.before) + 0.05
    assert all(result.old_after[name] > value - QUICK.largest_loss for name, value in result.old_before.items())


@pytest.mark.slow
def test_what_the_site_does_not_label_is_kept(weights: Weights, rehearsal: list[SiteScan]):
    only_liver = [made_site_scan(seed, weights, SITE_HU, {1: "liver"}) for seed in range(200, 206)]
    others = [made_site_scan(seed, weights, KNOWN_HU, NAMES) for seed in (300, 301)]
    before = dice_on(load_network(weights), weights, others)
    kept, lost = load_network(weights), load_network(weights)
    result, parameters = tune(weights, only_liver, rehearsal, QUICK, lambda stage, share: None)
    kept.load_state_dict(parameters)
    lost.load_state_dict(learn(load_network(weights), weights, only_liver, [], replace(QUICK, keep_old=False)))
    ours, theirs = dice_on(kept, weights, others), dice_on(lost, weights, others)
    assert result.better
    for structure in ("bone", "lung"):
        assert ours[structure] > before[structure] - QUICK.largest_loss
    assert min(theirs["bone"], theirs["lung"]) < 0.3, "taken for background, they are forgotten"


def test_a_network_that_gained_nothing_is_kept(fresh: Path, tmp_path: Path):
    still = replace(QUICK, iterations=2, learning_rate=1e-12)
    site, old = write_site(tmp_path / "site", 3, KNOWN_HU), load_weights(fresh)
    result = run_tuning(fresh, site, tmp_path / "out", still, rehearsal=rehearsal_of(old))
    assert (result.better, result.weights) == (False, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tuning.json"]


def test_scans_that_cannot_be_learnt_from_are_refused(fresh: Path, tmp_path: Path):
    with pytest.raises(TrainingDataError, match="2 labelled scans"):
        run_tuning(fresh, write_site(tmp_path / "two", 2, SITE_HU), tmp_path / "out", QUICK)
    site = write_site(tmp_path / "nameless", 1, SITE_HU)
    (site / "labels.csv").write_text("value,name\n1,spleen\n2,pancreas\n3,gallbladder\n")
    with pytest.raises(TrainingDataError, match="no class"):
        read_site(site, load_weights(fresh))
    (site / "labels.csv").write_text("value,name\n1,liver\n2,pancreas\n3,lung\n")
    (scan,) = read_site(site, load_weights(fresh))
    assert scan.unknown == ("pancreas",)
    (site / "scan_0" / "labels.nii.gz").unlink()
    with pytest.raises(TrainingDataError, match="0 files or folders named 'labels'"):
        read_site(site, load_weights(fresh))
