"""``surgnav calibrate probe`` by N-wires, and ``probe-time``: PLUS's own recordings, and what is refused in words."""

from __future__ import annotations

import pytest

from calibration.rack import in_force
from calibration.ultrasound_probe.errors import ProbeInputError
from navigation.devices.ultrasound.plus.phantom import read_plus_phantom
from navigation.errors import DeviceError
from tests.navigation.commands.calibrate.harness import plus, run


def test_plus_own_sweep_is_calibrated_from_its_images(shared_data, tmp_path):
    images, phantom = plus(shared_data)
    # The shorter of PLUS's two sweeps: 94 images, of which its own segmentation finds all wires.
    code, said = run("probe", images / "fCal_Test_Validation_3NWires.igs.mha", "--phantom", phantom, "--rack", tmp_path)
    assert code == 0, said
    assert "wires were found in 94 of 94 images" in said
    result = in_force(tmp_path, "probe", "probe_spatial")
    # PLUS: 0.0782 and 0.0736 mm, from poses that were late by tenths of a second.
    assert result.numbers["spacing_x_mm"] == pytest.approx(0.078, abs=0.002)
    assert result.numbers["spacing_y_mm"] == pytest.approx(0.074, abs=0.002)
    assert result.residual_rms < 0.5
    assert result.transform("probe", "image").translation_mm[0] == pytest.approx(11.2, abs=1.0)


def test_plus_own_water_tank_gives_its_lag(shared_data, tmp_path):
    images, _ = plus(shared_data)
    code, said = run("probe-time", images / "WaterTankBottomTranslationCombined.igs.mha", "--rack", tmp_path)
    assert code == 0, said
    assert in_force(tmp_path, "probe", "probe_temporal").numbers["lag_ms"] == pytest.approx(-64.8266, abs=1.0)
    assert "an earlier moment" in said


def test_what_is_missing_is_said(shared_data, tmp_path):
    images, phantom = plus(shared_data)
    sweep = images / "fCal_Test_Validation_3NWires.igs.mha"
    code, said = run("probe", sweep, "--phantom", phantom, "--relative-to", "table")
    assert code == 1
    assert "T_table_phantom" in said
    code, said = run("probe", sweep, "--phantom", phantom, "--tool", "needle")
    assert code == 1
    assert "without a pose of 'needle'" in said
    code, said = run("probe-time", tmp_path / "none.igs.mha")
    assert code == 1
    assert "not there" in said


def test_a_configuration_that_is_none_is_refused(tmp_path):
    path = tmp_path / "a.xml"
    with pytest.raises(DeviceError, match="no such file"):
        read_plus_phantom(path)
    for text, why in (
        ("<PlusConfiguration>", "no XML"),
        ("<PlusConfiguration/>", "without an N-wire"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a/>', "document type"),
        ('<a><Pattern Type="NWire"><Wire Name="1" EndPointFront="a 0 0"/></Pattern></a>', "3 numbers"),
    ):
        path.write_text(text)
        with pytest.raises(DeviceError, match=why):
            read_plus_phantom(path)
    wire = '<Wire Name="{}" EndPointFront="{} 0 0" EndPointBack="{} 40 0"/>'
    wires = "".join(wire.format(k, x, x) for k, x in enumerate((0, 10, 20)))
    path.write_text(f'<a><Pattern Type="NWire">{wires}</Pattern></a>')
    with pytest.raises(ProbeInputError, match="no N"):
        read_plus_phantom(path)
