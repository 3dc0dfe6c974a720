"""What stands in a room file about cameras and the markers that they look for."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from pydantic import Field, model_validator
from scipy.spatial.transform import Rotation

from calibration.camera.camera_file import read_camera
from calibration.errors import CameraFileError
from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.driver import Device, RoomFile, Settings, StampClock

Three = tuple[float, float, float]
Four = tuple[float, float, float, float]
_UNIT_LENGTH = 1e-3


class Dictionary(StrEnum):
    """The printed patterns: OpenCV's dictionaries, by the cells along a side and how many patterns there are."""

    ARUCO_4X4_50 = "4x4_50"
    ARUCO_4X4_100 = "4x4_100"
    ARUCO_4X4_250 = "4x4_250"
    ARUCO_4X4_1000 = "4x4_1000"
    ARUCO_5X5_50 = "5x5_50"
    ARUCO_5X5_100 = "5x5_100"
    ARUCO_5X5_250 = "5x5_250"
    ARUCO_5X5_1000 = "5x5_1000"
    ARUCO_6X6_50 = "6x6_50"
    ARUCO_6X6_100 = "6x6_100"
    ARUCO_6X6_250 = "6x6_250"
    ARUCO_6X6_1000 = "6x6_1000"
    ARUCO_7X7_50 = "7x7_50"
    ARUCO_7X7_100 = "7x7_100"
    ARUCO_7X7_250 = "7x7_250"
    ARUCO_7X7_1000 = "7x7_1000"
    ARUCO_ORIGINAL = "aruco_original"
    ARUCO_MIP_36H12 = "aruco_mip_36h12"
    APRILTAG_16H5 = "apriltag_16h5"
    APRILTAG_25H9 = "apriltag_25h9"
    APRILTAG_36H10 = "apriltag_36h10"
    APRILTAG_36H11 = "apriltag_36h11"


