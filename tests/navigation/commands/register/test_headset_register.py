"""``surgnav register`` with a headset as its tracker: a process that plays one registers a simulated patient."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from case.case import PLANNED, Case
from navigation.acquisition.collect import AcquisitionSettings
from navigation.commands.register.command import RegisterRequest
from navigation.commands.register.run import run_register
from registration.record.in_force import in_force
from registration.record.point_files import read_planned
from registration.uncertainty.expected_error import target_errors_mm
from tests.conftest import REPOSITORY
from tests.navigation.commands.register import harness as driven
from tests.navigation.commands.register.harness import PERSON, TARGETS, TIME
from tests.navigation.commands.register.headset_surgeon import T_REFERENCE_CT, TIP_STYLUS_MM
from tests.navigation.devices.headset.harness import free_port

case = driven.case
ACQUISITION = AcquisitionSettings(sweep_s=2.5, frame_timeout_s=20.0)


class Surgeon:
    """The process, and what it says."""

    def __init__(self, port: int, plan: Path) -> None:
        command = [sys.executable, "-m", "tests.navigation.commands.register.headset_surgeon", str(port), str(plan)]
        self.said: list[str] = []
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def order(self, what: str) -> str:
        """What it says until it has done so."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        begun = len(self.said)
        while (line := self.process.stdout.readline().strip()) != f"done {what}":
            assert line, self.said
            self.said.append(line)
        return "\n".join(self.said[begun:])


class Script:
    """Keys that a person at the program types, and orders to the surgeon before each."""

    def __init__(self, surgeon: Surgeon, *steps: tuple[list[str], str]) -> None:
        self._surgeon = surgeon
        self._steps = iter(steps)
        self._line = ""

    def next(self) -> str | None:
        orders, keys = next(self._steps, ([], None))
        for order in orders:
            self._surgeon.order(order)
        self._line = "" if keys is None else keys[1:]
        return None if keys is None else keys[0]

    def line(self) -> str:
        return self._line


def room_file(folder: Path, port: int, more: str = "takes_touches = true") -> Path:
    tip = {
        "format": "surgnav_tip",
        "tool": "stylus",
        "tip_mm": TIP_STYLUS_MM.tolist(),
        "expected_error_rms_mm": 0.3,
        "calibrated": TIME,
    }
    (folder / "tip.json").write_text(json.dumps(tip))
    path = folder / "or.toml"
    path.write_text(
        f"""[devices.hololens]
driver = "headset"
port = {port}
{more}
[tools.reference]
device = "hololens"
role = "reference"
id = "Cube"
[tools.stylus]
device = "hololens"
role = "stylus"
id = "Pointer"
tip = "tip.json"
"""
    )
    return path


@pytest.fixture
def plan(case: Path, tmp_path: Path) -> Path:
    """The landmarks, and the front of the patient's surface."""
    opened = Case.open(case)
    landmarks = read_planned(opened.path_of(PLANNED["landmarks"]))
    vertices = opened.read_surface("body").vertices_mm
    front = vertices[vertices[:, 1] < np.median(vertices[:, 1])]
    path = tmp_path / "plan.npz"
    np.savez(path, names=list(landmarks), landmarks_ct=list(landmarks.values()), surface_ct=front)
    return path


def registered(case: Path, room: Path, script: Script) -> tuple[bool, str]:
    screen = io.StringIO()
    console = Console(file=screen, width=160, force_terminal=False)
    request = RegisterRequest(case=case, person=PERSON, room=room)
    return run_register(request, lambda: TIME, console, lambda: script, ACQUISITION), screen.getvalue()


def test_a_headset_registers_a_patient(case, plan, tmp_path):
    port = free_port()
    surgeon = Surgeon(port, plan)
    try:
        touches = [f"touch marker_{number} {'headset' if number % 2 else 'reference'}" for number in range(1, 6)]
        script = Script(
            surgeon,
            ([*touches[:2], "vanish", *touches[2:]], "s"),
            (["sweep"], "w"),
            ([], "c"),
            (["touch marker_1 reference", "hold marker_6"], "v6"),
            ([], "a"),
            ([], "y"),
            ([], "q"),
        )
        held, screen = registered(case, room_file(tmp_path, port), script)
    finally:
        surgeon.process.kill()
        surgeon.process.wait()
    assert held, screen
    kept = [f"marker_{number} accepted kept as the touch of 'marker_{number}'" for number in range(1, 6)]
    late = "marker_1 refused a touch of 'marker_1' at the headset after the registration was computed"
    assert surgeon.said == [*kept, late], screen
    assert "Landmarks that are touched at the headset are taken as well." in screen
    assert "marker_3, touched at the headset hololens, stated in 'headset': 40 samples" in screen
    accepted = in_force(Case.open(case))
    errors_mm = target_errors_mm(accepted.T_reference_ct, T_REFERENCE_CT, np.array(list(TARGETS.values())))
    assert errors_mm.max() < 2.0  # five touches with 0.3 mm along each axis, and a sweep of the exact surface
    lines = (case / "registration" / "session-0001.jsonl").read_text().splitlines()
    steps = [step for step in map(json.loads, lines) if step["step"] == "touch"]
    assert [(step["client"], step["stated_in"]) for step in steps[:2]] == [
        ("hololens", "headset"),
        ("hololens", "reference"),
    ]
