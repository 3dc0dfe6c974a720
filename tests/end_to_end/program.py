"""Runs the installed program as a user does, in a process of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path


def surgnav(*arguments: object, timeout_s: float = 600.0) -> subprocess.CompletedProcess[str]:
    """``surgnav ARGUMENTS``; what it prints is in the result, uncoloured and wide."""
    command = [sys.executable, "-c", "from navigation.cli import main; main()", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)


def largest_child_gb() -> float:
    """Peak resident memory of any child process that has ended, in GB (Linux counts in kB)."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def unpacked(archive: Path, folder: Path, *prefixes: str) -> Path:
    """Unpacks an archive, or only what lies under `prefixes`."""
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar if not prefixes or member.name.startswith(prefixes)]
        tar.extractall(folder, members=wanted)
    return folder
