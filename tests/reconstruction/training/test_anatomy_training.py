"""Training of many classes: what they mean, things told apart, and the way to their centres through a deformation."""

from pathlib import Path

import numpy as np
import pytest
import torch

from geometry.volume import Volume
from reconstruction.network.classes import Anatomy
from reconstruction.network.errors import TrainingConfigError
from reconstruction.network.segmentation import segment
from reconstruction.network.weights import load_weights
from reconstruction.training.config import TrainingConfig
from reconstruction.training.read_config import read_config
from reconstruction.training.sampling import Sampler
from reconstruction.training.targets import prepare, things_of
from reconstruction.training.train import offset_loss, run_training, soft_dice_cross_entropy
from reconstruction.training.volume_task import balanced_weights
from reconstruction.training.warp import draw_warp
from tests.reconstruction.training.tiny_training import TOML, scan_of_balls, write_scan

TURN = np.eye(4)
TURN[:2, :2] = [[np.cos(np.pi / 6), -np.sin(np.pi / 6)], [np.sin(np.pi / 6), np.cos(np.pi / 6)]]

VERTEBRAE = (
    TOML.replace('bone = ["vertebra*"]', 'vertebra = ["vertebra*"]\nbone = ["rib*"]')
    .replace("spacing_mm = 2.0", 'spacing_mm = 2.0\nclasses = ["outside", "body", "bone", "vertebra", "lung", "liver"]')
    .replace("window = ", 'offsets_of = ["vertebra"]\nwindow = ')
    .replace("warm_up = 1", "workers = 1\nwarm_up = 1")
    + '\n[anatomy]\nbone = ["bone", "vertebra"]\nvertebrae = ["vertebra"]\nvertebra = []\n'
)


def large_config(folder: Path) -> TrainingConfig:
    config = read_config(vertebrae_toml(folder, old="window = [16, 16, 16]", new="window = [32, 32, 32]"))
    assert isinstance(config, TrainingConfig)
    return config


def vertebrae_toml(folder: Path, iterations: int = 2, old: str = "", new: str = "") -> Path:
    path = folder / "vertebrae.toml"
    path.write_text(VERTEBRAE.format(iterations=iterations).replace(old, new), "utf-8")
    return path


def test_the_anatomy_networks_file_is_valid(repository: Path):
    config = read_config(repository / "reconstruction" / "training" / "anatomy_network.toml")
    classes = {
        "vertebrae_C7": "vertebra_cervical",
        "vertebrae_T1": "vertebra_thoracic",
        "vertebrae_L6": "vertebra_lumbar",
        "vertebrae_S1": "sacrum",
        "hip_left_spongy": "bone",
        "rib_right_12": "rib",
        "kidney_cyst_left": "kidney",
        "iliac_vena_left": "vessel",
        "esophagus": "bowel",
        "gluteus_maximus_left": "body",
    }
    assert {label: config.network.classes[config.class_of(label)] for label in classes} == classes
    meaning = config.meaning
    assert set(meaning.structures) == {
        "body", "bone", "vertebrae", "sacrum", "ribs", "lung", "liver", "spleen", "kidney", "aorta",
    }  # fmt: skip
    assert meaning.channels == 18
    assert meaning.structures["bone"][0] == "bone"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('bone = ["rib*"]\n', "", "must name labels"),
        ('bone = ["rib*"]\n', 'bone = ["rib*"]\nheart = ["heart"]\n', "nothing else"),
        ('vertebrae = ["vertebra"]', 'vertebrae = ["disc"]', "structures are wrong"),
        ('offsets_of = ["vertebra"]', 'offsets_of = ["disc"]', "must be among"),
    ],
)
def test_classes_that_do_not_fit_are_refused(tmp_path: Path, old: str, new: str, message: str):
    with pytest.raises(TrainingConfigError, match=message):
        read_config(vertebrae_toml(tmp_path, old=old, new=new))


def test_things_are_numbered_and_have_their_centroids():
    numbers = np.zeros((4, 5, 6), np.int64)
    numbers[0, 0, 0:3], numbers[2:4, 4, 5] = 7, 3
    things = things_of(numbers)
    np.testing.assert_array_equal(np.unique(things.numbers), [0, 1, 2])
    np.testing.assert_allclose(things.centres[1:], [[2.5, 4, 5], [0, 0, 1]])


