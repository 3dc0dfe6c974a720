"""``surgnav calibrate`` in the simulated room: spin, template and geometry, against its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.rack import in_force
from calibration.tool_geometry.rom import read_rom
from navigation.simulation.operating_room import DRIVER_LANDMARKS_MM, DRIVER_TIP_MM, SPHERES_MM
from tests.navigation.commands.calibrate.harness import run

ROOM = """
name = "rehearsal"
rack = "rack"
[devices.camera_1]
driver = "simulated"
seed = 1
hand = "{hand}"
unknown = ["probe"]
[tools.reference]
device = "camera_1"
role = "reference"
[tools.stylus]
device = "camera_1"
role = "stylus"
calibration = "pointer_7"
[tools.driver]
device = "camera_1"
role = "instrument"
calibration = "screwdriver"
"""


def room(tmp_path: Path, hand: str) -> Path:
    path = tmp_path / f"{hand}.toml"
    path.write_text(ROOM.format(hand=hand))
    return path


def drawing(path: Path) -> tuple[Path, Rotation, np.ndarray]:
    """The screwdriver as drawn in a frame of its own, and that frame in the marker's."""
    turned, shift = Rotation.from_rotvec([0.4, -1.1, 0.7]), np.array([30.0, -5.0, 12.0])

    def drawn(point: np.ndarray) -> str:
        return str(turned.apply(point - shift).tolist())

    landmarks = [f"{name} = {drawn(point)}" for name, point in DRIVER_LANDMARKS_MM.items()]
    axis = turned.apply([0.0, -1.0, 0.0]).tolist()
    path.write_text("\n".join([f"tip_mm = {drawn(DRIVER_TIP_MM)}", f"axis = {axis}", "[landmarks_mm]", *landmarks]))
    return path, turned, shift


def test_a_shaft_is_spun_after_its_tip_was_pivoted(tmp_path: Path):
    code, said = run("spin", "--room", room(tmp_path, "spin"))
    assert (code, "an accepted pivot of pointer_7" in said) == (1, True)
    assert run("pivot", "--room", room(tmp_path, "pivot"))[0] == 0
    code, said = run("spin", "--room", tmp_path / "spin.toml")
    assert code == 0, said
    assert "100% covered; the axis is known to" in said
    # The simulated stylus' marker has its y along the shaft, from the tip on.
    axis = (
        in_force(tmp_path / "rack", "pointer_7", "spin").transform("pointer_7", "pointer_7_tip").rotation_matrix[:, 2]
    )
    assert abs(axis @ [0.0, 1.0, 0.0]) > np.cos(np.deg2rad(0.2))


def test_a_screwdriver_gets_its_tip_from_landmarks_that_the_stylus_touches(tmp_path: Path):
    drawn, _, _ = drawing(tmp_path / "driver.toml")
    asked = ("template", drawn, "--tool", "driver", "--room", room(tmp_path, "landmarks"))
    code, said = run(*asked)
    assert (code, "no accepted pivot of pointer_7" in said) == (1, True)
    assert run("pivot", "--room", room(tmp_path, "pivot"))[0] == 0
    code, said = run(*asked)
    assert code == 0, said
    assert "4 of 4 landmarks; the tip is known to" in said
    result = in_force(tmp_path / "rack", "screwdriver", "pivot")
    tip_mm = result.transform("screwdriver", "screwdriver_tip").translation_mm
    assert np.linalg.norm(tip_mm - DRIVER_TIP_MM) < 2.0 * result.expected_error.value


def test_landmarks_that_are_missing_are_said_and_what_was_touched_is_kept_as_refused(tmp_path: Path):
    drawn, _, _ = drawing(tmp_path / "driver.toml")
    assert run("pivot", "--room", room(tmp_path, "pivot"))[0] == 0
    asked = ("template", drawn, "--tool", "driver", "--room", room(tmp_path, "landmarks"))
    code, said = run(*asked, "--seconds", 4.5)
    assert code == 2, said
    assert "2 touched landmarks of the drawing" in said
    assert "kept as" in said


def test_spheres_of_a_tool_that_the_tracker_does_not_know(tmp_path: Path):
    rom = tmp_path / "probe.rom"
    code, said = run("geometry", "--tool", "probe", "--room", room(tmp_path, "pivot"), "--rom", rom)
    assert code == 0, said
    assert "4 spheres, known to" in said
    found = read_rom(rom).markers_array_mm
    apart = np.sort(np.linalg.norm(found[:, None] - found, axis=2).ravel())
    true = SPHERES_MM["probe"]
    # The tracker's distortion over its volume, 0.25 mm RMS at a sphere, is no error of a residual.
    assert np.abs(apart - np.sort(np.linalg.norm(true[:, None] - true, axis=2).ravel())).max() < 0.3


def test_a_tracker_without_single_markers_is_told(tmp_path: Path):
    path = room(tmp_path, "pivot")
    path.write_text(path.read_text().replace('unknown = ["probe"]\n', ""))
    code, said = run("geometry", "--tool", "probe", "--room", path)
    assert (code, "and no single markers" in said) == (1, True)
    path.write_text(ROOM.format(hand="pivot").replace('["probe"]', '["driver"]'))
    code, said = run("geometry", "--tool", "driver", "--room", path)
    assert (code, "got unknown = 'driver' and [tools.driver]" in said) == (1, True)
