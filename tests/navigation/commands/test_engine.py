"""``surgnav engine``: written, built, timed, by the commands that a person types."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from case.nifti_files import write_nifti
from navigation.cli import app
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom


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
    words = ["engine", "bench", str(shipped), str(made), "--ct", str(ct), "--runs", "1", "--json", str(numbers)]
    timed = CliRunner().invoke(app, words)
    assert timed.exit_code == 0, timed.output
    rows = {(row["network"], row["engine"].split()[0]): row for row in json.loads(numbers.read_text())["engines"]}
    assert rows["surgnav_ct_v1_fp16", "openvino"]["same_class"] > 0.99
    assert rows["surgnav_ct_v1", "torch"]["median_ms"] > 0
    assert rows["surgnav_ct_v1_fp16", "torch"]["reason"]


def test_int8_asks_for_a_ct_and_others_refuse_one(ct: Path, tmp_path: Path):
    runner = CliRunner()
    without = runner.invoke(app, ["engine", "build", "--precision", "int8", "--out", str(tmp_path / "out")])
    assert without.exit_code == 1
    assert "calibration data" in without.output
    words = ["engine", "build", "--precision", "fp16", "--out", str(tmp_path / "out"), "--calibrate", str(ct)]
    assert runner.invoke(app, words).exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", [["build", "--precision", "int8", "--out", "out", "--calibrate"], ["bench", "--ct"]]
)
def test_a_network_for_images_is_not_fed_a_ct(ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command):
    monkeypatch.chdir(tmp_path)
    images = DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json"
    refused = CliRunner().invoke(app, ["engine", *command, str(ct), str(images)])
    assert refused.exit_code == 1, refused.output
    assert "2 dimensions" in " ".join(refused.output.split())
    assert list(tmp_path.iterdir()) == []
