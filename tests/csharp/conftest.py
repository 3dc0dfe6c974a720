"""The C# tools and what the tests compile with them: each once for a run of the tests. Without the tools they fail."""

import json
import struct
from pathlib import Path

import pytest

from scripts.csharp.build import Build, compile_csharp, run_dotnet
from scripts.csharp.toolchain import Toolchain, ensure_toolchain
from tests.conftest import REPOSITORY

CORE = REPOSITORY / "unity_bridge" / "unity" / "Runtime" / "Core"
SOURCES = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    return ensure_toolchain()


@pytest.fixture(scope="session")
def core_assembly(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SurgNav.Core, compiled as C# 9 without a warning."""
    return compile_csharp(Build(sources=[CORE], target=tmp_path_factory.mktemp("csharp") / "SurgNav.Core.dll"), tools)


@pytest.fixture(scope="session")
def wire_probe(tools: Toolchain, core_assembly: Path) -> Path:
    """The program that shows what the C# decoders make of bytes."""
    target = core_assembly.with_name("WireProbe.dll")
    build = Build(sources=[SOURCES / "wire_probe"], target=target, references=[core_assembly], program=True)
    return compile_csharp(build, tools)


@pytest.fixture
def probe(wire_probe: Path, tools: Toolchain, tmp_path: Path):
    """Runs the probe on inputs and returns what it prints, a line of JSON each."""

    def run(mode: str, inputs: list[bytes]) -> list:
        file = tmp_path / "inputs"
        file.write_bytes(b"".join(struct.pack("<i", len(data)) + data for data in inputs))
        result = run_dotnet(wire_probe, [mode, str(file)], tools)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run
