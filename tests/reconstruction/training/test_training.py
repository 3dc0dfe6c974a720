"""Training end to end on a scan made here: config, resume, export, and every engine on the exported network."""

import json
from pathlib import Path

import numpy as np
import pytest

from geometry.clock import ManualClock
from geometry.errors import SurgNavError
from reconstruction.network.engines.engine import ENGINES, available_engines, choose_engine
from reconstruction.network.errors import EngineError, TrainingConfigError, TrainingDataError, WeightsError
from reconstruction.network.weights import Weights, load_weights
from reconstruction.training.config import Schedule
from reconstruction.training.read_config import read_config
from reconstruction.training.train import learning_rate, run_training
from tests.reconstruction.training.tiny_training import TOML, write_scan, write_toml


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_scan(folder / "first", seed=1)
    write_scan(folder / "held_out", seed=2)
    return folder


@pytest.fixture(scope="module")
def weights(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    out = tmp_path_factory.mktemp("run")
    return load_weights(run_training(write_toml(out), out, data=data).weights)


def losses(log: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in log.read_text().splitlines()]


def test_an_interrupted_run_continues_as_if_it_had_not_been(data: Path, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    straight = run_training(
        write_toml(tmp_path, 4), tmp_path / "straight", data=data, progress=lambda i, n, _: seen.append((i, n))
    )
    run_training(write_toml(tmp_path, 2), tmp_path / "broken", data=data)
    with (tmp_path / "broken" / "log.jsonl").open("a") as log:
        log.write('{"iteration": 3, "loss": 9.0}\n')  # the run had gone on past its last checkpoint
    resumed = run_training(write_toml(tmp_path, 4), tmp_path / "broken", resume=True, data=data)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert losses(straight.log) == losses(resumed.log)
    assert len(losses(resumed.log)) == resumed.iterations == 4
    assert resumed.trained_on == straight.trained_on
    assert len(resumed.trained_on) == 1, "the held-out scan was not trained on"
    assert set(resumed.validation_dice) == {"outside", "body", "bone", "lung", "liver"}


def test_a_checkpoint_of_another_network_is_refused(data: Path, tmp_path: Path):
    run_training(write_toml(tmp_path), tmp_path / "run", data=data)
    other = tmp_path / "other.toml"
    other.write_text(TOML.format(iterations=4).replace("channels = [4, 8]", "channels = [4, 16]"))
    with pytest.raises(TrainingConfigError, match="another network"):
        run_training(other, tmp_path / "run", resume=True, data=data)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "tiny"', 'name = "tiny"\ncolour = 3', "colour"),
        ("spacing_mm = 2.0", "spacing_mm = -1.0", "spacing_mm"),
        ("window = [16, 16, 16]", "window = [16, 15, 16]", "multiples"),
        ('liver = ["liver"]', "", "liver"),
        ("[structures]", "[structures", "not TOML"),
    ],
)
def test_a_fault_in_the_training_file_is_named(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "faulty.toml"
    path.write_text(TOML.format(iterations=2).replace(old, new))
    with pytest.raises(TrainingConfigError, match=message):
        read_config(path)


def test_missing_data_is_named_before_anything_is_read(data: Path, tmp_path: Path):
    with pytest.raises(TrainingConfigError, match="no file"):
        read_config(tmp_path / "absent.toml")
    with pytest.raises(TrainingDataError, match="made by a test"):
        run_training(write_toml(tmp_path), tmp_path / "run", data=tmp_path)
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "ct.nii.gz").write_bytes((data / "first" / "ct.nii.gz").read_bytes())
    with pytest.raises(TrainingDataError, match="no labels"):
        run_training(write_toml(tmp_path), tmp_path / "run", data=tmp_path)
    assert issubclass(TrainingDataError, SurgNavError)


def test_the_first_networks_file_is_valid(repository: Path):
    config = read_config(repository / "reconstruction" / "training" / "first_network.toml")
    names = {"vertebrae_L1": 2, "rib_left_4": 2, "lung_upper_lobe_left": 3, "liver": 4, "spleen": 1}
    assert {name: config.class_of(name) for name in names} == names


def test_the_learning_rate_by_hand():
    once = Schedule(iterations=100, learning_rate=1.0, warm_up=10, decay_from=0.5)
    again = Schedule(iterations=140, learning_rate=1.0, warm_up=10, decay_from=0.5, restart_at=100)
    assert [learning_rate(i, once) for i in (0, 9, 50, 75, 99)] == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.02])
    # Up to the restart the same run, then from the full rate down.
    assert [learning_rate(i, again) for i in range(100)] == [learning_rate(i, once) for i in range(100)]
    assert [learning_rate(i, again) for i in (100, 120, 139)] == pytest.approx([1.0, 0.5, 0.025])


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_engines_agree_with_torch(weights: Weights, name: str):
    rng = np.random.default_rng(5)
    reference, engine = choose_engine("torch", weights), choose_engine(name, weights)
    # Two shapes, since engines may compile for one.
    for shape in ((1, 1, 16, 24, 32), (2, 1, 16, 16, 16)):
        batch = rng.uniform(-1200, 1500, shape).astype(np.float32)
        expected, found = reference.run(batch), engine.run(batch)
        assert found.shape == (shape[0], 5, *shape[2:])
        # The same single precision, summed in another order.
        np.testing.assert_allclose(found, expected, atol=1e-3)
        np.testing.assert_array_equal(engine.run(batch), found)  # and twice the same bits


def test_every_engine_reports_whether_it_runs(weights: Weights):
    reports = {report.name: report for report in available_engines(ManualClock(), weights)}
    assert list(reports) == list(ENGINES)
    for name in ("openvino", "onnxruntime", "torch"):
        assert reports[name].ok, reports[name].reason
        assert name in reports[name].version
    assert reports["tensorrt"].ok or "install" in reports["tensorrt"].reason


def test_an_unknown_engine_is_refused(weights: Weights):
    with pytest.raises(EngineError, match="openvino"):
        choose_engine("abacus", weights)


@pytest.mark.gpu
def test_tensorrt_agrees_with_torch(weights: Weights):
    try:
        engine = choose_engine("tensorrt", weights)
    except EngineError as error:
        pytest.skip(f"TensorRT does not run here: {error}")
    batch = np.random.default_rng(5).uniform(-1200, 1500, (1, 1, 16, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(engine.run(batch), choose_engine("torch", weights).run(batch), atol=1e-2)


def test_damaged_weights_are_refused(weights: Weights, tmp_path: Path):
    description = tmp_path / "tiny.json"
    description.write_text(weights.onnx.with_suffix(".json").read_text())
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(description)
    (tmp_path / "tiny.onnx").write_bytes(weights.onnx.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="SHA-256"):
        load_weights(description)