class Pose(Settings):
    """A pose in a room file: a quaternion ``(x, y, z, w)`` of length 1, and a translation."""

    quaternion_xyzw: Four = (0.0, 0.0, 0.0, 1.0)
    translation_mm: Three = (0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _check(self) -> Pose:
        length = float(np.linalg.norm(self.quaternion_xyzw))
        if abs(length - 1.0) > _UNIT_LENGTH:
            raise ValueError(f"a quaternion_xyzw of length 1, not {length:.4g}")
        return self

    def transform(self, to_frame: str, from_frame: str) -> Transform:
        return Transform.from_rotation(
            Rotation.from_quat(self.quaternion_xyzw), self.translation_mm, to_frame, from_frame
        )


class CameraSettings(Settings):
    """One camera of a device: where its pictures come from, and its calibration.

    Attributes:
        webcam: number of the camera at this machine, from 0 on.
        file: a video file, played as if it were a camera.
        stream: address of a stream, such as rtsp://...
        calibration: JSON file (`calibration.camera.camera_file`).
        pose: where it stands in the frame ``tracker``; that of the first camera is the frame itself.
    """

    webcam: int | None = Field(None, ge=0, le=63)
    file: RoomFile | None = None
    stream: str | None = Field(None, pattern=r"^[a-z][a-z0-9+.-]*://\S+$")
    calibration: RoomFile
    pose: Pose | None = None

    @model_validator(mode="after")
    def _check(self) -> CameraSettings:
        named = [key for key in ("webcam", "file", "stream") if getattr(self, key) is not None]
        if len(named) != 1:
            raise ValueError(f"one of webcam, file and stream, not {' and '.join(named) or 'none'}")
        return self

    @property
    def name(self) -> str:
        """The source in words."""
        if self.webcam is not None:
            return f"webcam {self.webcam}"
        return str(self.file.name if self.file is not None else self.stream)

    @property
    def T_tracker_camera(self) -> Transform:
        return (self.pose or Pose()).transform(TRACKER, "camera")


class MarkerCameraSettings(Settings):
    """Of a device with ``driver = "optical_markers"``.

    Attributes:
        cameras: one, or several that were calibrated to each other.
        dictionary: of all markers that it looks for.
        rate_hz: of the cameras.
        together_ms: pictures of several cameras that were taken within this time count as taken together. A tool that
            moves by 100 mm/s moves by 0.1 mm in 1 ms.
    """

    cameras: list[CameraSettings] = Field(min_length=1, max_length=8)
    dictionary: Dictionary
    rate_hz: float = Field(30.0, gt=0.0, le=1000.0)
    together_ms: float = Field(2.0, ge=0.0, le=100.0)

    @model_validator(mode="after")
    def _check(self) -> MarkerCameraSettings:
        if self.cameras[0].pose is not None:
            raise ValueError("no pose of the first camera: its frame is the tracker's")
        if any(camera.pose is None for camera in self.cameras[1:]):
            raise ValueError("a pose for every camera but the first")
        return self


class MarkerSettings(Settings):
    """One marker on a tool.

    Attributes:
        id: its number in the dictionary.
        size_mm: side of the dark square.
        centre_mm: of the square, in the frame of the tool.
        quaternion_xyzw: how it is turned there; a marker has x to its right, y up and z out of the print.
    """

    id: int = Field(ge=0)
    size_mm: float = Field(gt=1.0, le=1000.0)
    centre_mm: Three = (0.0, 0.0, 0.0)
    quaternion_xyzw: Four = (0.0, 0.0, 0.0, 1.0)

    @property
    def corners_tool_mm(self) -> np.ndarray:
        """From the printed top-left corner clockwise, ``(4, 3)``."""
        pose = Pose(quaternion_xyzw=self.quaternion_xyzw, translation_mm=self.centre_mm)
        flat = np.array([[-1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, -1.0, 0.0]])
        return pose.transform("tool", "marker").apply(flat * self.size_mm / 2.0)


class BoardSettings(Settings):
    """A ChArUco board: a chessboard with a marker in each light square, the first square (top left) dark.

    Its frame: the origin in the middle, x to the right, y up, z out of the print.

    Attributes:
        columns, rows: squares.
        square_mm: side of a square.
        marker_mm: side of a marker; one cell less than the square on each side unless stated.
        first_id: number of the first marker; the others follow.
    """

    columns: int = Field(ge=3, le=50)
    rows: int = Field(ge=3, le=50)
    square_mm: float = Field(gt=1.0, le=1000.0)
    marker_mm: float | None = Field(None, gt=1.0)
    first_id: int = Field(0, ge=0)

    @property
    def ids(self) -> range:
        return range(self.first_id, self.first_id + self.columns * self.rows // 2)


class MarkerToolSettings(Settings):
    """A tool that carries markers, or is a board.

    Attributes:
        markers: those on the tool, with their places.
        board: a ChArUco board in place of them.
    """

    markers: list[MarkerSettings] = Field(default_factory=list, max_length=200)
    board: BoardSettings | None = None

    @model_validator(mode="after")
    def _check(self) -> MarkerToolSettings:
        if bool(self.markers) == (self.board is not None):
            raise ValueError("markers or a board, and not both")
        return self

    @property
    def ids(self) -> list[int]:
        return [each.id for each in self.markers] if self.board is None else list(self.board.ids)


def check(device: Device) -> list[str]:
    """What is wrong with settings and tools together."""
    settings, faults = device.settings, []
    owners: dict[int, str] = {}
    for tool in device.tools:
        for number in getattr(tool.settings, "ids", ()):
            if number in owners:
                came = f"the marker {number} of {owners[number]} again"
                faults.append(f"[tools.{tool.name}] got {came}; expected each marker once. Fix: print another one.")
            owners[number] = tool.name
    if isinstance(settings, MarkerCameraSettings):
        if len(settings.cameras) > 1 and device.stamps.clock is StampClock.SENSOR:
            faults.append(
                f"[devices.{device.name}] got clock = 'sensor' with {len(settings.cameras)} cameras; expected "
                "one camera, since each has a clock of its own. Fix: say clock = 'arrival', with the "
                "latency_ms that was measured."
            )
        for camera in settings.cameras:
            try:
                read_camera(camera.calibration)
            except CameraFileError as error:
                faults.append(f"[devices.{device.name}] {error}")
    return faults
