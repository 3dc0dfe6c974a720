"""``surgnav ultrasound run --room``: contours placed by the probe's calibrations, against the pose by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from calibration.result import CalibrationResult
from calibration.ultrasound_probe.results import image_map_of
from navigation.cli import app
from navigation.ultrasound.record import FILE
from tests.calibration.ultrasound_probe.targets.recorded import write_sequence
from tests.navigation.commands.ultrasound.results import COLUMNS_MM, LAG_S, MADE, TURN, room, spatial, temporal
from tests.reconstruction.ultrasound.frames import bone_frame

SPEED_MM_S = 40.0
N = 12


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def probe_at(time_s: float) -> np.ndarray:
    """``T_reference_probe`` at a time since the first image: along one line at a steady speed."""
    pose = np.eye(4)
    pose[:3, :3] = TURN.T
    pose[:3, 3] = [120.0 + SPEED_MM_S * time_s, -40.0, 260.0]
    return pose


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Twelve images of a femur, 20 a second, of a moving probe beside a reference that moves too."""
    reference = np.tile(np.eye(4), (N, 1, 1))
    reference[:, :3, 3] = [50.0, -20.0, 900.0] + np.random.default_rng(1).uniform(-20, 20, (N, 3))
    probe = reference @ np.stack([probe_at(0.05 * number) for number in range(N)])
    images = np.stack([bone_frame(number) for number in range(N)])
    return write_sequence(tmp_path / "a.igs.mha", images, {"ProbeToTracker": probe, "ReferenceToTracker": reference})


def run(sweep: Path, room_file: Path, *words: object) -> Result:
    asked = [sweep, "--model", "bone", "--every-frame", "--room", room_file, "--out", sweep.parent / "out", *words]
    return CliRunner().invoke(app, ["ultrasound", "run", *map(str, asked)], env={"COLUMNS": "300"})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text("utf-8").splitlines()]


def test_contours_lie_where_the_probe_was_when_the_image_was_made(sweep: Path, tmp_path: Path) -> None:
    done = run(sweep, room(tmp_path, spatial(), temporal()), "--json", tmp_path / "numbers.json")
    assert done.exit_code == 0, done.output
    assert f"probe: calibrated {MADE}" in done.output
    assert "days old" in done.output
    assert "lag -100.0 ms" in done.output
    head, *frames = lines(tmp_path / "out")
    assert head["probe"] == {
        "name": "probe",
        "to_frame": "reference",
        "lag_ms": -100.0,
        "spatial": MADE,
        "temporal": MADE,
    }
    for number, frame in enumerate(frames):
        placed = frame["placed"]
        if number < 2:  # the first images show what was before the first pose
            assert placed == {"reason": "no pose of probe at the time that the image shows", "contours": []}
            continue
        assert placed["to_frame"] == "reference"
        assert placed["image_shows_ns"] == frame["source_ns"] - 100_000_000
        assert 0.1 < placed["expected_error_rms_mm"] < 0.3
        image_to_reference = np.array(placed["image_px_to_mm"])
        for contour, where in zip(frame["contours"], placed["contours"], strict=True):
            px = np.array(contour["points_px"])
            in_probe = np.column_stack([px, np.ones(len(px))]) @ COLUMNS_MM.T
            np.testing.assert_allclose(where["points_probe_mm"], in_probe, atol=6e-4)  # it has three decimals
            pose = probe_at(0.05 * number + LAG_S)
            np.testing.assert_allclose(where["points_mm"], in_probe @ pose[:3, :3].T + pose[:3, 3], atol=5e-3)
            flat = np.column_stack([px, np.zeros(len(px)), np.ones(len(px))])
            np.testing.assert_allclose(flat @ image_to_reference[:3].T, where["points_mm"], atol=5e-3)
    numbers = json.loads((tmp_path / "numbers.json").read_text("utf-8"))
    assert (numbers["frames_placed"], numbers["frames_not_placed"]) == (N - 2, 2)


def test_a_map_comes_back_from_the_rack_as_it_was() -> None:
    back = image_map_of(CalibrationResult.model_validate_json(spatial().to_json()))
    np.testing.assert_allclose(back.columns_mm, COLUMNS_MM)
    np.testing.assert_allclose(back.covariance, np.diag([1e-8] * 6 + [0.01] * 3))


@pytest.mark.parametrize(
    ("results", "calibration", "said"),
    [
        ((spatial(),), 'calibration = "probe_9l"', "no lag of probe_9l in force"),
        ((temporal(),), 'calibration = "probe_9l"', "no spatial calibration of probe_9l in force"),
        ((spatial(), temporal()), "", "[tools.probe] the probe without a calibration"),
        ((), 'calibration = "probe_9l"', "without an accepted calibration in the rack"),
        (
            (spatial((640, 480)), temporal()),
            'calibration = "probe_9l"',
            "a.igs.mha with images of 300 x 400 px, calibrated with 640 x 480 px",
        ),
    ],
)
def test_what_is_not_of_this_calibration_is_refused_before_anything_is_written(
    sweep: Path, tmp_path: Path, results: tuple[CalibrationResult, ...], calibration: str, said: str
) -> None:
    done = run(sweep, room(tmp_path, *results, calibration=calibration))
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_another_depth_is_refused_where_the_source_states_its_pixels(sweep: Path, tmp_path: Path) -> None:
    stated = sweep.read_bytes().replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 0.1 0.12 1")
    sweep.write_bytes(stated)
    assert run(sweep, room(tmp_path, spatial(), temporal())).exit_code == 0
    deeper = tmp_path / "deeper"
    deeper.mkdir()
    other = deeper / "b.igs.mha"
    other.write_bytes(stated)
    done = run(other, room(deeper, spatial(scale=1.3), temporal()))
    assert done.exit_code == 1
    assert "pixels of 0.100 x 0.120 mm, calibrated with pixels of 0.130 x 0.156 mm: another depth" in done.output


def test_a_recording_without_poses_cannot_be_placed(tmp_path: Path) -> None:
    bare = write_sequence(tmp_path / "a.igs.mha", np.stack([bone_frame(number) for number in range(3)]), {})
    done = run(bare, room(tmp_path, spatial(), temporal()))
    assert done.exit_code == 1
    assert "without a pose of 'probe'" in done.output
