"""``surgnav calibrate template``: from a drawing and touched landmarks to the tip in force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.rack import in_force
from navigation.cli import app

DRAWING = """
tip_mm = [20.0, 25.0, 90.0]
axis = [0, 0, 1]
[landmarks_mm]
shoulder = [0, 0, 0]
"left notch" = [42, 5, 3]
"right notch" = [10, 55, -4]
collar = [25, 20, 38]
"""
# The drawing, moved by (100, 0, -50) and touched with errors of 0.2 mm.
TOUCHED = """
[landmarks_mm]
shoulder = [100.2, 0, -50]
"left notch" = [142, 5.2, -47]
"right notch" = [110, 55, -54.2]
collar = [125, 20, -12]
"""


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", "template", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def written(folder: Path, drawing: str = DRAWING, touched: str = TOUCHED) -> tuple[Path, Path]:
    paths = folder / "drawing.toml", folder / "touched.toml"
    for path, content in zip(paths, (drawing, touched), strict=True):
        path.write_text(content)
    return paths


def test_tip_and_axis_are_kept_as_the_tools_pivot(tmp_path: Path):
    code, said = run(*written(tmp_path), "--tool", "chisel", "--rack", tmp_path / "rack")
    assert code == 0, said
    assert "4 landmarks, off the drawing by shoulder 0." in said
    tip = in_force(tmp_path / "rack", "chisel", "pivot").transform("chisel", "chisel_tip")
    np.testing.assert_allclose(tip.translation_mm, [120.0, 25.0, 40.0], atol=0.8)
    np.testing.assert_allclose(tip.rotation.apply([0.0, 0.0, 1.0]), [0.0, 0.0, 1.0], atol=0.02)


def test_confused_landmarks_are_refused_and_kept_as_refused(tmp_path: Path):
    confused = TOUCHED.replace("collar", "x").replace("shoulder", "collar").replace("x =", "shoulder =")
    code, said = run(*written(tmp_path, touched=confused), "--tool", "chisel", "--rack", tmp_path / "rack")
    assert code == 2
    assert "they fit with" in said
    assert in_force(tmp_path / "rack", "chisel", "pivot") is None


@pytest.mark.parametrize(
    ("drawing", "why"),
    [
        (DRAWING.replace("axis = [0, 0, 1]", ""), "axis: Field required"),
        (DRAWING.replace("axis = [0, 0, 1]", "axis = [0, 0, 0]"), "no direction"),
        (DRAWING.replace("[42, 5, 3]", "[42, 5]"), "left notch"),
        (DRAWING.replace("[42, 5, 3]", "[42, 5, nan]"), "finite"),
        ("tip", "no TOML"),
    ],
)
def test_drawings_that_are_none_are_refused(tmp_path: Path, drawing: str, why: str):
    code, said = run(*written(tmp_path, drawing), "--tool", "chisel")
    assert code == 1
    assert why in said
