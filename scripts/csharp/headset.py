"""The C# client as a headset program, compiled once for each state of its sources and kept beside the tools.

``python -m scripts.csharp.headset [dotnet|mono]`` prints as JSON the first words of the command that runs it; its
arguments are those of ``python -m unity_bridge.client``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from geometry.errors import SurgNavError
from scripts.csharp.build import Build, Runtime, compile_csharp, run_command, write_facade
from scripts.csharp.toolchain import Toolchain, ensure_toolchain

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_CORE = _REPOSITORY / "unity_bridge" / "unity" / "Runtime" / "Core"
_TESTS = _REPOSITORY / "tests" / "csharp"
_UNUSED_S = 86_400
_PROGRAM = (_TESTS / "headset", _TESTS / "wire_probe" / "Json.cs")


def build_headset(tools: Toolchain) -> Path:
    """The path of the program, which is compiled if its sources have changed.

    Programs that were not used for a day are deleted; newer ones may be in use from another checkout of this user.

    Raises:
        CompilationError, ToolchainError: as `compile_csharp`.
    """
    kept = tools.folder.parent / "headset"
    kept.mkdir(parents=True, exist_ok=True)
    folder = kept / _fingerprint(tools)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in kept.iterdir():
                if old.is_dir() and time.time() - old.stat().st_mtime > _UNUSED_S:
                    shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=kept) as scratch:
                _compile(Path(scratch) / "made", tools)
                (Path(scratch) / "made").rename(folder)
        os.utime(folder)
    return folder / "Headset.dll"


def _compile(folder: Path, tools: Toolchain) -> None:
    core = compile_csharp(Build(sources=[_CORE], target=folder / "SurgNav.Core.dll", standard=True), tools)
    target = folder / "Headset.dll"
    build = Build(sources=_PROGRAM, target=target, references=[core], program=True, standard=True)
    compile_csharp(build, tools)
    write_facade(folder / "mono", tools)


def _fingerprint(tools: Toolchain) -> str:
    digest = hashlib.sha256(str(tools.folder).encode())
    for path in (_CORE, *_PROGRAM, Path(__file__).parent):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in {".cs", ".py"}:
                digest.update(str(file.relative_to(_REPOSITORY)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def main() -> int:
    try:
        runtime = Runtime(sys.argv[1] if len(sys.argv) > 1 else "dotnet")
        tools = ensure_toolchain()
        sys.stdout.write(json.dumps(run_command(build_headset(tools), tools, runtime)) + "\n")
    except SurgNavError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
