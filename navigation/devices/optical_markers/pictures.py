"""Pictures of a camera, a video file or a stream: the newest one, whatever the program does meanwhile."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geometry.extras import from_extra
from navigation.clock import NS_PER_S, PacedClock
from navigation.errors import DeviceError

if TYPE_CHECKING:
    from calibration.camera.camera_file import CameraCalibration
    from navigation.devices.optical_markers.settings import CameraSettings

_NS_PER_MS = NS_PER_S // 1000
_OPEN_MS = 5000
_STOP_S = 3.0


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        grey: ``(h, w)`` uint8.
        arrival_ns: when it came, on this machine's clock.
        sensor_ns: when it was taken, by the camera's or the file's own clock; None if it does not say.
        number: counts the pictures of this source, those that were replaced among them.
    """

    grey: np.ndarray
    arrival_ns: int
    sensor_ns: int | None
    number: int


class PictureSource:
    """Reads one source in a thread of its own, and keeps the newest picture.

    A file is played at its own rate, like a camera; where the program falls behind, pictures are dropped as a camera
    drops them.

    Args:
        settings: the source.
        calibration: whose size of picture a webcam is asked for.
        clock: stamps arrivals.
        arrived: is notified of every picture.

    Raises:
        DeviceError: the source cannot be opened.
    """

    def __init__(
        self,
        settings: CameraSettings,
        calibration: CameraCalibration,
        clock: PacedClock,
        arrived: threading.Condition,
    ) -> None:
        self._settings, self._clock, self._arrived = settings, clock, arrived
        self._capture = _opened(settings, calibration)
        self._newest: Picture | None = None
        self._error: DeviceError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"surgnav-{settings.name}", daemon=True)
        self._thread.start()

    @property
    def has_news(self) -> bool:
        return self._newest is not None or self._error is not None

    def take(self) -> Picture | None:
        """The newest picture that was not taken yet.

        Raises:
            DeviceError: the source has ended, and its last picture was taken.
        """
        with self._arrived:
            newest, self._newest = self._newest, None
            if newest is None and self._error is not None:
                raise self._error
            return newest

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():  # a source that hangs in its driver is left to it
            self._capture.release()

    def _run(self) -> None:
        try:
            self._read()
        except DeviceError as error:
            with self._arrived:
                self._error = error
                self._arrived.notify_all()

    def _read(self) -> None:
        with from_extra("markers"):
            import cv2

        start_ns, number = self._clock.now_ns(), 0
        while not self._stopping.is_set():
            if not self._capture.grab():
                raise self._ended()
            position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
            sensor_ns = round(position_ms * _NS_PER_MS) if position_ms > 0.0 or self._settings.file else None
            if self._settings.file is not None:
                self._clock.sleep_until_ns(start_ns + (sensor_ns or 0))
            arrival_ns = self._clock.now_ns()
            is_decoded, colours = self._capture.retrieve()
            number += 1
            if not is_decoded:
                continue
            grey = colours if colours.ndim == 2 else cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
            with self._arrived:
                self._newest = Picture(grey, arrival_ns, sensor_ns, number)
                self._arrived.notify_all()

    def _ended(self) -> DeviceError:
        if self._settings.file is not None:
            return DeviceError(f"the end of {self._settings.name}", "more pictures", "nothing: it is played again")
        return DeviceError(f"no picture from {self._settings.name}", "pictures", "check the camera and its cable")


def _opened(settings: CameraSettings, calibration: CameraCalibration) -> Any:
    with from_extra("markers"):
        import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it is said in our words
    try:
        if settings.webcam is not None:
            capture = cv2.VideoCapture(settings.webcam)
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, calibration.width_px)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, calibration.height_px)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        else:
            waits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _OPEN_MS]
            capture = cv2.VideoCapture(str(settings.file or settings.stream), cv2.CAP_FFMPEG, waits)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise DeviceError(
            f"{settings.name}, which cannot be opened",
            "a camera that is plugged in and that no other program uses, a video file, or a stream that answers",
            "check the cable, the number and who may read it",
        )
    return capture
