"""``surgnav calibrate check``: one line, and an exit code that is its answer."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from calibration.streams import PoseStream
from navigation.cli import app
from tests.calibration.streams_of import PIVOT_MM, pivoted
from tests.navigation.acquisition.recorded_streams import write_csv


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_recording_in_a_divot_and_on_a_point(tmp_path: Path):
    rack = ("--rack", tmp_path / "rack")
    assert run("pivot", write_csv(tmp_path / "a.csv", pivoted(seed=1)), *rack)[0] == 0
    today = pivoted(seed=2)
    poses = today.poses.copy()
    poses[:, :3, 3] -= poses[:, :3, :3] @ np.array([0.0, 2.0, 0.0])
    bent = write_csv(tmp_path / "bent.csv", PoseStream("tracker", "stylus", today.time_s, poses, 0, "bent"))
    point = ("--point-mm", *PIVOT_MM)
    for recording, code, words in (
        (write_csv(tmp_path / "b.csv", today), 0, "stylus still matches its calibration: its tip is 0."),
        (bent, 2, "stylus does NOT match its calibration: its tip is "),
    ):
        for more in ((), point):
            told = run("check", recording, *rack, *more)
            assert told[0] == code, told
            assert words in told[1]
            assert len(told[1].splitlines()) == 1


def test_without_a_calibration_it_says_how_to_make_one(tmp_path: Path):
    recording = write_csv(tmp_path / "a.csv", pivoted(40))
    (tmp_path / "rack").mkdir()
    for more in ((), ("--rack", tmp_path / "rack")):
        code, said = run("check", recording, *more)
        assert code == 1
        assert "surgnav calibrate pivot --tool stylus" in said


def test_live_in_the_simulated_room(tmp_path: Path):
    room = tmp_path / "or.toml"
    shipped = (files("navigation.room.shipped") / "simulated.toml").read_text()
    room.write_text(f'rack = "rack"\n{shipped}')
    assert run("pivot", "--room", room)[0] == 0
    code, said = run("check", "--room", room)
    assert code == 0, said
    assert "(just now)" in said
