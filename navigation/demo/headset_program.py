"""The program that acts as the demo's headset: the reference client in Python, or the Unity package's client in C#.

The C# is compiled from a checkout of the repository by tools that are not part of the installed packages. They run in
another process; without a checkout the demo fails with an error that says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

from navigation.errors import ServiceError

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_BUILD_LIMIT_S = 900


class Headset(StrEnum):
    """The client that the demo starts: `csharp` runs in .NET 8, `csharp-mono` in Mono."""

    PYTHON = "python"
    CSHARP = "csharp"
    CSHARP_MONO = "csharp-mono"


def headset_command(headset: Headset, repository: Path = _REPOSITORY) -> list[str]:
    """The first words of the command; the options of ``python -m unity_bridge.client`` follow.

    Args:
        repository: the checkout whose C# is compiled.

    Raises:
        ServiceError: there is no checkout of the repository, or its C# tools are not available.
    """
    if headset is Headset.PYTHON:
        return [sys.executable, "-m", "unity_bridge.client"]
    builder = repository / "scripts" / "csharp" / "headset.py"
    if not builder.is_file():
        raise ServiceError(
            f"the client '{headset}' without {builder.parent}",
            "a checkout of the repository, which has the C# sources",
            "run 'surgnav demo' from a checkout, or with --client python",
        )
    runtime = "mono" if headset is Headset.CSHARP_MONO else "dotnet"
    command = [sys.executable, "-m", "scripts.csharp.headset", runtime]
    built = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=_BUILD_LIMIT_S)
    if built.returncode != 0:
        raise ServiceError(
            f"a C# client that could not be compiled: {built.stderr.strip()[-1500:] or 'no message'}",
            "the tools of scripts/csharp/toolchain.toml, and C# that compiles",
            f"run '{' '.join(command[1:])}' in the checkout, or the demo with --client python",
        )
    words: list[str] = json.loads(built.stdout)
    return words