def test_a_point_goes_where_the_picture_goes(tmp_path: Path):
    config = large_config(tmp_path)
    shape, points = (40, 42, 44), np.array([[20.0, 20.0, 21.0], [14.0, 25.0, 28.0]], np.float32)
    k, j, i = np.indices(shape)
    blobs = [np.exp(-((k - a) ** 2 + (j - b) ** 2 + (i - c) ** 2) / 8).astype(np.float32) for a, b, c in points]
    moved = 0.0
    for seed in range(6):
        warp = draw_warp(config, shape, np.random.default_rng(seed))
        carried = warp.carry(torch.from_numpy(np.stack(blobs))).numpy()
        for point, blob in zip(warp.place(points), carried, strict=True):
            centroid = [(axis * blob).sum() / blob.sum() for axis in np.indices(blob.shape)]
            # A blob some voxels wide is sheared and stretched a little: its centroid is near the point's image.
            np.testing.assert_allclose(point, centroid, atol=0.7)
            moved = max(moved, float(np.abs(point - (points - 4)[0]).max()))
    assert moved > 3.0


def test_offsets_of_a_sample_lead_to_the_vertebra(tmp_path: Path):
    config = large_config(tmp_path)
    volume = prepare(scan_of_balls(), config)
    sample = Sampler([volume], config).draw(3)
    assert sample.offsets is not None
    assert sample.on_thing is not None
    inside = sample.on_thing[0, 0].numpy()
    assert inside.sum() > 100
    unit_mm = config.network.offsets_mm / config.network.spacing_mm
    ijk = np.argwhere(inside)[:, ::-1]
    targets = ijk + sample.offsets[0].numpy()[:, inside].T * unit_mm
    np.testing.assert_allclose(targets, np.broadcast_to(targets[0], targets.shape), atol=1e-3)
    np.testing.assert_allclose(targets[0], ijk.mean(axis=0), atol=0.7)


def test_offsets_count_on_things_only():
    outputs = torch.zeros((1, 3, 2, 2, 2), requires_grad=True)
    on_thing = torch.zeros((1, 1, 2, 2, 2), dtype=torch.bool)
    assert offset_loss(outputs, torch.ones(1, 3, 2, 2, 2), on_thing) == 0
    on_thing[..., 0, 1] = True
    offset_loss(outputs, torch.ones(1, 3, 2, 2, 2), on_thing).backward()
    assert outputs.grad is not None
    np.testing.assert_array_equal(outputs.grad.numpy() != 0, on_thing.expand_as(outputs).numpy())


def test_a_network_of_more_classes_goes_from_file_to_structures(tmp_path: Path):
    write_scan(tmp_path / "data" / "first", seed=1)
    toml = vertebrae_toml(tmp_path, old='validation = ["held_out/ct.nii.gz"]\n')
    straight = run_training(toml, tmp_path / "run", data=tmp_path / "data")
    weights = load_weights(straight.weights)
    assert weights.ct_anatomy == Anatomy(
        ("outside", "body", "bone", "vertebra", "lung", "liver"),
        {name: (name,) for name in ("body", "lung", "liver")}
        | {"bone": ("bone", "vertebra"), "vertebrae": ("vertebra",)},
        weights.ct_anatomy.offered,
        100.0,
    )
    ct = scan_of_balls().ct
    # The same picture in a frame turned by 30 degrees about S: the offsets turn with it.
    turned = Volume(ct.voxels, TURN @ ct.affine)
    found, again = segment(ct, weights=weights), segment(turned, weights=weights)
    assert found.class_probabilities is not None
    assert found.offsets_mm is not None
    assert again.offsets_mm is not None
    assert found.class_probabilities.shape == (6, *found.hu.voxels.shape)
    assert found.offsets_mm.shape == (3, *found.hu.voxels.shape)
    assert set(found.probabilities) == {"body", "bone", "vertebrae", "lung", "liver"}
    expected = np.einsum("ab,bkji->akji", TURN[:3, :3], found.offsets_mm.astype(np.float64))
    np.testing.assert_allclose(again.offsets_mm, expected, atol=0.2)


def test_a_rare_class_weighs_more_in_the_cross_entropy():
    shares = [np.array([0.6, 0.39, 0.01, 0.0]), np.array([0.4, 0.59, 0.01, 0.0])]
    weights = np.array(balanced_weights(shares))
    # One over the root of the share, at least one in a thousand; 1 in the mean over all voxels.
    np.testing.assert_allclose(weights[2:] / weights[0], [(0.5 / 0.01) ** 0.5, (0.5 / 1e-3) ** 0.5])
    assert (weights * [0.5, 0.49, 0.01, 1e-4]).sum() == pytest.approx(1.0, rel=0.02)
    missed = torch.tensor([[5.0, 0.0, 0.0, 0.0]]).reshape(1, 4, 1, 1, 1)
    truth = torch.tensor([[0.0, 0.0, 1.0, 0.0]]).reshape(1, 4, 1, 1, 1)
    plain, weighted = (soft_dice_cross_entropy(w).cross_entropy(missed, truth) for w in (None, tuple(weights)))
    assert float(weighted / plain) == pytest.approx(weights[2], rel=1e-5)
