"""``surgnav serve`` as a developer of a client uses it: started, joined, its registration withdrawn, stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

import pytest
from typer.testing import CliRunner

from case.case import Case
from navigation.acquisition import stylus as instrument
from navigation.cli import app
from navigation.commands.register import dialogue
from registration.record.attempts import load_attempt, record
from registration.record.in_force import in_force
from tests.conftest import REPOSITORY
from tests.navigation.commands.register.test_register import PERSON, TARGETS, TIME, TOUCH_FIVE, live, make_case

ADDRESSES = re.compile(r"poses (\S+)\s+surfaces (\S+)\s+control (\S+)")
PATIENCE_S = 120.0


class Screen:
    """What a running program says, line by line."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self.program = program
        self.said = ""
        self._lines: Queue[str] = Queue()
        threading.Thread(target=lambda: [self._lines.put(line) for line in program.stdout], daemon=True).start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        while True:
            found = re.search(pattern, self.said)
            if found:
                return found
            try:
                self.said += self._lines.get(timeout=PATIENCE_S)
            except Empty:
                pytest.fail(f"never said {pattern!r}, but:\n{self.said}")


@contextmanager
def serving(case: Path, *options: str) -> Iterator[Screen]:
    command = [sys.executable, "-c", "import navigation.cli; navigation.cli.main()", "serve", str(case)]
    command += ["--tracker", "simulated", "--ports", "0", "0", "0", *options]
    # A terminal wide enough that no address is broken over two lines.
    environment = {"COLUMNS": "200", "PATH": "", "PYTHONUNBUFFERED": "1"}
    program = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Screen(program)
    finally:
        program.kill()
        program.wait()


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a registration in force, made in the very room that is served."""
    monkeypatch.setattr(instrument, "PIVOT_S", 6.0)
    monkeypatch.setattr(dialogue, "SWEEP_S", 5.0)
    root = make_case(tmp_path / "case", TARGETS)
    held, screen = live(root, f"{TOUCH_FIVE} w c v6\na q")
    assert held, screen
    return root


def test_a_client_joins_and_a_withdrawn_registration_reaches_it(case: Path, tmp_path: Path) -> None:
    with serving(case) as screen:
        poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
        screen.wait_for("registration r-0001, accept, by Dr Test")
        screen.wait_for("'body': on offer, approved by Dr Test")
        report = tmp_path / "report.json"
        client = [sys.executable, "-m", "unity_bridge.client", "--poses", poses, "--surfaces", surfaces]
        client += ["--control", control, "--duration", "1", "--report", str(report)]
        ended = subprocess.run(client, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr + report.read_text()
        assert json.loads(report.read_text())["surfaces"][0]["name"] == "body"
        screen.wait_for("self-test: passed")
        assert screen.said.count("has joined") == 1
        screen.wait_for("has left")
        opened = Case.open(case)
        record(opened, load_attempt(opened, "r-0001"), "withdrawn", PERSON, TIME)
        assert in_force(opened) is None
        screen.wait_for("The patient is not shown: no registration of this case is in force")
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0


def test_beyond_this_machine_only_with_keys(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", TARGETS)
    folder = str(tmp_path / "keys")
    asked = ["serve", str(case), "--tracker", "simulated", "--bind", "*", "--keys", folder]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "surgnav keys new" in refused.output


def test_a_tracker_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", TARGETS)
    other = CliRunner().invoke(app, ["serve", str(case), "--tracker", "polaris"])
    assert other.exit_code == 1
    assert "simulated" in other.output
