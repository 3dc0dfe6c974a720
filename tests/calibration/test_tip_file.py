"""A tip that was written is read again as it was; what is no tip, or in another unit, is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.errors import TipFileError
from calibration.pivot.pivot import calibrate_pivot
from calibration.tip_file import read_tip, write_tip
from geometry import Transform

TIP = {
    "format": "surgnav_tip",
    "tool": "stylus",
    "tip_mm": [3.0, -5.0, -160.0],
    "expected_error_rms_mm": 0.2,
    "calibrated": "2026-01-01T10:00:00+01:00",
}
WHEN = "2026-02-03T04:05:06+00:00"


def poses() -> list[Transform]:
    """A stylus rocked about its tip, without noise."""
    rotations = Rotation.from_euler("xyz", np.random.default_rng(1).uniform(-30, 30, (60, 3)), degrees=True)
    positions = np.array([120.0, -80.0, 1500.0]) - rotations.apply(TIP["tip_mm"])
    return [
        Transform.from_rotation(rotation, position, "tracker", "stylus")
        for rotation, position in zip(rotations, positions, strict=True)
    ]


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, found = tmp_path / "stylus_tip.json", calibrate_pivot(poses())
    write_tip(path, found, WHEN)
    read = read_tip(path)
    np.testing.assert_allclose(read.T_tool_tip.matrix, found.T_stylus_stylus_tip.matrix, atol=1e-4)
    assert (read.T_tool_tip.to_frame, read.T_tool_tip.from_frame) == ("stylus", "stylus_tip")
    assert (read.tool, read.calibrated) == ("stylus", WHEN)
    assert read.expected_error_rms_mm == pytest.approx(found.expected_tip_error_rms_mm, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tip_mm": [0.003, -0.005, -0.16]}, "a tip 0.1601 mm from its marker"),  # in metres
        ({"tip_mm": [3000.0, -5000.0, -160_000.0]}, "1.601e+05 mm"),  # in micrometres
        ({"tip_mm": [3.0, -5.0]}, "tip_mm"),
        ({"tip_mm": [3.0, -5.0, "160"]}, "tip_mm"),
        ({"tip_mm": [3.0, -5.0, float("nan")]}, "tip_mm"),
        ({"format": "surgnav_plane"}, "format"),
        ({"expected_error_rms_mm": -0.1}, "expected_error_rms_mm"),
        ({"calibrated": ""}, "calibrated"),
        ({"tip_inch": [1, 2, 3]}, "tip_inch: Extra inputs"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_tip_in_millimetres_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "tip.json"
    path.write_text(json.dumps(TIP | change))
    with pytest.raises(TipFileError) as caught:
        read_tip(path)
    assert "tip.json" in caught.value.came
    assert said in caught.value.came


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TipFileError, match="no such file"):
        read_tip(tmp_path / "no.json")
    (tmp_path / "tip.json").write_text("0, 12, 140")
    with pytest.raises(TipFileError, match="with Invalid JSON"):
        read_tip(tmp_path / "tip.json")
