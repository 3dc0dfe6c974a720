"""What a missing extra says, and that the table of extras agrees with pyproject.toml."""

import importlib
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from geometry.errors import SurgNavError
from geometry.extras import EXTRAS, MissingExtraError, from_extra, install_command


def test_a_missing_package_names_its_extra():
    with pytest.raises(MissingExtraError) as caught, from_extra("pictures"):
        raise ModuleNotFoundError("No module named 'vtkmodules.util'", name="vtkmodules.util")
    assert str(caught.value) == (
        "Got no package vtkmodules of surgnav[pictures]; expected the extra pictures. "
        "Fix: pip install 'surgnav[pictures]'."
    )
    assert isinstance(caught.value, SurgNavError)
    assert isinstance(caught.value, ImportError)


def test_what_is_missing_for_another_reason_stays_what_it_is():
    """A dependency of the package, or a part of the package that another version has: installing again is no cure."""
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), from_extra("pictures"):
        importlib.import_module("no_such_package")
    with pytest.raises(ImportError, match="no_such_part") as caught, from_extra("pictures"):
        from matplotlib import no_such_part  # noqa: F401
    assert not isinstance(caught.value, MissingExtraError)


def test_several_extras_are_installed_by_one_command():
    assert install_command("registration", "pictures") == "pip install 'surgnav[registration,pictures]'"


def test_the_extras_bring_what_the_table_says(repository: Path):
    declared = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(declared) == {*EXTRAS, "all", "dev", "tensorrt", "tensorrt-rtx"}
    assert declared["all"] == [f"surgnav[{','.join(EXTRAS)}]"]
    distributions = metadata.packages_distributions()
    for extra, packages in EXTRAS.items():
        brought = {canonicalize_name(Requirement(line).name) for line in declared[extra]}
        assert {canonicalize_name(distributions[package][0]) for package in packages} == brought, extra
