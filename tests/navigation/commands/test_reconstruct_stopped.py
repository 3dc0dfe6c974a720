"""Ctrl-C and SIGTERM in the middle of ``surgnav reconstruct``: nothing half written is left, and it is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.console import Console

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


def test_a_second_signal_does_not_cut_short_what_is_cleared_up(tmp_path: Path) -> None:
    cleared = threading.Event()
    with (tmp_path / "screen").open("w") as screen:
        console = Console(file=screen, width=200)

        def work() -> None:
            with stoppable(lambda: "network", lambda: "nothing is left", console):
                try:
                    os.kill(os.getpid(), signal.SIGTERM)
                    pytest.fail("it went on")
                finally:
                    os.kill(os.getpid(), signal.SIGINT)
                    cleared.set()

        with pytest.raises(typer.Exit) as ended:
            work()
    assert cleared.is_set()
    assert ended.value.exit_code == 128 + signal.SIGTERM
    assert "stopped by SIGTERM at network: nothing is left" in (tmp_path / "screen").read_text()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
