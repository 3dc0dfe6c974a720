"""``import surgnav``: every verb is there, and nothing heavy comes before one is used."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import surgnav
from geometry import Transform
from tests.house import HEAVY, PACKAGES

EXPORTING = [package for package in PACKAGES if package != "navigation"]


@pytest.mark.parametrize("package", EXPORTING)
def test_importing_a_package_imports_nothing_heavy(package: str, repository: Path):
    ask = f"import sys, {package}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", ask], cwd=repository, capture_output=True, text=True, check=True)
    assert not (HEAVY | {"numpy", "scipy", "zmq", "rich", "pydantic"}) & set(answer.stdout.split())


@pytest.mark.parametrize("package", EXPORTING)
def test_every_exported_name_is_what_its_module_calls_so(package: str):
    """A stub whose module moved is noticed by mypy, and here."""
    module = import_module(package)
    assert module.__all__ == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name).__name__ == name
        assert name in dir(module)


def test_a_verb_is_the_workshops_own():
    assert surgnav.Transform is Transform
    assert surgnav.calibrate_pivot is import_module("calibration").calibrate_pivot


def test_a_name_that_is_none_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="module 'surgnav' has no attribute 'segmnt'"):
        _ = surgnav.segmnt
    with pytest.raises(ImportError, match="cannot import name 'segmnt'"):
        exec("from surgnav import segmnt")


def test_every_workshop_has_its_verbs_in_surgnav():
    """What a workshop exports, a script finds in `surgnav`: one place to look."""
    workshops = [package for package in EXPORTING if package not in ("geometry", "surgnav")]
    absent = {name for package in workshops for name in import_module(package).__all__} - set(surgnav.__all__)
    assert absent == set()
