"""A network that starts from a shipped one sees what that one sees, whatever its classes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reconstruction.network.architecture import build_network
from reconstruction.network.engines.torch_engine import load_network
from reconstruction.network.errors import TrainingConfigError
from reconstruction.network.weights import load_weights
from reconstruction.training.config import TrainingConfig
from reconstruction.training.read_config import read_config
from reconstruction.training.volume_task import VolumeTask
from reconstruction.training.warm_start import shipped_parent, start_from
from tests.reconstruction.training.tiny_training import TOML, write_scan


@pytest.fixture(scope="module")
def config(repository: Path) -> TrainingConfig:
    read = read_config(repository / "reconstruction" / "training" / "anatomy_network.toml")
    assert isinstance(read, TrainingConfig)
    return read


def test_tissues_are_at_first_what_the_parent_says_they_are(config: TrainingConfig):
    parent = load_weights()
    network = build_network(config.network.channels, config.meaning.channels)
    start_from(network, config.meaning, parent)
    noise = np.random.default_rng(3).normal(50, 300, (1, 1, 32, 32, 32)).astype(np.float32)
    noise[..., :12] = -1000
    with torch.no_grad():
        outputs = network.eval()(torch.from_numpy(noise))[:, : len(config.network.classes)].softmax(1)
        expected = load_network(parent)(torch.from_numpy(noise)).softmax(1)
    tissues = config.meaning.tissues(outputs[0].numpy())
    assert expected[0].amax(dim=(1, 2, 3)).min() > 0.1  # otherwise there is nothing to compare
    np.testing.assert_allclose(tissues, expected[0].numpy(), atol=1e-3)


def test_a_network_of_other_layers_is_refused(config: TrainingConfig):
    with pytest.raises(TrainingConfigError, match="same channels"):
        start_from(build_network((8, 16, 32), config.meaning.channels), config.meaning, load_weights())


@pytest.mark.parametrize("name", ["surgnav_ct_v9", "ultrasound_nerve_vessel", "../weights/surgnav_ct_v1.onnx"])
def test_a_parent_that_is_no_network_of_ct_is_refused(name: str):
    with pytest.raises(TrainingConfigError, match="surgnav_ct_v1"):
        shipped_parent(name)


def test_what_the_parent_saw_counts_as_seen(tmp_path: Path):
    write_scan(tmp_path / "scan", 1)
    (tmp_path / "train.toml").write_text('start_from = "surgnav_ct_v1"\n' + TOML.format(iterations=1), "utf-8")
    read = read_config(tmp_path / "train.toml")
    assert isinstance(read, TrainingConfig)
    task = VolumeTask(read, tmp_path)
    assert set(task.trained_on) > set(load_weights().trained_on)
