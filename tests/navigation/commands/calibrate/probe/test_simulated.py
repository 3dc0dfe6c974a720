"""``surgnav calibrate probe-time`` and ``probe`` by all four targets in the simulated room, against its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.rack import in_force
from navigation.simulation.probe_sweep import SIZE_PX, TRUE_COLUMNS_MM
from tests.navigation.commands.calibrate.harness import run

LAG_MS = -60.0
ROOM = """
rack = "rack"
[devices.camera_1]
driver = "simulated"
seed = 1
ultrasound = "{target}"
image_lag_ms = -60
{more}
[tools.reference]
device = "camera_1"
role = "reference"
[tools.stylus]
device = "camera_1"
role = "stylus"
[tools.probe]
device = "camera_1"
role = "probe"
"""
PHANTOM = """
<PlusConfiguration>
  <Transform From="Phantom" To="Reference" Matrix="-1 0 0 195  0 0 1 -95  0 1 0 0  0 0 0 1"/>
  <Pattern Type="NWire">{}</Pattern><Pattern Type="NWire">{}</Pattern><Pattern Type="NWire">{}</Pattern>
</PlusConfiguration>
"""
# Where each wire begins and ends along x, in mm; as PLUS's fCal phantom 1.2 has them.
ENDS_X = (((20, 20), (40, 25), (45, 45)), ((20, 20), (25, 45), (50, 50)), ((20, 20), (45, 25), (50, 50)))
SIDES = ("--marked", 1, 0, 0, "--far", 0, -1, 0)


def room(tmp_path: Path, target: str, more: str = "") -> Path:
    path = tmp_path / f"{target}.toml"
    path.write_text(ROOM.format(target=target, more=more))
    return path


def phantom(path: Path) -> Path:
    wire = '<Wire Name="{}" EndPointFront="{} 0 {z}" EndPointBack="{} 40 {z}"/>'
    patterns = [
        "".join(wire.format(3 * k + j, *fronts_and_backs, z=10 - 5 * k) for j, fronts_and_backs in enumerate(ends))
        for k, ends in enumerate(ENDS_X)
    ]
    path.write_text(PHANTOM.format(*patterns))
    return path


def corner_errors_mm(rack: Path) -> np.ndarray:
    """How far the calibration in force puts the corners of the image from where they are."""
    width, height = SIZE_PX
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float)
    found = np.array(in_force(rack, "probe", "probe_spatial").matrices["image_px_to_probe_mm"])[:3, [0, 1, 3]]
    return np.linalg.norm(corners @ (found - TRUE_COLUMNS_MM).T, axis=1)


@pytest.mark.parametrize(("target", "method", "bound_mm"), [("wall", "wall", 0.8), ("cross", "cross", 0.4)])
def test_the_lag_is_measured_and_then_used_by_a_simple_target(
    tmp_path: Path, target: str, method: str, bound_mm: float
):
    code, said = run("probe-time", "--room", room(tmp_path, "tank"))
    assert code == 0, said
    assert in_force(tmp_path / "rack", "probe", "probe_temporal").numbers["lag_ms"] == pytest.approx(LAG_MS, abs=1.0)
    code, said = run("probe", "--method", method, "--room", room(tmp_path, method), *SIDES)
    assert code == 0, said
    assert "100% covered; the image's worst corner is known to" in said
    assert "a lag of -60 ms was stated and used" in said
    assert corner_errors_mm(tmp_path / "rack").max() < bound_mm


def test_the_tip_of_a_stylus_that_the_commands_calibrated(tmp_path: Path):
    asked = ("probe", "--method", "stylus", "--room", room(tmp_path, "stylus"), *SIDES, "--lag-ms", LAG_MS)
    code, said = run(*asked)
    assert (code, "no tip of stylus" in said) == (1, True)
    assert run("pivot", "--room", tmp_path / "stylus.toml")[0] == 0
    code, said = run(*asked)
    assert code == 0, said
    assert corner_errors_mm(tmp_path / "rack").max() < 0.4


def test_wires_tell_the_lag_themselves_and_say_where_another_was_stated(tmp_path: Path):
    drawn = phantom(tmp_path / "phantom.xml")
    path = room(tmp_path, "wires", 'phantom = "phantom.xml"')
    asked = ("probe", "--room", path, "--phantom", drawn, "--spacing-mm", 0.113, 0.1125, *SIDES)
    code, said = run(*asked, "--phantom-error-mm", 0.3)
    assert code == 0, said
    result = in_force(tmp_path / "rack", "probe", "probe_spatial")
    # With true poses to 0.001 ms; the tracker's distortion over its volume passes for a part of the motion.
    assert result.numbers["lag_ms"] == pytest.approx(LAG_MS, abs=20.0)
    assert corner_errors_mm(tmp_path / "rack").max() < 0.4
    # The phantom's own place is no error of a residual: it enters what is expected, and tilts take some of it out.
    assert 0.2 < result.expected_error.value < 0.3
    code, said = run(*asked, "--lag-ms", 100, "--seconds", 6)
    assert code in (0, 2), said
    assert "a lag of 100 ms was stated and used, but the wires fit poses at -" in said


def test_wires_without_a_phantom_are_a_mistake_of_the_room(tmp_path: Path):
    code, said = run("probe", "--method", "wall", "--room", room(tmp_path, "wires"))
    assert (code, "'wires' without a phantom" in said) == (1, True)
