"""The C# tools and what the tests compile with them: each once for a run of the tests. Without the tools they fail."""

import json
import shutil
import struct
from pathlib import Path

import pytest

from scripts.csharp.build import Build, Runtime, compile_csharp, run_program, write_facade
from scripts.csharp.standard import mono_twin
from scripts.csharp.toolchain import Toolchain, ensure_toolchain
from tests.conftest import REPOSITORY

CORE = REPOSITORY / "unity_bridge" / "unity" / "Runtime" / "Core"
SOURCES = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    return ensure_toolchain()


@pytest.fixture(params=Runtime, ids=lambda runtime: runtime.value)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """.NET 8 and Mono: whatever uses this runs in both."""
    return request.param


@pytest.fixture(scope="session")
def core_assembly(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SurgNav.Core as C# 9 for .NET Standard 2.1, without a warning; beside it what tests and Mono need."""
    folder = tmp_path_factory.mktemp("csharp")
    core = compile_csharp(Build(sources=[CORE], target=folder / "SurgNav.Core.dll", standard=True), tools)
    for beside in (folder, mono_twin(core).parent):
        shutil.copy(tools.assemblies / "nunit.framework.dll", beside)
    write_facade(mono_twin(core).parent, tools)
    return core


def compile_program(name: str, folder: str, core: Path, tools: Toolchain) -> Path:
    """A test program for both runtimes, which uses SurgNav.Core."""
    references = [core, tools.assemblies / "nunit.framework.dll"]
    target = core.with_name(f"{name}.dll")
    build = Build(sources=[SOURCES / folder], target=target, references=references, program=True, standard=True)
    return compile_csharp(build, tools)


@pytest.fixture(scope="session")
def wire_probe(tools: Toolchain, core_assembly: Path) -> Path:
    """The program that shows what the C# decoders make of bytes."""
    return compile_program("WireProbe", "wire_probe", core_assembly, tools)


@pytest.fixture(scope="session")
def transport_probe(tools: Toolchain, core_assembly: Path) -> Path:
    """The program that is one socket of the package's transport."""
    return compile_program("TransportProbe", "transport_probe", core_assembly, tools)


@pytest.fixture
def probe(wire_probe: Path, tools: Toolchain, tmp_path: Path, runtime: Runtime):
    """Runs the probe on inputs and returns what it prints, a line of JSON each."""

    def run(mode: str, inputs: list[bytes]) -> list:
        file = tmp_path / "inputs"
        file.write_bytes(b"".join(struct.pack("<i", len(data)) + data for data in inputs))
        result = run_program(wire_probe, [mode, str(file)], tools, runtime)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run
