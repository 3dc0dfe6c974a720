"""``surgnav serve`` as a developer of a client uses it: started, joined, its registration withdrawn, stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from case.case import Case
from navigation.cli import app
from registration.record.attempts import load_attempt, record
from registration.record.in_force import in_force
from tests.conftest import REPOSITORY
from tests.navigation.commands import serving as driven
from tests.navigation.commands.register.harness import PERSON, TARGETS, TIME, make_case
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S, serving

case = driven.case


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
