"""Runs ``surgnav calibrate`` as a user does."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from navigation.cli import app


def run(*arguments: object) -> tuple[int, str]:
    """The exit code, and what was printed, in one line."""
    # On a narrow terminal a long path is broken in the middle of a name.
    result = CliRunner().invoke(app, ["calibrate", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def plus(shared_data: Path) -> tuple[Path, Path]:
    """The folder of PLUS's own recordings, and the configuration with its phantom."""
    root = shared_data / "tracking/pluslib"
    phantom = root / "ConfigFiles_Testing/PlusDeviceSet_fCal_Sim_SpatialCalibration_1.2.xml"
    return root / "TestImages", phantom
