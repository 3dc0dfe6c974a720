"""``surgnav calibrate probe`` by a wall, a point or a tip: drawn images, tables of points, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from calibration.rack import in_force, keep, results
from calibration.result import CalibrationResult, ExpectedError
from navigation.acquisition.probe.frames import ProbeMarkers
from navigation.acquisition.probe.targets import TargetCollecting, points_of
from navigation.devices.ultrasound.source import UltrasoundFrame
from tests.calibration.ultrasound_probe.targets.recorded import drawn_line, write_sequence
from tests.calibration.ultrasound_probe.targets.sweeps import SIZE_PX, Motion, Noise, a_probe, samples_of, sweep
from tests.navigation.commands.calibrate.harness import run

N = 40


def run_probe(*arguments: object) -> tuple[int, str]:
    return run("probe", *arguments)


def sides(truth):
    """What a person states of the probe: --marked and --far."""
    u, v = (truth.columns_mm[:, k] / np.linalg.norm(truth.columns_mm[:, k]) for k in (0, 1))
    return "--marked", *u, "--far", *v


def in_tracker(poses, seed=3):
    """Poses of the probe and of a reference that moves before the tracker."""
    rng = np.random.default_rng(seed)
    reference = np.tile(np.eye(4), (len(poses), 1, 1))
    reference[:, :3, 3] = [50.0, -20.0, 900.0] + rng.uniform(-20, 20, (len(poses), 3))
    return {"ProbeToTracker": reference @ poses, "ReferenceToTracker": reference}


def write_points(path: Path, pixels) -> Path:
    rows = [f"{k},{x:.4f},{y:.4f}" for k, (x, y) in enumerate(pixels)]
    path.write_text("\n".join(["frame,x_px,y_px", *rows]) + "\n")
    return path


def dark(n=N):
    return np.zeros((n, SIZE_PX[1], SIZE_PX[0]), np.uint8)


def test_a_wall_is_found_in_the_images_and_its_result_kept(tmp_path: Path):
    rng = np.random.default_rng(4)
    truth = a_probe(rng)
    motion = Motion(tilt_deg=25.0, rock_deg=20.0, deep=0.25)
    lines, poses, _ = sweep("wall", truth, N, Noise(pixel=0.0, tracker_mm=0.05, tracker_rad=0.0002), rng, motion)
    images = np.stack([drawn_line(line, SIZE_PX) for line in lines])
    recording = write_sequence(tmp_path / "wall.igs.mha", images, in_tracker(poses))
    code, said = run_probe(recording, "--method", "wall", "--rack", tmp_path / "rack", *sides(truth))
    assert code == 0, said
    result = in_force(tmp_path / "rack", "probe", "probe_spatial")
    pixel_to_probe = np.array(result.matrices["image_px_to_probe_mm"])
    assert truth.corner_errors_mm(pixel_to_probe[:3, [0, 1, 3]]).max() < 1.0
    assert result.numbers["spacing_x_mm"] == pytest.approx(0.1, rel=0.02)
    assert result.inputs[0].name == "wall.igs.mha"


@pytest.mark.parametrize("method", ["cross", "stylus"])
def test_points_of_a_table_and_a_tip_of_the_rack(tmp_path: Path, method: str):
    rng = np.random.default_rng(5)
    truth = a_probe(rng)
    pixels, poses, tips = sweep(method, truth, N, Noise(), rng)
    tools = in_tracker(poses)
    more = ()
    if method == "stylus":
        tip_mm = np.array([5.0, 12.6, 203.3])
        stylus = np.tile(np.eye(4), (N, 1, 1))
        stylus[:, :3, 3] = tips - tip_mm
        tools["StylusToTracker"] = tools["ReferenceToTracker"] @ stylus
        tip = tmp_path / "tip.json"
        tip.write_text(
            '{"format": "surgnav_tip", "tool": "stylus", "tip_mm": [5.0, 12.6, 203.3], "expected_error_rms_mm": 0.1, '
            '"calibrated": "2026-11-27T02:00:00+00:00"}'
        )
        more = ("--tip", tip)
    recording = write_sequence(tmp_path / "a.igs.mha", dark(), tools)
    points = write_points(tmp_path / "points.csv", pixels)
    asked = (recording, "--method", method, "--points", points, "--rack", tmp_path / "rack", *more)
    code, said = run_probe(*asked, *sides(truth))
    assert code == 0, said
    result = in_force(tmp_path / "rack", "probe", "probe_spatial")
    assert truth.corner_errors_mm(np.array(result.matrices["image_px_to_probe_mm"])[:3, [0, 1, 3]]).max() < 1.5
    # The same images declared the other way round: refused, and kept as refused.
    marked, x, y, z, *far = sides(truth)
    code, said = run_probe(*asked, marked, -x, -y, -z, *far)
    assert code == 2
    assert "exchanges left and right" in said
    assert [result.verdict for _, result in results(tmp_path / "rack")] == ["accepted", "refused"]


def test_a_missing_motion_is_refused_with_what_to_do(tmp_path: Path):
    rng = np.random.default_rng(6)
    truth = a_probe(rng)
    pixels, poses, _ = sweep("cross", truth, N, Noise(), rng, Motion().without("deep"))
    recording = write_sequence(tmp_path / "a.igs.mha", dark(), in_tracker(poses))
    code, said = run_probe(recording, "--method", "cross", "--points", write_points(tmp_path / "p.csv", pixels))
    assert code == 2
    assert "bring the target near the top and near the bottom" in said


def test_bad_input_is_told(tmp_path: Path):
    rng = np.random.default_rng(7)
    pixels, poses, _ = sweep("cross", a_probe(rng), 25, Noise(), rng)
    recording = write_sequence(tmp_path / "a.igs.mha", dark(25), in_tracker(poses))
    points = write_points(tmp_path / "p.csv", pixels)
    for arguments, why in (
        (("--method", "wall", "--points", points), "--points with --method wall"),
        (("--method", "cross", "--phantom", points), "--phantom with --method cross"),
        (("--points", points), "--points with --method nwire"),
        ((), "nwire without a phantom"),
        (("--method", "cross", "--points", tmp_path / "none.csv"), "none.csv"),
        (("--method", "stylus", "--points", points), "no tip of stylus"),
        (("--method", "cross", "--points", points, "--tool", "wand"), "without a pose of 'wand'"),
    ):
        code, said = run_probe(recording, *arguments)
        assert code == 1, said
        assert why in said
    (tmp_path / "twice.csv").write_text("frame,x_px,y_px\n1,2,3\n1,2,3\n")
    assert "frame 1 twice" in run_probe(recording, "--method", "cross", "--points", tmp_path / "twice.csv")[1]


def frames_of(samples):
    """Frames three to a second with dark images and the poses of samples; and the points in them, by number."""
    dark_image = np.zeros((SIZE_PX[1], SIZE_PX[0]), np.uint8)
    frames = [
        UltrasoundFrame(
            each.index, round(each.index * 1e9 / 3), dark_image, poses={"T_reference_probe": each.T_fixed_probe}
        )
        for each in samples
    ]
    return frames, {each.index: tuple(each.points_px[0]) for each in samples}


def test_collecting_says_what_is_missing_until_it_is_enough():
    rng = np.random.default_rng(8)
    truth, markers = a_probe(rng), ProbeMarkers("probe", "reference")
    still, poses, _ = sweep("cross", truth, 30, Noise(), rng, Motion().without("deep"))
    frames, points = frames_of(samples_of(still, poses))
    collecting = TargetCollecting("cross", markers, points_of(points))
    for frame in frames[:10]:
        collecting.add(frame)
    assert "10 images of 20" in collecting.advice().doubt
    for frame in frames[10:]:
        collecting.add(frame)
    advice = collecting.advice()
    assert "near the top and near the bottom" in advice.next_step
    assert not collecting.is_enough
    frames, points = frames_of(samples_of(*sweep("cross", truth, 80, Noise(), rng)[:2]))
    whole = TargetCollecting("cross", markers, points_of(points))
    for frame in frames:
        whole.add(frame)
    assert whole.advice().coverage == 1.0
    assert whole.is_enough
    whole.undo()
    # Two seconds at three images a second.
    assert len(whole) == 80 - 6


def test_a_lag_is_taken_from_the_rack_for_every_target(tmp_path: Path):
    rng = np.random.default_rng(5)
    truth = a_probe(rng)
    pixels, poses, _ = sweep("cross", truth, 80, Noise(), rng)
    recording = write_sequence(tmp_path / "a.igs.mha", dark(80), in_tracker(poses))
    # Each image shows what the pose two images later sees.
    late = write_points(tmp_path / "points.csv", np.vstack([pixels[2:], pixels[-1:], pixels[-1:]]))
    rack = tmp_path / "rack"
    asked = (recording, "--method", "cross", "--points", late, *sides(truth), "--rack", rack)
    code, said = run_probe(*asked)
    assert code == 2, said
    assert "taken as simultaneous" in said
    lag = CalibrationResult(
        kind="probe_temporal",
        subject="probe",
        made="2026-11-27T10:00:00+00:00",
        method="made",
        numbers={"lag_ms": 100.0},
        n_used=50,
        expected_error=ExpectedError(value=1.0, unit="ms", at="the lag"),
        verdict="accepted",
    )
    keep(rack, lag)
    code, said = run_probe(*asked)
    assert code == 0, said
    assert "a lag of 100 ms was stated and used" in said
    result = in_force(rack, "probe", "probe_spatial")
    assert truth.corner_errors_mm(np.array(result.matrices["image_px_to_probe_mm"])[:3, [0, 1, 3]]).max() < 1.5
