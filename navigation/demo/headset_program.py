"""Which program is the demo's headset: the reference client in Python, or the Unity package's in C#.

The C# is compiled from a checkout of the repository, by tools that are no part of the installed packages; so it runs
in a process of its own, and where there is no checkout the demo says so.
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
    """`csharp` runs in .NET 8, `csharp-mono` in Mono."""

    PYTHON = "python"
    CSHARP = "csharp"
    CSHARP_MONO = "csharp-mono"


def headset_command(headset: Headset) -> list[str]:
    """The first words of the command; the options of ``python -m unity_bridge.client`` follow.

    Raises:
        ServiceError: no checkout of the repository, or its C# tools cannot be had.
    """
    if headset is Headset.PYTHON:
        return [sys.executable, "-m", "unity_bridge.client"]
    builder = _REPOSITORY / "scripts" / "csharp" / "headset.py"
    if not builder.is_file():
        raise ServiceError(
            f"the client '{headset}' where {builder.parent} is missing",
            "a checkout of the repository, whose C# is compiled",
            "run 'surgnav demo' from a checkout, or with --client python",
        )
    runtime = "mono" if headset is Headset.CSHARP_MONO else "dotnet"
    command = [sys.executable, "-m", "scripts.csharp.headset", runtime]
    built = subprocess.run(
        command, cwd=_REPOSITORY, capture_output=True, text=True, check=False, timeout=_BUILD_LIMIT_S
    )
    if built.returncode != 0:
        raise ServiceError(
            f"a C# client that could not be made: {built.stderr.strip()[-1500:] or 'no message'}",
            "the tools of scripts/csharp/toolchain.toml, and C# that compiles",
            f"run '{' '.join(command[1:])}' in the checkout, or the demo with --client python",
        )
    words: list[str] = json.loads(built.stdout)
    return words
