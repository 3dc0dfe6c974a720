"""The calibration of one camera as a JSON file: a pinhole with OpenCV's lens distortion, in pixels of its pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.errors import CameraFileError
from geometry.points import Floats

FORMAT = "surgnav_camera"
ACTION = "calibrate the camera again, in the size of picture that it is used with"


class _CameraFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    format: str = Field(pattern=f"^{FORMAT}$")
    width_px: int = Field(ge=16, le=20_000)
    height_px: int = Field(ge=16, le=20_000)
    fx_px: float = Field(gt=0.0)
    fy_px: float = Field(gt=0.0)
    cx_px: float
    cy_px: float
    distortion: tuple[float, float, float, float, float]
    reprojection_rms_px: float = Field(ge=0.0)
    calibrated: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class CameraCalibration:
    """A pinhole camera with the lens distortion k1, k2, p1, p2, k3 of Brown (Photogrammetric Engineering 37(8), 1971).

    A point ``(x, y, z)`` of the frame ``camera``, in mm, is seen at ``(fx x' + cx, fy y' + cy)``, where ``x', y'`` are
    ``x / z, y / z`` after the distortion; the middle of the first pixel is (0, 0), as in OpenCV.

    Attributes:
        width_px, height_px: the size of the pictures that it holds for.
        fx_px, fy_px: focal lengths.
        cx_px, cy_px: principal point.
        distortion: k1, k2, p1, p2, k3.
        reprojection_rms_px: what was left when it was calibrated.
        calibrated: when, ISO 8601 with a time zone.
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, float, float, float, float]
    reprojection_rms_px: float
    calibrated: str

    @property
    def matrix(self) -> Floats:
        """The camera matrix ``(3, 3)``."""
        return np.array([[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]])


def write_camera(path: Path, camera: CameraCalibration) -> None:
    """Writes a calibration, for `read_camera`."""
    path.write_text(json.dumps({"format": FORMAT, **asdict(camera)}, indent=2) + "\n", encoding="utf-8")


def read_camera(path: Path) -> CameraCalibration:
    """Reads the calibration of a camera.

    Raises:
        CameraFileError: no such file, no calibration, or one that no camera has: a principal point outside its
            pictures, a focal length that is no multiple of pixels, or pixels that are not nearly square.
    """
    try:
        read = _CameraFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CameraFileError(
            f"the calibration {path}: {(error.strerror or str(error)).lower()}",
            "a file that can be read",
            "correct the path, or calibrate the camera",
        ) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        allowed = f"JSON with format = {FORMAT!r} and {', '.join(_CameraFile.model_fields)}"
        raise CameraFileError(f"the calibration {path.name} with {faults}", allowed, ACTION) from error
    camera = CameraCalibration(**{name: getattr(read, name) for name in CameraCalibration.__dataclass_fields__})
    _check(camera, path.name)
    return camera


def _check(camera: CameraCalibration, name: str) -> None:
    """A focal length in mm, or pictures of another size than the calibration's, show in these proportions."""
    in_view = 0.0 < camera.cx_px < camera.width_px and 0.0 < camera.cy_px < camera.height_px
    widths = camera.fx_px / camera.width_px
    if not (in_view and 0.2 <= widths <= 20.0 and 0.8 <= camera.fx_px / camera.fy_px <= 1.25):
        raise CameraFileError(
            f"the calibration {name} with focal lengths {camera.fx_px:g} and {camera.fy_px:g} px and a principal point "
            f"({camera.cx_px:g}, {camera.cy_px:g}) px for pictures of {camera.width_px} x {camera.height_px} px",
            "focal lengths in pixels that are nearly the same, and a principal point in the picture",
            ACTION,
        )
