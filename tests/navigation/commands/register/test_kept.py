"""What was measured stays: after q, after SIGKILL, and as an offer that says what it assumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from navigation.commands.register.session import Session
from navigation.commands.register.session_file import KeptSession, SessionFile, newest
from registration.errors import RegisteringError
from registration.measurements import TouchedPoint
from registration.record.attempts import attempt_ids, load_attempt
from tests.conftest import REPOSITORY
from tests.navigation.commands.register import harness as driven
from tests.navigation.commands.register.harness import PERSON, TIME, TOUCH_FIVE, live

# Fixtures of the other file, which this one uses too.
case = driven.case
PLAN = {f"m{number}": np.array([number, 0.0, 0.0]) for number in range(1, 5)}


def folder(case: Path) -> Path:
    return case / "registration"


def steps(case: Path) -> list[str]:
    path = sorted(folder(case).glob("session-*.jsonl"))[-1]
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_five_touches_and_a_sweep_survive_q_and_make_the_registration_the_next_time(case: Path) -> None:
    live(case, f"{TOUCH_FIVE} w q")
    assert steps(case) == ["began", "pivot", *["touch"] * 5, "skip", "sweep"]
    kept = newest(folder(case))
    held, screen = live(case, "y c a q")
    assert held
    assert "5 touches and a sweep of" in screen
    assert "of less than a minute ago are kept: go on with them?" in screen
    assert "Assumed: the reference has stayed where it was" in screen
    attempt = load_attempt(Case.open(case), "r-0001")
    assert [mark.used for mark in attempt.inputs.landmarks] == [True] * 5 + [False]
    touches = [event for event in kept.steps if event["step"] == "touch"]
    assert [list(mark.reference_mm) for mark in attempt.inputs.landmarks[:5]] == [e["position_mm"] for e in touches]
    assert steps(case)[-4:] == ["resumed", "pivot", "computed", "accepted"]
    # Computed, they are an attempt of the case: nothing is offered any more.
    assert "go on with them" not in live(case, "q")[1]


def test_every_touch_survives_sigkill(case: Path) -> None:
    script = "from navigation.cli import main; main()"
    command = [sys.executable, "-c", script, "register", str(case), "--person", PERSON, "--tracker", "simulated"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment) as program:
        program.stdin.write(b"tttt s t w")
        program.stdin.flush()
        deadline = time.monotonic() + 300.0  # it waits for the next key as soon as the sweep is kept
        while time.monotonic() < deadline and program.poll() is None:
            kept = newest(folder(case))
            if kept is not None and kept.steps[-1]["step"] == "sweep":
                break
            time.sleep(0.05)
        program.send_signal(signal.SIGKILL)
    assert steps(case) == ["began", "pivot", *["touch"] * 4, "skip", "touch", "sweep"]
    with (folder(case) / "session-0001.jsonl").open("ab") as file:
        file.write(b'{"step": "touch", "name": "marker_5", "posi')  # the line that a crash cut short
    _, screen = live_now(case, "y c q")
    assert "5 touches and a sweep" in screen
    attempt = load_attempt(Case.open(case), "r-0001")
    assert [mark.used for mark in attempt.inputs.landmarks] == [True] * 4 + [False, True]
    assert attempt.verdict.level != "refuse"
    assert steps(case)[-3:] == ["resumed", "pivot", "computed"]  # the torn line is gone, and spoils none after it


def live_now(case: Path, keys: str, **changes: object) -> tuple[bool, str]:
    """As `live`, at the time of now."""
    return live(case, keys, time=datetime.now(UTC).isoformat(timespec="seconds"), **changes)


def test_no_is_no_for_good_and_q_asks_again(case: Path) -> None:
    live(case, "tt q")
    assert "go on with them" in live(case, "q")[1]
    assert "y or n" in live(case, "z q")[1]
    screen = live(case, "n t q")[1]
    assert "go on with them" in screen
    assert screen.count("touched, spread") == 0  # the new session begins with nothing
    assert steps(case) == ["began", "pivot", "touch"]
    again = live(case, "q")[1]
    assert "1 touch of less than a minute ago" in again


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("seed", "the tracker is another one"),
        ("plan", "the plan is another one"),
        ("age", "too old: at most 6 hours"),
        ("tip", "another stylus, or a bent one"),
        ("steps", "do not follow from one another"),
    ],
)
def test_what_cannot_be_gone_on_with_is_said_and_not_offered(case: Path, what: str, said: str) -> None:
    live(case, "ttt q")
    path = folder(case) / "session-0001.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    changes: dict[str, object] = {}
    if what == "seed":
        changes = {"seed": 2}
    elif what == "plan":
        events[0]["plan"]["marker_1"][0] += 1.0
    elif what == "age":
        for event in events:
            event["time"] = TIME.replace("2026-01-02", "2026-01-01")
    elif what == "tip":
        events[1]["tip_stylus_mm"][2] += 3.0
    else:
        events[2]["name"] = "nose"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    screen = " ".join(live(case, "q", **changes)[1].split())
    assert "go on with them" not in screen
    assert said in screen
    assert "session-0001.jsonl, but cannot be gone on with" in screen


def test_replayed_steps_end_where_the_session_ended(tmp_path: Path) -> None:
    session = KeptSession(PLAN, {}, SessionFile(tmp_path, {}, lambda: TIME))
    for name in ("m1", "m2", "m3"):
        session.touch(name, TouchedPoint(np.array([1.0, 2.0, 3.0]), 0.1, 60))
    session.undo()
    session.skip("m4")
    session.redo("m1")
    session.sweep(np.array([[0.1, 0.2, 0.3]]))
    again = Session(PLAN, {})
    newest(tmp_path).replay(again)
    assert (again.now.done, again.now.skipped, list(again.now.touched)) == ("a sweep of 1 points", ("m4",), ["m2"])
    np.testing.assert_array_equal(again.swept_reference_mm, [[0.1, 0.2, 0.3]])
    assert len(again._moments) == len(session._moments)  # and can be taken back step by step


def test_a_step_that_cannot_be_written_has_not_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = KeptSession(PLAN, {}, SessionFile(tmp_path, {}, lambda: TIME))
    session.skip("m1")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RegisteringError, match="No space left"):
            session.undo()
        with pytest.raises(RegisteringError, match="No space left"):
            session.skip("m2")
    assert session.now.skipped == ("m1",)
    session.skip("m3")  # with room again, it goes on
    again = Session(PLAN, {})
    newest(tmp_path).replay(again)
    assert again.now.skipped == ("m1", "m3")


@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense\n", b"[]\n", b'{"step": "began"}\n', b'{"step"'])
def test_a_file_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "session-0001.jsonl").write_bytes(content)
    assert newest(tmp_path) is None


def test_a_session_in_which_nothing_was_measured_leaves_no_file(case: Path) -> None:
    live(case, "? i q")
    assert not list(folder(case).glob("session-*"))
    assert attempt_ids(Case.open(case)) == ()
