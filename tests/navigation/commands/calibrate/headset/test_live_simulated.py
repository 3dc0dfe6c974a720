"""``surgnav calibrate headset --room`` with a headset's program beside it: on one clock, simulated stylus or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from navigation.cli import app
from tests.conftest import REPOSITORY
from tests.navigation.commands.serving import Screen
from tests.navigation.devices.headset.harness import free_port
from tests.navigation.devices.headset.player import CLOCK, PATIENCE_NS, headset
from unity_bridge.wire.generated.constants import EventOutcome


def test_a_touch_is_paired_with_where_a_simulated_stylus_is_then(tmp_path: Path) -> None:
    port = free_port()
    room = tmp_path / "or.toml"
    room.write_text(
        f"""rack = "rack"
[devices.camera]
driver = "simulated"
[devices.hololens]
driver = "headset"
port = {port}
[tools.reference]
device = "camera"
role = "reference"
[tools.stylus]
device = "camera"
role = "stylus"
calibration = "stylus"
"""
    )
    assert CliRunner().invoke(app, ["calibrate", "pivot", "--room", str(room)]).exit_code == 0
    asked = ["calibrate", "headset", "--room", str(room), "--name", "hololens", "--seconds", "300"]
    command = [sys.executable, "-u", "-c", "import navigation.cli; navigation.cli.main()", *asked]
    program = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        Screen(program).wait_for("waits for 'hololens'")
        with headset(f"tcp://127.0.0.1:{port}", "hololens") as worn:
            deadline_ns = CLOCK.now_ns() + PATIENCE_NS
            answered = EventOutcome.REFUSED  # as long as the camera has not seen the stylus for long enough
            while answered is not EventOutcome.ACCEPTED and CLOCK.now_ns() < deadline_ns:
                worn.step(20)
                if worn.link.may_show and worn.link.clock_offset is not None:
                    answered = touched(worn)
            assert answered is EventOutcome.ACCEPTED
    finally:
        program.kill()
        program.wait()


def touched(worn) -> EventOutcome:
    number = worn.link.send_event(
        "target_touched", name="1", frame="headset", position_m=(0.1, 0.2, 0.3), tool="stylus", anchor="room-1"
    )
    while number not in worn.link.events.answers:
        worn.step(20)
    return worn.link.events.answers[number].outcome
