"""``surgnav calibrate pivot``: from recordings and in the simulated room; its exit codes and what it keeps."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from calibration.rack import in_force, results
from tests.calibration.streams_of import TIP_MM, pivoted
from tests.navigation.acquisition.recorded_streams import write_csv
from tests.navigation.commands.calibrate.harness import run


def test_a_recording_becomes_a_result_in_the_rack(tmp_path: Path):
    stream = pivoted(200)
    recording = write_csv(tmp_path / "a.csv", stream, hidden=(7,))
    code, said = run("pivot", recording, "--rack", tmp_path / "rack", "--json", tmp_path / "a.json")
    assert code == 0, said
    result = in_force(tmp_path / "rack", "stylus", "pivot")
    tip = result.transform("stylus", "stylus_tip").translation_mm
    assert np.linalg.norm(tip - TIP_MM) < 5.0 * result.expected_error.value
    assert "accepted: pivot of stylus" in said
    assert "1 frames without a pose" in said
    assert json.loads((tmp_path / "a.json").read_text())["inputs"][0]["name"] == "a.csv"


def test_a_slip_is_named_by_its_poses(tmp_path: Path):
    stream = pivoted(200)
    poses = stream.poses.copy()
    poses[50:54, :3, 3] += (0.0, 15.0, 0.0)
    slipped = type(stream)("tracker", "stylus", stream.time_s, poses, 0, "made")
    code, said = run("pivot", write_csv(tmp_path / "a.csv", slipped), "--rack", tmp_path)
    assert code == 0, said
    outliers = in_force(tmp_path, "stylus", "pivot").outliers
    assert {50, 51, 52, 53} <= {outlier.index for outlier in outliers}
    assert all(outlier.time_s == pytest.approx(outlier.index / 20.0) for outlier in outliers)


@pytest.mark.parametrize(("largest_rad", "why"), [(0.001, "hardly moved"), (0.03, "degrees RMS")])
def test_what_is_refused_is_kept_as_refused(tmp_path: Path, largest_rad: float, why: str):
    recording = write_csv(tmp_path / "a.csv", pivoted(200, largest_rad=largest_rad))
    code, said = run("pivot", recording, "--rack", tmp_path / "rack")
    assert code == 2
    assert why in said
    ((_, kept),) = results(tmp_path / "rack")
    assert kept.verdict == "refused"
    assert why in kept.reasons[0]
    assert in_force(tmp_path / "rack", "stylus", "pivot") is None


def test_the_list_says_what_is_in_force(tmp_path: Path):
    for largest_rad in (0.5, 0.001):
        run("pivot", write_csv(tmp_path / "a.csv", pivoted(100, largest_rad=largest_rad)), "--rack", tmp_path / "rack")
    code, said = run("list", tmp_path / "rack", "--json", tmp_path / "list.json")
    assert code == 0, said
    assert [each["in_force"] for each in json.loads((tmp_path / "list.json").read_text())["results"]] == [True, False]
    run("list", tmp_path / "rack", "--in-force", "--json", tmp_path / "list.json")
    assert len(json.loads((tmp_path / "list.json").read_text())["results"]) == 1
    assert "which is not there" in run("list", tmp_path / "away")[1]


def test_bad_input_is_a_sentence_and_nothing_is_kept(tmp_path: Path):
    recording = write_csv(tmp_path / "a.csv", pivoted(40))
    recording.write_bytes(recording.read_bytes()[:-30])
    code, said = run("pivot", recording, "--rack", tmp_path / "rack")
    assert code == 1
    assert "fix:" in said
    assert not (tmp_path / "rack").exists()


def test_a_recording_or_a_room(tmp_path: Path):
    assert "neither a recording nor --room" in run("pivot")[1]
    code, said = run("pivot", tmp_path / "a.csv", "--room", tmp_path / "or.toml")
    assert code == 1
    assert "both a recording and --room" in said


def test_live_in_the_simulated_room(tmp_path: Path):
    room = tmp_path / "or.toml"
    room.write_bytes((files("navigation.room.shipped") / "simulated.toml").read_bytes())
    code, said = run("pivot", "--room", room, "--rack", tmp_path / "rack")
    assert code == 0, said
    assert "100% covered" in said
    result = in_force(tmp_path / "rack", "stylus", "pivot")
    assert result.expected_error.value < 0.5
    assert result.numbers["duration_s"] >= 5.0
    assert "one of" in run("pivot", "--room", room, "--tool", "awl")[1]
