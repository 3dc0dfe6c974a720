"""Compiles C# sources to an assembly, and runs assemblies, each in another process with a time limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from geometry.errors import SurgNavError
from scripts.csharp.mono import ensure_mono
from scripts.csharp.standard import mono_twin
from scripts.csharp.toolchain import Toolchain

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_TIME_LIMIT_S = 240
# .NET must not look for the system's ICU data, which containers do not have.
_ENVIRONMENT = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_CLI_TELEMETRY_OPTOUT": "1"}


class CompilationError(SurgNavError):
    """C# that does not compile; the compiler's warnings count as errors."""


class Runtime(Enum):
    """The runtime of a program."""

    DOTNET = "dotnet"
    MONO = "mono"


@dataclass(frozen=True, kw_only=True)
class Build:
    """What to compile.

    Attributes:
        sources: files, and folders that are searched for ``*.cs``.
        target: the assembly to write, ``.dll``.
        references: other assemblies; they are not copied, and must lie beside the target when it runs.
        program: whether the assembly has a Main; it then also gets the file that .NET needs to run it.
        defines: preprocessor symbols, such as UNITY_EDITOR.
        standard: makes an assembly for .NET Standard 2.1, which runs in both runtimes; types that the standard does not
            have are errors. Members are checked against .NET only: one that Mono lacks fails when Mono runs it.
    """

    sources: Sequence[Path]
    target: Path
    references: Sequence[Path] = ()
    program: bool = False
    defines: Sequence[str] = ()
    standard: bool = False


def compile_csharp(build: Build, tools: Toolchain) -> Path:
    """Compiles C# 9 and returns the assembly.

    Raises:
        CompilationError: the sources do not compile; the message has every error and warning.
    """
    sources = [file for path in build.sources for file in (sorted(path.rglob("*.cs")) if path.is_dir() else [path])]
    request = {
        "tools": str(tools.folder),
        "standard": build.standard,
        "sources": [str(source) for source in sources],
        "references": [str(reference) for reference in build.references],
        "target": str(build.target),
        "program": build.program,
        "defines": list(build.defines),
    }
    _compiler(request, build.target)
    if build.program:
        build.target.with_suffix(".runtimeconfig.json").write_text(tools.runtime_config.read_text("utf-8"), "utf-8")
    return build.target


def write_facade(folder: Path, tools: Toolchain) -> Path:
    """Writes netstandard.dll for Mono, and returns its path.

    Libraries for .NET Standard, such as NUnit, look for every class in netstandard.dll, which says which assembly has
    it. Debian has Mono's only in a package of 185 MB; this one is made of the types that both runtimes have.

    Raises:
        CompilationError, ToolchainError: as `compile_csharp`.
    """
    target = folder / "netstandard.dll"
    _compiler({"tools": str(tools.folder), "mono": str(ensure_mono().assemblies), "facade": str(target)}, target)
    return target


def run_program(
    program: Path, arguments: Sequence[str], tools: Toolchain, runtime: Runtime, limit_s: float = _TIME_LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Runs a compiled program in the runtime that it was compiled for; the caller checks the return code."""
    return _run([*run_command(program, tools, runtime), *arguments], "", limit_s)


def run_command(program: Path, tools: Toolchain, runtime: Runtime) -> list[str]:
    """The first words of the command that runs a program, for callers that start it themselves."""
    if runtime is Runtime.MONO:
        return [str(ensure_mono().program), str(mono_twin(program))]
    return [
        "env",
        *(f"{name}={value}" for name, value in _ENVIRONMENT.items()),
        str(tools.dotnet),
        "exec",
        str(program),
    ]


def run_dotnet(
    program: Path, arguments: Sequence[str], tools: Toolchain, limit_s: float = _TIME_LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Runs a compiled program in .NET; the caller checks the return code."""
    return _run([str(tools.dotnet), "exec", str(program), *arguments], "", limit_s)


def _compiler(request: dict[str, object], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    result = _run([sys.executable, "-m", "scripts.csharp.compiler"], json.dumps(request), _TIME_LIMIT_S)
    if result.returncode != 0:
        raise CompilationError(
            f"C# that does not compile:\n{result.stdout}{result.stderr}",
            "sources without errors or warnings",
            "correct the sources",
        )


def _run(command: list[str], standard_input: str, limit_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=_REPOSITORY,
        env=os.environ | _ENVIRONMENT,
        input=standard_input,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit_s,
    )
