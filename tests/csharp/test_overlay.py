"""The C# client as a headset that sleeps and whose world moves, at ``surgnav serve``: what it shows, and why not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from scripts.csharp.build import run_command
from scripts.csharp.headset import build_headset
from tests.navigation.commands.register.harness import TARGETS, make_case
from tests.navigation.commands.serving import ADDRESSES, serving
from tests.navigation.live.racked import ANCHOR, MADE, racked, room_file
from unity_bridge.wire.convention import UnityPose, pose_from_unity

CLIENT = "C# headset"


def worn(tools, runtime, tmp_path: Path, anchors: str, seconds: float, told: str) -> list[dict]:
    """What changed at the headset, whose operator was told that it shows no overlay for this reason."""
    case, room = make_case(tmp_path / "case", TARGETS), room_file(tmp_path, CLIENT)
    report = tmp_path / "report.json"
    with serving(case, "--room", str(room)) as screen:
        poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
        command = [*run_command(build_headset(tools), tools, runtime), "--poses", poses, "--surfaces", surfaces]
        command += ["--control", control, "--name", CLIENT, "--duration", str(seconds), "--report", str(report)]
        ended = subprocess.run(
            [*command, "--anchors", anchors], capture_output=True, text=True, check=False, timeout=180
        )
        assert ended.returncode == 0, ended.stderr + report.read_text("utf-8")
        screen.wait_for(f"'hololens' shows no overlay: {told}")
        return json.loads(report.read_text("utf-8"))["overlay"]


def test_it_is_shown_until_the_headset_slept_and_not_in_another_place(tools, runtime, tmp_path):
    T_headset_tracker = racked(tmp_path / "rack")
    told = "the headset has placed its world anew"
    changes = worn(tools, runtime, tmp_path, f"{ANCHOR}:2,elsewhere:1,{ANCHOR}:2", 5, told)
    first, *_ = [change for change in changes if change["shown"]]
    pose = UnityPose(np.array(first["position_m"]), np.array(first["rotation_xyzw"]), "headset", "tracker")
    np.testing.assert_allclose(pose_from_unity(pose).matrix, T_headset_tracker.matrix, atol=1e-3)
    assert first["calibrated"].startswith(MADE)
    moved = [change for change in changes if change["anchor"] == "elsewhere"]
    assert "this headset has placed its world anew" in moved[0]["reason"], "it does not wait for the server"
    assert "calibrate the headset anew" in changes[-1]["reason"], "nor does it come back with its old place"
    assert all(change["shown"] is (change["reason"] == "") for change in changes)
    assert not any(change["shown"] for change in changes[changes.index(moved[0]) :])


def test_after_a_sleep_it_is_hidden(tools, runtime, tmp_path):
    racked(tmp_path / "rack")
    changes = worn(tools, runtime, tmp_path, f"{ANCHOR}:1.5,:4,{ANCHOR}:1.5", 7, "the headset (is|was) silent for")
    assert any(change["shown"] for change in changes)
    after = [change for change in changes if change["after_s"] > 5.0]
    assert "has said nothing of this headset's calibration" in after[0]["reason"]
    assert "may have slept" in after[-1]["reason"]
    assert not any(change["shown"] for change in after)


@pytest.mark.parametrize(("subject", "said"), [(None, "in rack."), ("quest", "in rack, which has those of quest")])
def test_without_a_calibration_of_its_own_it_shows_nothing(tools, runtime, tmp_path, subject, said):
    if subject is not None:
        racked(tmp_path / "rack", subject)
    changes = worn(tools, runtime, tmp_path, f"{ANCHOR}:1", 1, f"no accepted calibration of 'hololens' {said}")
    assert not any(change["shown"] for change in changes)
    assert "no accepted calibration of 'hololens'" in changes[-1]["reason"]
    assert said in changes[-1]["reason"]
