"""Ctrl-C and SIGTERM in the middle of ``surgnav reconstruct``: nothing half written is left, and it is said."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.console import Console

from navigation.terminal.progress import ProgressLine
from navigation.terminal.stopping import stoppable
from tests.conftest import REPOSITORY
from tests.navigation.commands.serving import PATIENCE_S, Screen


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ball of bone in a body, 4 mm."""
    import nibabel

    k, j, i = np.indices((40, 60, 60)) - np.array([20, 30, 30])[:, None, None, None]
    hu = np.where(j**2 + i**2 < 25**2, 40, -1000)
    hu[k**2 + j**2 + i**2 < 12**2] = 700
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    image = nibabel.Nifti1Image(hu.T.astype(np.int16), np.diag([4.0, 4.0, 4.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("after", "number", "by", "stages"),
    [
        ("✓ resample", signal.SIGINT, "Ctrl-C", ("resample", "network")),
        ("✓ check", signal.SIGTERM, "SIGTERM", ("check", "surfaces")),
    ],
)
def test_a_stopped_run_leaves_nothing_and_says_so(
    ct: Path, tmp_path: Path, after: str, number: signal.Signals, by: str, stages: tuple[str, ...]
) -> None:
    case = tmp_path / "case"
    command = [sys.executable, "-c", "import navigation.cli; navigation.cli.main()", "reconstruct", str(ct)]
    environment = {**os.environ, "COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
    program = subprocess.Popen(
        [*command, "--case", str(case)],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        screen = Screen(program)
        screen.wait_for(after)
        time.sleep(0.2)  # into the stage that follows; on a busy machine it may not have begun
        program.send_signal(number)
        said = screen.wait_for(r"stopped by (\S+) at (\w+), \d+% of it done: nothing was written at (\S+)")
        assert program.wait(PATIENCE_S) == 128 + number
    finally:
        program.kill()
        program.wait()
    assert said[1] == by
    assert said[2] in stages
    assert said[3] == str(case)
    assert list(tmp_path.iterdir()) == []


def stopped(work: Callable[[Callable[[str, float], None]], None]) -> tuple[int, str]:
    """Exit code and screen of work that gets its progress, and whose case is gone afterwards."""
    written = io.StringIO()
    console = Console(file=written, width=200)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(typer.Exit) as ended, stoppable(ProgressLine(console), lambda: "nothing left", console) as show:
        work(show)
    assert signal.getsignal(signal.SIGINT) is before
    return ended.value.exit_code, written.getvalue()


def test_it_stops_where_it_shows_progress_and_nothing_cuts_short_what_is_cleared_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []

    def work(show: Callable[[str, float], None]) -> None:
        show("network", 0.25)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)  # the same hand on the keys
            done.append("the window at hand")
            show("network", 0.5)
            done.append("another window")
        finally:
            monkeypatch.setattr("time.monotonic", lambda: 1e12)
            os.kill(os.getpid(), signal.SIGINT)
            done.append("cleared up")

    code, screen = stopped(work)
    assert code == 128 + signal.SIGTERM
    assert "stopped by SIGTERM at network, 25% of it done: nothing left" in screen
    assert done == ["the window at hand", "cleared up"]


def test_who_asks_again_later_need_not_wait_for_the_step_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(show: Callable[[str, float], None]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr("time.monotonic", lambda: 1e12)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it went on")

    assert stopped(work)[0] == 128 + signal.SIGINT
