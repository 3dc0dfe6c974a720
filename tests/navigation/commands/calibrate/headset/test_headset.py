"""``surgnav calibrate headset``: from recordings and from touches; exit codes, the rack, and the check of a point."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from calibration.headset.touches import TargetTouch
from calibration.rack import in_force, results
from navigation.cli import app
from tests.calibration.headset.harness import SHOWN_MM, marker_streams, touch_errors_mm, touches, truth
from tests.navigation.acquisition.recorded_streams import write_csv

RNG = np.random.default_rng(11)
TRUE = truth(RNG)
TOUCHES = touches(TRUE, touch_errors_mm(RNG, 6, 1.0, 2.0))


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", "headset", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def write_touches(path: Path, made: list[TargetTouch]) -> Path:
    listed = [
        {
            "name": touch.name,
            "shown_headset_mm": touch.shown_headset_mm.tolist(),
            "tip_tracker_mm": touch.tip_tracker_mm.tolist(),
            "anchor": touch.anchor,
            "eyes_headset_mm": [0.0, 0.0, 0.0],
        }
        for touch in made
    ]
    path.write_text(json.dumps({"format": "surgnav_target_touches", "touches": listed}))
    return path


def test_touches_become_a_result_in_the_rack_which_a_known_point_confirms_or_ends(tmp_path: Path):
    kept = write_touches(tmp_path / "touches.json", TOUCHES)
    target = ",".join(f"{value:.1f}" for value in TOUCHES[0].tip_tracker_mm)
    rack = ("--rack", tmp_path / "rack", "--name", "hololens")
    code, said = run("--touches", kept, *rack, "--tip-error-mm", 0.3, f"--target={target}")
    assert code == 0, said
    assert "95 of 100 times within" in said
    assert "the target" in said
    found = in_force(tmp_path / "rack", "hololens", "headset_to_tracker").transform("headset", "tracker")
    assert np.linalg.norm(found.apply(TOUCHES[0].tip_tracker_mm) - SHOWN_MM[0]) < 3.0

    at_mm = SHOWN_MM[4:5] + [30.0, 20.0, 0.0]
    again = write_touches(tmp_path / "again.json", touches(TRUE, np.zeros((1, 3)), at_mm))
    assert run("--check", "--touches", again, *rack)[0] == 0
    moved = write_touches(tmp_path / "moved.json", touches(TRUE, np.full((1, 3), 25.0), at_mm))
    code, said = run("--check", "--touches", moved, *rack)
    assert code == 2
    assert "calibrate the headset anew" in said


def test_two_recordings(tmp_path: Path):
    tracker, headset = marker_streams(TRUE, np.random.default_rng(3))
    files = write_csv(tmp_path / "tracker.csv", tracker), write_csv(tmp_path / "headset.csv", headset)
    code, said = run(*files, "--marker", "cube")
    assert code == 1
    assert "--anchor" in said
    code, said = run(*files, "--marker", "cube", "--anchor", "room-1", "--rack", tmp_path / "rack")
    assert code == 0, said
    assert "a marker that tracker and headset both see" in said
    assert "anchor room-1" in said


def test_what_is_refused_is_kept_as_refused(tmp_path: Path):
    mirrored = [
        TargetTouch(each.name, each.shown_headset_mm * [-1.0, 1.0, 1.0], each.tip_tracker_mm, each.anchor)
        for each in TOUCHES
    ]
    code, said = run("--touches", write_touches(tmp_path / "t.json", mirrored), "--rack", tmp_path / "rack")
    assert code == 2
    assert "mirror image" in said
    ((_, kept),) = results(tmp_path / "rack")
    assert kept.verdict == "refused"
    code, said = run("--check", "--touches", tmp_path / "t.json", "--rack", tmp_path / "rack")
    assert code == 1
    assert "no accepted calibration" in said


def test_a_room_without_the_headset_says_which_it_has(tmp_path: Path):
    room = tmp_path / "or.toml"
    room.write_bytes((files("navigation.room.shipped") / "simulated.toml").read_bytes())
    code, said = run("--room", room, "--name", "hololens")
    assert code == 1
    assert "the headset 'hololens', which is not in the room" in said


def test_bad_input_is_a_sentence(tmp_path: Path):
    assert "not one of two ways" in run()[1]
    (tmp_path / "bad.json").write_text('{"format": "surgnav_target_touches", "touches": [{"name": "1"}]}')
    code, said = run("--touches", tmp_path / "bad.json")
    assert code == 1
    assert "shown_headset_mm" in said
    assert "three numbers" in run("--touches", tmp_path / "bad.json", "--target", "1,2")[1]
