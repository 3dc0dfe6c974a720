"""The list of deliberate faults fits the code, and the tool that tries them tells noticed from survived."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.faults.fault_list import Fault, FaultListError, picked, read_faults
from tests.conftest import REPOSITORY

FAULTS = read_faults()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_fits_the_code(fault: Fault):
    broken = fault.put_into((REPOSITORY / fault.file).read_text("utf-8"))
    if fault.file.endswith(".py"):
        ast.parse(broken)
    missing = [path for path in fault.tests if not (REPOSITORY / path).exists()]
    assert not missing


def test_the_list_is_long_and_reaches_every_package():
    assert len(FAULTS) >= 50
    packages = {fault.file.partition("/")[0] for fault in FAULTS}
    assert packages == {
        "geometry",
        "case",
        "calibration",
        "reconstruction",
        "registration",
        "unity_bridge",
        "navigation",
    }


@pytest.mark.parametrize("change", ['tests = []\nnew = "b"', 'new = "a"', 'new = "b"\nlines = 3', ""])
def test_an_entry_that_is_not_whole_is_refused(tmp_path: Path, change: str):
    path = tmp_path / "faults.toml"
    tests = "" if "tests" in change else 'tests = ["t.py"]'
    path.write_text(f'[[fault]]\nname = "n"\nfile = "f.py"\nold = "a"\n{tests}\n{change}\n')
    with pytest.raises(FaultListError, match="'n'"):
        read_faults(path)


def test_a_word_that_picks_nothing_is_refused():
    assert {fault.file for fault in picked(FAULTS, ["calibration/pivot/pivot.py"])} == {"calibration/pivot/pivot.py"}
    assert picked(FAULTS, []) == FAULTS
    with pytest.raises(FaultListError, match="'nonsense'"):
        picked(FAULTS, ["pivot", "nonsense"])


SUMS = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n"
TESTS = """
import pytest
from sums import double, half


def test_double():
    assert double(3) == 6


def test_fails_anyway():
    assert half(3) == 2


@pytest.mark.skip(reason="no data")
def test_without_data():
    assert half(3) == 1.5
"""
SMALL_LIST = """
[[fault]]
name = "seen"
file = "sums.py"
old = "2 * x"
new = "3 * x"
tests = ["test_sums.py"]
select = "double"

[[fault]]
name = "unseen"
file = "sums.py"
old = "x / 2"
new = "x / 3"
tests = ["test_sums.py"]
select = "double"

[[fault]]
name = "fails without it as well"
file = "sums.py"
old = "x / 2"
new = "x / 3"
tests = ["test_sums.py"]
select = "anyway"

[[fault]]
name = "nobody looked"
file = "sums.py"
old = "x / 2"
new = "x / 3"
tests = ["test_sums.py"]
select = "without_data"

[[fault]]
name = "moved on"
file = "sums.py"
old = "x / 4"
new = "x / 3"
tests = ["test_sums.py"]
"""


def test_the_tool_tells_noticed_from_survived_and_from_what_nobody_can_tell(tmp_path: Path):
    for name, text in (("sums.py", SUMS), ("test_sums.py", TESTS), ("list.toml", SMALL_LIST)):
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "scripts.faults", "--repository", str(tmp_path)]
    command += ["--faults", str(tmp_path / "list.toml"), "--workers", "2"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "1 of 5 faults noticed\n  SURVIVED: unseen\n" in result.stdout
    judged = {line.partition(" s, ")[2]: line for line in result.stdout.splitlines() if line.startswith("[")}
    assert any("noticed" in line and name == "seen: test_sums.py::test_double" for name, line in judged.items())
    for name, why in (
        ("fails without it as well", "without the fault as well: FAILED test_sums.py::test_fails_anyway"),
        ("nobody looked", "its tests were all skipped"),
        ("moved on", "0 times in sums.py"),
    ):
        assert any("NOT JUDGED" in line and told.startswith(name) and why in told for told, line in judged.items())
    assert (tmp_path / "sums.py").read_text() == SUMS
