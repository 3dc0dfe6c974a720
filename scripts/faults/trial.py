"""One trial: puts a fault into a copy of the working tree, runs its tests there, and restores the copy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from geometry.errors import SurgNavError
from scripts.faults.fault_list import Fault

# pytest's exit codes
_PASSED, _FAILED, _NONE_FOUND = 0, 1, 5


class Outcome(StrEnum):
    """The outcome of a trial."""

    NOTICED = "noticed"
    SURVIVED = "SURVIVED"
    NOT_JUDGED = "NOT JUDGED"


@dataclass(frozen=True)
class Result:
    """The outcome of a trial, with the test that failed, or the reason why the fault was not judged."""

    outcome: Outcome
    detail: str = ""


class WorkingCopy:
    """A copy of the files of a repository that are tracked or could be committed, for the trials."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.root = folder / "copy"
        self._scratch = folder / "tmp"
        self._scratch.mkdir(parents=True)
        self._data = os.environ.get("SURGNAV_DATA", str(repository.parent / "shared" / "data"))
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=repository,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, target = repository / name, self.root / name
            if source.is_file():  # a tracked file may have been deleted
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        # Bytecode is validated by content: a fault of equal length within a second would else run the old bytecode.
        compiler = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "."]
        subprocess.run([sys.executable, *compiler], cwd=self.root, check=False)

    def try_fault(self, fault: Fault, limit_s: float) -> Result:
        """Runs the fault's tests with the fault; the test that fails must pass without it.

        Raises:
            FaultListError: the fault's text is not in the code exactly once.
        """
        with self._broken(fault):
            code, told = self._pytest(fault, limit_s, "-x")
        if code == _PASSED:
            ran = " passed" in told
            return Result(Outcome.SURVIVED) if ran else Result(Outcome.NOT_JUDGED, "its tests were all skipped")
        if code != _FAILED:
            return Result(Outcome.NOT_JUDGED, _why(code, told))
        failed = next((line for line in told.splitlines() if line.startswith(("FAILED ", "ERROR "))), "")
        code, told = self._pytest(fault, limit_s, "--last-failed", "--last-failed-no-failures=none")
        if code != _PASSED or " passed" not in told:
            return Result(Outcome.NOT_JUDGED, f"without the fault as well: {failed}")
        return Result(Outcome.NOTICED, failed.split(" - ")[0].partition(" ")[2])

    @contextmanager
    def _broken(self, fault: Fault) -> Iterator[None]:
        path = self.root / fault.file
        whole = path.read_bytes()
        try:
            path.write_text(fault.put_into(whole.decode("utf-8")), encoding="utf-8")
            yield
        finally:
            path.write_bytes(whole)

    def _pytest(self, fault: Fault, limit_s: float, *options: str) -> tuple[int | None, str]:
        """Runs pytest; returns the exit code (None after the time limit) and the output."""
        command = [sys.executable, "-m", "pytest", "-q", *options, *fault.tests]
        command += ["-k", fault.select] if fault.select else []
        told = {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1", "SURGNAV_DATA": self._data}
        told["TMPDIR"] = str(self._scratch)  # files that tests leave are deleted with the copy
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        with subprocess.Popen(
            command, cwd=self.root, env={**os.environ, **told}, start_new_session=True, **pipes
        ) as process:
            try:
                output, _ = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # including programs that a test has started
                return None, f"over {limit_s:g} s"
        return process.returncode, output


def _why(code: int | None, told: str) -> str:
    if code == _NONE_FOUND:
        return "no test fits its paths and its select"
    if code is None:
        return f"its tests took too long: {told}"
    return f"pytest ended with {code}: {' / '.join(told.strip().splitlines()[-3:])}"


def judged(copy: WorkingCopy, fault: Fault, limit_s: float) -> Result:
    """As `WorkingCopy.try_fault`, but a fault whose text is not in the code exactly once is returned as not judged."""
    try:
        return copy.try_fault(fault, limit_s)
    except (SurgNavError, OSError, UnicodeDecodeError) as error:
        return Result(Outcome.NOT_JUDGED, str(error))
