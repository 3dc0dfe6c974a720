"""The file of a camera's calibration: what is written is read, and what no camera has is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from calibration.camera.camera_file import FORMAT, CameraCalibration, read_camera, write_camera
from calibration.errors import CameraFileError

CAMERA = CameraCalibration(
    width_px=640,
    height_px=480,
    fx_px=608.67,
    fy_px=606.13,
    cx_px=323.12,
    cy_px=231.29,
    distortion=(-0.0219, -0.143, -0.004, -0.0004, 0.1966),
    reprojection_rms_px=0.3,
    calibrated="2026-11-26T12:00:00+00:00",
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_camera(tmp_path / "camera.json", CAMERA)
    assert read_camera(tmp_path / "camera.json") == CAMERA


@pytest.mark.parametrize(
    "wrong",
    [
        {"fx_px": 4.2, "fy_px": 4.2},  # in mm
        {"cx_px": 960.0},  # of larger pictures
        {"fy_px": 300.0},  # of pictures that were squeezed
    ],
    ids=["focal length in mm", "principal point outside", "pixels that are not square"],
)
def test_what_no_camera_has_is_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    write_camera(tmp_path / "camera.json", replace(CAMERA, **wrong))
    with pytest.raises(CameraFileError, match="focal lengths"):
        read_camera(tmp_path / "camera.json")


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    with pytest.raises(CameraFileError, match="no such file"):
        read_camera(path)
    path.write_text(json.dumps({**asdict(CAMERA), "format": FORMAT, "focal": 1.0}))
    with pytest.raises(CameraFileError, match="focal: Extra inputs"):
        read_camera(path)
