"""``surgnav calibrate spin``: from a recording, with the tip of the rack; its exit codes and what it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration import PoseStream
from calibration.rack import in_force
from navigation.acquisition.live_poses import PoseSample
from navigation.acquisition.pivoting import SpinCollecting
from tests.calibration.streams_of import TIP_MM, pivoted
from tests.navigation.acquisition.recorded_streams import write_csv
from tests.navigation.commands.calibrate.harness import run

AXIS = TIP_MM / np.linalg.norm(TIP_MM)


def spun(half_turn_deg: float, n: int = 200) -> PoseStream:
    rng = np.random.default_rng(1)
    turns = half_turn_deg * np.sin(np.linspace(0.0, 15.0, n))[:, None] * AXIS
    rotations = Rotation.from_rotvec(0.1 * rng.normal(size=(n, 3)), degrees=True) * Rotation.from_rotvec(
        turns, degrees=True
    )
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = rotations.as_matrix(), [20.0, 30.0, -1400.0]
    return PoseStream("tracker", "stylus", np.arange(n) / 20.0, poses, 0, "made")


def test_the_axis_is_kept_with_the_tip_of_the_pivot(tmp_path: Path):
    rack = tmp_path / "rack"
    recording = write_csv(tmp_path / "spin.csv", spun(60.0))
    code, said = run("spin", recording, "--rack", rack)
    assert code == 1
    assert "no pivot for the tip of stylus" in said
    assert run("pivot", write_csv(tmp_path / "pivot.csv", pivoted(200)), "--rack", rack)[0] == 0
    code, said = run("spin", recording, "--rack", rack)
    assert code == 0, said
    pivot, spin = in_force(rack, "stylus", "pivot"), in_force(rack, "stylus", "spin")
    T_stylus_tip = spin.transform("stylus", "stylus_tip")
    np.testing.assert_array_equal(T_stylus_tip.translation_mm, pivot.transform("stylus", "stylus_tip").translation_mm)
    assert np.linalg.norm(T_stylus_tip.rotation.apply([0.0, 0.0, 1.0]) - AXIS) < np.deg2rad(0.1)
    # An error of the axis alone leaves the tip's own covariance as it was.
    around_tip = np.eye(6)
    x, y, z = T_stylus_tip.translation_mm
    around_tip[3:, :3] = [[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]
    covariance = around_tip @ spin.transforms[0].covariance_matrix @ around_tip.T
    np.testing.assert_allclose(covariance[3:, 3:], pivot.transforms[0].covariance_matrix[3:, 3:], atol=1e-9)
    assert covariance[:3, :3] @ AXIS == pytest.approx(np.zeros(3), abs=1e-8)


def test_a_tool_that_hardly_turned_is_refused_and_kept_as_refused(tmp_path: Path):
    rack = tmp_path / "rack"
    run("pivot", write_csv(tmp_path / "pivot.csv", pivoted(200)), "--rack", rack)
    code, said = run("spin", write_csv(tmp_path / "spin.csv", spun(3.0)), "--rack", rack)
    assert code == 2
    assert "hardly turned about its shaft" in said
    assert in_force(rack, "stylus", "spin") is None


def test_live_advice_leads_to_an_axis():
    collecting, stream = SpinCollecting("room"), spun(60.0)
    assert "turn the tool about it slowly" in collecting.advice().next_step
    for time_s, pose in zip(stream.time_s, stream.transforms(), strict=True):
        collecting.add(PoseSample(float(time_s), pose))
    assert collecting.advice().coverage == 1.0
    assert collecting.is_enough
    for _ in range(5):
        collecting.undo()
    assert collecting.advice().coverage < 1.0
