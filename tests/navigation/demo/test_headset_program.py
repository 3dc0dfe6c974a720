"""Which program is the demo's headset, and what is said where it cannot be."""

import sys

import pytest
from typer.testing import CliRunner

from navigation.cli import app
from navigation.demo.headset_program import Headset, headset_command
from navigation.errors import ServiceError


def test_the_reference_client_is_always_there():
    assert headset_command(Headset.PYTHON) == [sys.executable, "-m", "unity_bridge.client"]


def test_without_a_checkout_the_csharp_client_is_refused(tmp_path):
    with pytest.raises(ServiceError, match=r"checkout of the repository.*--client python"):
        headset_command(Headset.CSHARP, tmp_path)


def test_what_the_builder_says_is_passed_on(tmp_path):
    """A builder of this test's that fails, in the place of the real one."""
    folder = tmp_path / "scripts" / "csharp"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):  # or a PYTHONPATH that names a checkout would bring the real one
        (package / "__init__.py").touch()
    (folder / "headset.py").write_text("raise SystemExit('no package registry within reach')\n")
    with pytest.raises(ServiceError, match="no package registry within reach"):
        headset_command(Headset.CSHARP_MONO, tmp_path)


def test_another_client_is_a_usage_error():
    result = CliRunner().invoke(app, ["demo", "--client", "fortran"])
    assert result.exit_code == 2
    assert "csharp-mono" in result.output
