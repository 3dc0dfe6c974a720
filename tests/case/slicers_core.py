"""Has 3D Slicer's own core read files, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import IN_CI, REPOSITORY


def read_by_slicer(files: Sequence[Path]) -> dict[str, Any]:
    """What Slicer made of each file, by its name; skips without Slicer, except in CI."""
    slicer = Path(os.environ.get("SURGNAV_SLICER") or Path(sys.prefix) / "slicer")
    if not (slicer / "slicer_core").is_dir():
        reason = "the core of 3D Slicer is not installed apart; 'make setup-tests' does that"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    run = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests" / "case" / "by_slicer.py"), *map(str, files)],
        env={**os.environ, "PYTHONPATH": str(slicer), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    answers = json.loads(run.stdout.splitlines()[-1])
    return {file.name: answer for file, answer in zip(files, answers, strict=True)}
