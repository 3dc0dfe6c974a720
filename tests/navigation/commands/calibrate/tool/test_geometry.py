"""``surgnav calibrate geometry``: from a table of points to a layout, its .rom and its likeness to other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from calibration.rack import in_force
from calibration.tool_geometry.rom import read_rom, rom_of_spheres
from navigation.cli import app

SPHERES_MM = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0], [0.0, 25.0, 100.0], [12.0, -25.0, 135.0]])


def write_points(path: Path, scale: float = 1.0, noise_mm: float = 0.05) -> Path:
    rng = np.random.default_rng(0)
    rows = ["frame,x_mm,y_mm,z_mm"]
    for frame, rotation in enumerate(Rotation.random(60, rng=rng)):
        points = rotation.apply(SPHERES_MM) + [10.0, 20.0, -1500.0] + noise_mm * rng.normal(size=(4, 3))
        rows += [f"{frame},{x:.4f},{y:.4f},{z:.4f}" for x, y, z in rng.permutation(points) * scale]
    path.write_text("\n".join(rows) + "\n")
    return path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", "geometry", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_a_layout_is_kept_and_written_for_the_tracker(tmp_path: Path):
    points, twin, design = write_points(tmp_path / "points.csv"), tmp_path / "twin.rom", tmp_path / "design.rom"
    twin.write_bytes(rom_of_spheres(np.vstack([SPHERES_MM[:3], [70.0, 30.0, 10.0]]), "twin").content)
    design.write_bytes(rom_of_spheres(SPHERES_MM, "8700340").content)
    wanted = ["--design", design, "--beside", twin, "--rom", tmp_path / "new.rom", "--part", "8700340A"]
    code, said = run(points, "--tool", "probe", *wanted, "--rack", tmp_path / "rack")
    assert code == 0, said
    assert "it can be taken for twin.rom where only these are seen: spheres 1 and 1, 2 and 2, 3 and 3" in said
    written = read_rom(tmp_path / "new.rom")
    assert written.part == "8700340A"
    # 0.05 mm in 60 frames: 0.007 mm; five times that.
    np.testing.assert_allclose(written.markers_array_mm, SPHERES_MM, atol=0.035)
    kept = in_force(tmp_path / "rack", "probe", "tool_geometry")
    np.testing.assert_allclose(kept.matrices["spheres_mm"], written.markers_array_mm, atol=1e-5)
    assert len(kept.inputs) == 3


def test_another_design_is_refused_and_nothing_is_written(tmp_path: Path):
    design = tmp_path / "design.rom"
    design.write_bytes(rom_of_spheres(SPHERES_MM * [-1.0, 1.0, 1.0], "1").content)
    points = write_points(tmp_path / "points.csv")
    wanted = ["--design", design, "--rom", tmp_path / "new.rom", "--rack", tmp_path / "rack"]
    code, said = run(points, "--tool", "probe", *wanted)
    assert code == 2
    assert "mirror image of the design" in said
    assert not (tmp_path / "new.rom").exists()
    assert in_force(tmp_path / "rack", "probe", "tool_geometry") is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("frame,x,y,z\n1,2,3,4\n", "without a column x_mm, y_mm, z_mm"),
        ("frame,x_mm,y_mm,z_mm\n1,2,3\n", "no three numbers in line 2"),
        ("frame,x_mm,y_mm,z_mm\n1,2,nan,3\n", "NaN or infinity in line 2"),
        ("", "without a column frame"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, content: str, why: str):
    path = tmp_path / "points.csv"
    path.write_text(content)
    code, said = run(path, "--tool", "probe")
    assert code == 1
    assert why in said
    assert "in metres" in run(write_points(path, 0.001), "--tool", "probe")[1]
