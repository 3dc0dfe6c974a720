"""The same training loop on 2D images: config, resume, export, calibration, and every engine on the network."""

import json
from pathlib import Path

import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.errors import TrainingConfigError, TrainingDataError, WeightsError
from reconstruction.network.segmentation import segment
from reconstruction.network.weights import Weights, load_weights
from reconstruction.training.images.config import ImageTrainingConfig, UltrasoundAugmentation
from reconstruction.training.images.files import to_grey
from reconstruction.training.images.scores import fit_temperature, score_frames
from reconstruction.training.images.task import ImageTask
from reconstruction.training.images.ultrasound_augmentation import augment
from reconstruction.training.read_config import read_config
from reconstruction.training.train import run_training
from tests.reconstruction.training.tiny_images import write_images


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("images")
    return load_weights(run_training(write_images(folder, 24, 120), folder / "run").weights)


def task(folder: Path) -> ImageTask:
    config = read_config(write_images(folder))
    assert isinstance(config, ImageTrainingConfig)
    return ImageTask(config, folder, folder)


def test_an_interrupted_run_continues_as_if_it_had_not_been(tmp_path: Path):
    straight = run_training(write_images(tmp_path, iterations=4), tmp_path / "straight")
    run_training(write_images(tmp_path, iterations=2), tmp_path / "broken")
    resumed = run_training(write_images(tmp_path, iterations=4), tmp_path / "broken", resume=True)
    assert straight.log.read_text() == resumed.log.read_text()
    assert load_weights(straight.weights).sha256 == load_weights(resumed.weights).sha256
    assert len(straight.trained_on) == 4, "the two validation images were not trained on"
    assert set(straight.validation_dice) == {"nerve", "vessel"}


def test_it_learns_and_its_description_says_what_it_is(weights: Weights):
    text = json.loads(weights.onnx.with_suffix(".json").read_text())
    assert (weights.dimensions, weights.classes) == (2, ("background", "nerve", "vessel"))
    assert text["input_shape"] == [1, 1, 32, 32]
    assert weights.temperature > 0
    rng = np.random.default_rng(3)
    grey = rng.normal(110, 12, (32, 32)) / 255
    grey[4:14, 4:14], grey[18:28, 18:28] = 0.9, 0.04
    found = choose_engine("openvino", weights).run(grey[None, None].astype(np.float32))[0].argmax(axis=0)
    assert found[9, 9] == 1
    assert found[23, 23] == 2
    assert found[4, 28] == 0


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("family", ["half_resolution", "monai_unet"])
def test_engines_agree_with_torch(tmp_path: Path, weights: Weights, name: str, family: str):
    if family != "half_resolution":
        weights = load_weights(run_training(write_images(tmp_path, family=family), tmp_path / "run").weights)
    batch = np.random.default_rng(5).uniform(0, 1, (2, 1, 32, 64)).astype(np.float32)
    engine = choose_engine(name, weights)
    if family == "half_resolution":
        np.testing.assert_allclose(engine.run(batch), choose_engine("torch", weights).run(batch), atol=1e-3)
    assert engine.run(batch).shape == (2, 3, 32, 64)


def test_images_are_refused_where_a_ct_is_segmented(weights: Weights):
    with pytest.raises(WeightsError, match="a network of CT"):
        segment(Volume(np.zeros((8, 8, 8), np.int16), np.eye(4)), weights=weights)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("window = [32, 32]", "window = [32, 30]", "multiples"),
        ("nerve = [128, 0, 0]", "nerve = [0, 128, 0]", "colour of its own"),
        ("vessel = [0, 128, 0]", "vessel = [0, 300, 0]", "vessel"),
    ],
)
def test_a_fault_in_the_training_file_is_named(tmp_path: Path, old: str, new: str, message: str):
    path = write_images(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(TrainingConfigError, match=message):
        read_config(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "masks/2.png").unlink(), "without a mask"),
        (lambda folder: (folder / "split.csv").write_text("0,0,training\n"), "does not name"),
        (lambda folder: (folder / "split.csv").write_text("0,0,exam\n"), "line 1"),
        (lambda folder: (folder / "masks/2.png").write_bytes((folder / "images/2.png").read_bytes()), "the colour"),
    ],
)
def test_missing_or_wrong_data_is_named(tmp_path: Path, change, message: str):
    path = write_images(tmp_path)
    change(tmp_path)
    with pytest.raises(TrainingDataError, match=message):
        run_training(path, tmp_path / "run")


