"""``surgnav serve`` as a process of its own, and what it says line by line."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue

import pytest

from tests.conftest import REPOSITORY
from tests.navigation.commands.register.harness import TARGETS, TOUCH_FIVE, live, make_case

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
    room = () if "--room" in options else ("--tracker", "simulated")
    command += [*room, "--ports", "0", "0", "0", *options]
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
def case(tmp_path: Path) -> Path:
    """With a registration in force, made in the very room that is served."""
    root = make_case(tmp_path / "case", TARGETS)
    held, screen = live(root, f"{TOUCH_FIVE} w c v6\na q", time=datetime.now(UTC).isoformat())
    assert held, screen
    return root
