"""Surfaces are prepared in a process of their own: of the file that was decided on, and nobody waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from case.case import Case
from navigation.clock import MonotonicClock
from navigation.live.offers.level_maker import LevelMaker, LevelRequest, Prepared
from tests.conftest import REPOSITORY
from tests.registration.record.harness import GLB, ORGAN, case  # noqa: F401 - a fixture

PATIENCE_S = 120.0


def wait(maker: LevelMaker) -> Prepared:
    deadline_s = time.monotonic() + PATIENCE_S
    while (prepared := maker.poll()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return prepared


def test_levels_are_made_elsewhere_of_the_file_that_was_decided_on_and_of_no_other(case: Case) -> None:  # noqa: F811
    request = LevelRequest("renamed", case.root / GLB, case.artefact(GLB).sha256)
    with closing(LevelMaker(MonotonicClock())) as maker:
        maker.start(request)
        assert maker.is_busy
        assert maker.poll() is None  # at once: nobody waits for it
        prepared = wait(maker)
        assert not maker.is_busy
        full = prepared.levels[-1].payload
        assert (full.name, full.triangle_count, prepared.problem) == ("renamed", len(ORGAN.triangles), "")
        os.truncate(request.path, 300)
        maker.start(request)
        assert wait(maker).problem == "the file of 'renamed', which changed meanwhile"
        request.path.unlink()
        maker.start(request)
        assert wait(maker).problem == "its file: No such file or directory"
        maker._process.kill()
        maker._process.join()
        maker.start(request)  # in a new process
        assert wait(maker).problem == "its file: No such file or directory"
        maker.start(request)
        os.kill(maker._process.pid, signal.SIGKILL)
        assert wait(maker).problem in (
            "the process that prepares surfaces ended",
            "its file: No such file or directory",
        )
    maker.close()


def test_the_process_ends_with_a_service_that_was_killed(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from navigation.clock import MonotonicClock
from navigation.live.offers.level_maker import LevelMaker, LevelRequest
if __name__ == "__main__":
    maker = LevelMaker(MonotonicClock())
    maker.start(LevelRequest("a", Path("nowhere"), ""))
    print(maker._process.pid, flush=True)
    sys.stdin.read()
"""
    (tmp_path / "program.py").write_text(program)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with running:
        pid = int(running.stdout.readline())
        running.kill()
    deadline_s = time.monotonic() + PATIENCE_S
    while _is_running(pid):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_machine_without_room_for_another_process_says_so_and_goes_on(
    case: Case,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(self: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    request = LevelRequest("organ", case.root / GLB, case.artefact(GLB).sha256)
    with closing(LevelMaker(MonotonicClock())) as maker:
        monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", no_memory)
        maker.start(request)
        assert "Cannot allocate memory" in wait(maker).problem
        monkeypatch.undo()
        maker.start(request)
        assert wait(maker).levels