def test_the_shipped_training_files_are_valid(repository: Path):
    for name in ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny", "ultrasound_rival"):
        config = read_config(repository / "reconstruction" / "training" / "images" / f"{name}.toml")
        assert isinstance(config, ImageTrainingConfig)
        assert config.class_names == ("background", "nerve", "vessel")


def test_a_sample_is_the_same_for_the_same_number_and_each_epoch_sees_all(tmp_path: Path):
    made = task(tmp_path)
    first, again, other = made.draw(7), made.draw(7), made.draw(8)
    assert np.array_equal(first.inputs.numpy(), again.inputs.numpy())
    assert not np.array_equal(first.inputs.numpy(), other.inputs.numpy())
    assert first.inputs.shape == (4, 1, 32, 32)
    np.testing.assert_allclose(first.fractions.sum(dim=1).numpy(), 1.0, atol=0.02)
    assert float(first.inputs.min()) >= 0
    assert float(first.inputs.max()) <= 1


def test_labels_move_with_the_image():
    """A bright disc that is the nerve: wherever it goes, brightness and label go together."""
    import torch

    row, column = np.indices((64, 64))
    disc = (np.hypot(row - 30, column - 40) < 12).astype(np.float32)
    image = torch.from_numpy(np.tile(disc, (8, 1, 1, 1)))
    fractions = torch.from_numpy(np.tile(np.stack([1 - disc, disc]), (8, 1, 1, 1)))
    still = UltrasoundAugmentation(gain=0, attenuation=0, shadow=0, speckle=0, blur=0, sector=0.5, elastic=1.0)
    moved, labels = augment(image, fractions, still, np.random.default_rng(1))
    np.testing.assert_allclose(moved[:, 0].numpy(), labels[:, 1].numpy(), atol=1e-5)
    assert float((moved - image).abs().amax(dim=(1, 2, 3)).min()) > 0.5, "each was moved"


def test_a_tint_is_grey():
    assert to_grey(np.array([[[30, 60, 90]]], np.uint8)).tolist() == [[60.0]]


def test_scores_by_hand():
    truth = np.array([[0, 1], [2, 2]])
    sure = np.eye(3, dtype=np.float32)[truth].transpose(2, 0, 1)
    perfect = score_frames([(sure, truth)], ("background", "nerve", "vessel"))
    assert perfect.pooled_dice == {"nerve": 1.0, "vessel": 1.0}
    assert perfect.calibration_error == 0.0
    # Every pixel sure of nerve, one in four right: as wrong as can be said.
    nerve = np.zeros((3, 2, 2), np.float32)
    nerve[1] = 1
    wrong = score_frames([(nerve, truth), (sure, truth)], ("background", "nerve", "vessel"))
    assert wrong.median_dice == pytest.approx({"nerve": (0.4 + 1) / 2, "vessel": 0.5})
    assert wrong.pooled_dice == pytest.approx({"nerve": 4 / 7, "vessel": 2 / 3})
    assert wrong.calibration_error == pytest.approx(0.75 / 2)
    assert wrong.structure_calibration_error == pytest.approx(3 / 7)


def test_temperature_undoes_overconfidence(tmp_path: Path):
    """Logits that claim three times what is known are divided by three."""
    image = task(tmp_path).training[0]
    (r, c), (h, w) = image.placement.first, image.placement.inner
    rng = np.random.default_rng(0)
    truth = image.fractions.argmax(axis=0)
    believed = np.where(rng.random(truth.shape) < 0.8, truth, (truth + rng.integers(1, 3, truth.shape)) % 3)
    logits = 3 * np.log(np.where(np.arange(3)[:, None, None] == believed, 0.8, 0.1)).astype(np.float32)
    assert (h, w) != (32, 32)
    assert (r, c) != (0, 0)
    assert fit_temperature([logits], [image]) == pytest.approx(3.0, rel=0.25)
    assert fit_temperature([], []) == 1.0
