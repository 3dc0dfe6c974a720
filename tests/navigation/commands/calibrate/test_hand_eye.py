"""``surgnav calibrate hand-eye``: two recordings on clocks of their own; what is kept; what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from calibration.rack import in_force, results
from calibration.streams import PoseStream
from navigation.cli import app
from tests.calibration.hand_eye.simulated import OFFSET_S, error_of, recorded
from tests.navigation.acquisition.recorded_streams import write_csv


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", "hand-eye", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def write_table(path: Path, stream: PoseStream, factor: float = 0.001) -> Path:
    quaternions = Rotation.from_matrix(stream.poses[:, :3, :3]).as_quat()
    table = np.column_stack([stream.time_s, factor * stream.poses[:, :3, 3], quaternions])
    np.savetxt(path, table, delimiter=", ", fmt="%.12g")
    return path


def test_two_tables_become_a_result_in_the_rack(tmp_path: Path):
    hand, eye, truth = recorded(1)
    files = write_table(tmp_path / "a.csv", hand), write_table(tmp_path / "b.csv", eye)
    code, said = run(*files, "--unit", "m", "--hand", "scope", "--eye", "camera", "--rack", tmp_path / "rack")
    assert code == 0, said
    result = in_force(tmp_path / "rack", "scope", "hand_eye")
    error = error_of(result.transform("scope", "camera").matrix, truth.x)
    assert np.linalg.norm(error[3:]) < 1.5
    assert result.numbers["time_offset_ms"] == pytest.approx(1000.0 * OFFSET_S, abs=5.0)
    assert [each.name for each in result.inputs] == ["a.csv", "b.csv"]
    assert "time offset" in said


def test_what_is_wrong_with_a_recording_is_said_and_a_refusal_kept(tmp_path: Path):
    hand, eye, _ = recorded(1, length_s=8.0)
    good = write_table(tmp_path / "a.csv", hand)
    (tmp_path / "empty.csv").write_text("")
    code, said = run(good, tmp_path / "empty.csv", "--unit", "m")
    assert (code, "empty.csv, which is empty" in said) == (1, True)
    code, said = run(good, write_table(tmp_path / "b.csv", eye))
    assert (code, "which are metres" in said) == (1, True)
    cut = tmp_path / "cut.csv"
    cut.write_text(good.read_text()[:-60])
    code, said = run(good, cut, "--unit", "m")
    assert (code, "a row that is not like the others" in said) == (1, True)
    still = PoseStream("board", "camera", eye.time_s, np.tile(eye.poses[:1], (len(eye), 1, 1)), 0, "still")
    code, said = run(good, write_table(tmp_path / "still.csv", still), "--unit", "m", "--rack", tmp_path / "rack")
    assert (code, "standing still" in said) == (2, True)
    assert [each.verdict for _, each in results(tmp_path / "rack")] == ["refused"]


ROOM = """
rack = "rack"
[devices.tracker_1]
driver = "replay"
file = "hand.csv"
speed = 4.0
[devices.endoscope]
driver = "replay"
file = "board.csv"
speed = 4.0
[tools.reference]
device = "tracker_1"
role = "reference"
id = "scope"
calibration = "scope_3"
[tools.board]
device = "endoscope"
role = "instrument"
"""


def test_two_devices_of_a_room_see_one_body_live(tmp_path: Path):
    hand, eye, truth = recorded(1, length_s=60.0, offset_s=0.0)
    # The camera gives where the board is in it; the board is what stands still.
    seen = PoseStream("camera", "board", eye.time_s, np.linalg.inv(eye.poses), 0, "endoscope")
    write_csv(tmp_path / "hand.csv", hand)
    write_csv(tmp_path / "board.csv", seen)
    (tmp_path / "or.toml").write_text(ROOM)
    asked = ("--room", tmp_path / "or.toml", "--hand", "reference", "--world", "board", "--eye", "endoscope")
    code, said = run(*asked, "--eye-is-device")
    assert code == 0, said
    assert "the eye is known to" in said
    result = in_force(tmp_path / "rack", "scope_3", "hand_eye")
    error = error_of(result.transform("scope_3", "endoscope").matrix, truth.x)
    assert np.linalg.norm(error[3:]) < 4.0 * result.expected_error.value
    # Both are on the clock of the room.
    assert abs(result.numbers["time_offset_ms"]) < 10.0
    assert {each.to_frame for each in result.transforms} == {"scope_3", "tracker"}


def test_a_room_in_which_one_device_sees_both_is_told(tmp_path: Path):
    hand, _, _ = recorded(1, length_s=8.0)
    write_csv(tmp_path / "hand.csv", hand)
    room = (
        ROOM[: ROOM.index("[devices.endoscope]")] + ROOM[ROOM.index("[tools.reference]") : ROOM.index("[tools.board]")]
    )
    (tmp_path / "or.toml").write_text(room)
    code, said = run("--room", tmp_path / "or.toml", "--hand", "reference", "--eye", "reference")
    assert (code, "both seen by tracker_1" in said) == (1, True)
