"""``surgnav engine``: written, built, timed, by the commands that a person types."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from case.nifti_files import write_nifti
from navigation.cli import app
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom

TINY = DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json"


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ct") / "torso.nii.gz"
    phantom = make_torso_phantom(TorsoPhantomSettings(spacing_mm=(4.0, 4.0, 4.0)), np.random.default_rng(1))
    write_nifti(path, phantom.ct)
    return path


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The description of the network in half precision, and what building it said."""
    out = tmp_path_factory.mktemp("half")
    built = CliRunner().invoke(app, ["engine", "build", "--precision", "fp16", "--out", str(out)])
    assert built.exit_code == 0, built.output
    return out / "surgnav_ct_v1_fp16.json", " ".join(built.output.split())


def test_half_precision_is_written_and_built(half):
    made, said = half
    assert "19 in HALF" in said
    assert load_weights(made).onnx.name == "surgnav_ct_v1_fp16.onnx"


@pytest.mark.slow
def test_half_precision_is_timed_beside_single(ct: Path, half, tmp_path: Path):
    made, _ = half
    shipped = Path(load_weights().onnx).with_suffix(".json")
    numbers = tmp_path / "bench.json"
    words = ["engine", "bench", str(shipped), str(made), "--on", str(ct), "--runs", "1", "--json", str(numbers)]
    timed = CliRunner().invoke(app, words)
    assert timed.exit_code == 0, timed.output
    rows = {(row["network"], row["engine"].split()[0]): row for row in json.loads(numbers.read_text())["engines"]}
    assert rows["surgnav_ct_v1_fp16", "openvino"]["same_class"] > 0.99
    assert rows["surgnav_ct_v1", "torch"]["median_ms"] > 0
    assert rows["surgnav_ct_v1_fp16", "torch"]["reason"]


def test_int8_asks_for_calibration_and_others_refuse_it(ct: Path, tmp_path: Path):
    runner = CliRunner()
    without = runner.invoke(app, ["engine", "build", "--precision", "int8", "--out", str(tmp_path / "out")])
    assert without.exit_code == 1
    assert "calibration data" in without.output
    words = ["engine", "build", "--precision", "fp16", "--out", str(tmp_path / "out"), "--calibrate", str(ct)]
    assert runner.invoke(app, words).exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Six images of speckle around a dark disc, of two sizes."""
    folder = tmp_path / "frames"
    folder.mkdir()
    rng = np.random.default_rng(4)
    for index in range(6):
        rows, columns = np.mgrid[:300, : 280 + 60 * (index % 2)]
        disc = (rows - 150) ** 2 + (columns - 120 - 8 * index) ** 2 < 50**2
        grey = rng.gamma(4.0, 25.0, disc.shape) * np.where(disc, 0.15, 1.0)
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"frame{index}.png")
    return folder


def test_a_network_of_images_is_calibrated_and_timed_on_a_folder_of_images(frames: Path, tmp_path: Path):
    out, numbers = tmp_path / "out", tmp_path / "bench.json"
    words = ["engine", "build", "--precision", "int8", "--out", str(out), "--calibrate", str(frames), str(TINY)]
    built = CliRunner().invoke(app, words)
    assert built.exit_code == 0, built.output
    made = out / "ultrasound_nerve_vessel_tiny_int8.json"
    words = ["engine", "bench", str(TINY), str(made), "--on", str(frames), "--runs", "1", "--json", str(numbers)]
    timed = CliRunner().invoke(app, words)
    assert timed.exit_code == 0, timed.output
    document = json.loads(numbers.read_text("utf-8"))
    assert document["shape"] == [1, 1, 256, 256]
    rows = {(row["network"], row["engine"]): row for row in document["engines"] if not row["reason"]}
    int8 = next(row for (name, engine), row in rows.items() if name == made.stem and engine.startswith("openvino"))
    assert int8["same_class"] > 0.99


@pytest.mark.parametrize(
    "command", [["build", "--precision", "int8", "--out", "out", "--calibrate"], ["bench", "--on"]]
)
def test_each_network_is_fed_what_it_takes(ct: Path, frames: Path, tmp_path: Path, monkeypatch, command: list[str]):
    monkeypatch.chdir(tmp_path)
    for given, model, said in [(ct, TINY, "a folder of 8-bit images"), (frames, DEFAULT_WEIGHTS, "without any DICOM")]:
        refused = CliRunner().invoke(app, ["engine", *command, str(given), str(model)])
        assert refused.exit_code == 1, refused.output
        assert said in " ".join(refused.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]
