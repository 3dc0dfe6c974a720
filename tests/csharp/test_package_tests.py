"""The Unity package's own NUnit tests, in both runtimes."""

import re
from pathlib import Path

import pytest

from scripts.csharp.build import Build, Runtime, compile_csharp, run_program
from scripts.csharp.standard import mono_twin
from tests.csharp.conftest import CORE, compile_program

TESTS = CORE.parent.parent / "Tests" / "Core"


@pytest.fixture(scope="session")
def package_tests(tools, core_assembly) -> Path:
    """The assembly with the tests; the program that runs them stands beside it."""
    compile_program("NUnitConsole", "nunit_console", core_assembly, tools)
    references = [core_assembly, tools.assemblies / "nunit.framework.dll"]
    target = core_assembly.with_name("SurgNav.Core.Tests.dll")
    return compile_csharp(Build(sources=[TESTS], target=target, references=references, standard=True), tools)


def test_the_packages_tests_pass(package_tests, tools, runtime, capsys):
    console = package_tests.with_name("NUnitConsole.dll")
    assembly = mono_twin(package_tests) if runtime is Runtime.MONO else package_tests
    result = run_program(console, [str(assembly)], tools, runtime)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    passed, failed = map(int, re.findall(r"^(\d+) passed, (\d+) failed$", result.stdout, re.MULTILINE)[0])
    with capsys.disabled():
        print(f"\nSurgNav.Core.Tests in {runtime.value}: {passed} passed, {failed} failed")
    assert (passed >= count_of_tests(), failed) == (True, 0)


def count_of_tests() -> int:
    """How many there are at least, by the attributes in the sources."""
    attributes = re.compile(r"^\s*\[Test(?:Case\(|\])", re.MULTILINE)
    return sum(len(attributes.findall(path.read_text("utf-8"))) for path in TESTS.rglob("*.cs"))


def test_a_test_that_fails_fails(tools, core_assembly, package_tests, runtime, tmp_path):
    source = tmp_path / "Failing.cs"
    source.write_text("using NUnit.Framework; public class Failing { [Test] public void Fails() => Assert.Fail(); }")
    target = core_assembly.with_name("Failing.dll")
    references = [tools.assemblies / "nunit.framework.dll"]
    compile_csharp(Build(sources=[source], target=target, references=references, standard=True), tools)
    console = package_tests.with_name("NUnitConsole.dll")
    result = run_program(console, [str(mono_twin(target) if runtime is Runtime.MONO else target)], tools, runtime)
    assert result.returncode == 1
    assert "0 passed, 1 failed" in result.stdout
