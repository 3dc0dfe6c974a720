"""The driver ``video_capture``: a scanner's screen by a frame grabber, or a video file in its place, through OpenCV."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from geometry.extras import from_extra
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.driver import Device, Driver, RoomFile, Settings, StampClock
from navigation.devices.sensor_clock import SensorClock
from navigation.devices.tracker import CONNECTED, DeviceState, Tracker, TrackerFrame
from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame, UltrasoundSource
from navigation.devices.ultrasound.threaded_source import ThreadedSource
from navigation.devices.ultrasound.video_file import silence
from navigation.errors import DeviceError


class VideoCaptureSettings(Settings):
    """Of a device with ``driver = "video_capture"``, which sees no tool.

    Attributes:
        grabber: number of the frame grabber, as OpenCV counts the cameras of this machine.
        file: a video file that is played again and again as if it came from one, in its place.
        rate_hz: pictures a second.
        orientation: how the picture shows the image, as PLUS names it: M if the transducer's marked side is on the
            right, U if it is on the left; then N if the transducer is at the bottom, F if it is at the top.
        crop_px: left, top, width and height of the image in the picture; the whole picture without it.
    """

    grabber: int | None = Field(None, ge=0)
    file: RoomFile | None = None
    rate_hz: float = Field(gt=0.0, le=1_000.0)
    orientation: Literal["MF", "MN", "UF", "UN"]
    crop_px: tuple[int, int, int, int] | None = None

    @model_validator(mode="after")
    def _check(self) -> VideoCaptureSettings:
        if (self.grabber is None) == (self.file is None):
            raise ValueError("grabber or file, one of the two")
        if self.crop_px is not None and (min(self.crop_px[:2]) < 0 or min(self.crop_px[2:]) < 1):
            raise ValueError("crop_px with left and top from 0, width and height from 1")
        return self

    @property
    def called(self) -> str:
        """What is captured, for people."""
        return f"frame grabber {self.grabber}" if self.file is None else self.file.name


class CapturedImages(ThreadedSource):
    """Satisfies `UltrasoundSource`; it ends when no picture comes, as when the grabber is unplugged.

    Args:
        device: whose pictures get their time as the room file says.
        settings: what is captured, and what of it is the image.
        clock: stamps arrivals, and paces a file.
    """

    def __init__(self, device: Device, settings: VideoCaptureSettings, clock: PacedClock) -> None:
        super().__init__(f"{settings.called} of {device.name}", settings.rate_hz)
        self._device, self._settings, self._clock = device, settings, clock

    def _receive(self) -> None:
        with silence():
            capture = self._opened()
            try:
                stamps = SensorClock(self._device.stamps)
                due_ns = self._clock.now_ns()
                while not self._stopping.is_set():
                    if not capture.grab():
                        raise DeviceError(f"no picture from {self._settings.called}", "pictures", "check its cable")
                    arrival_ns = self._clock.now_ns()
                    is_decoded, picture = capture.retrieve()
                    pixels, missing = image_in(picture, self._settings) if is_decoded else (None, "a damaged picture")
                    self._give(UltrasoundFrame(0, stamps.capture_ns(None, arrival_ns), pixels, missing=missing))
                    if self._settings.file is not None:
                        due_ns += round(NS_PER_S / self._settings.rate_hz)
                        self._clock.sleep_until_ns(due_ns)
            finally:
                capture.release()

    def _opened(self) -> Any:
        with from_extra("ultrasound"):
            import cv2

        settings = self._settings
        if settings.file is not None:
            capture = cv2.VideoCapture(str(settings.file), cv2.CAP_FFMPEG)
        else:
            capture = cv2.VideoCapture(int(settings.grabber or 0))
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what waits in a buffer is old
        if not capture.isOpened():
            raise DeviceError(
                f"{settings.called}, which cannot be opened",
                "a grabber that is plugged in and that no other program uses, or a video file",
                "check the cable, the number and who may read it",
            )
        return capture


def image_in(picture: NDArray[np.uint8], settings: VideoCaptureSettings) -> tuple[GreyPixels | None, str]:
    """The image ``(h, w)`` of a picture ``(h, w)`` or ``(h, w, 3)``, the transducer at row 0; or why there is none."""
    left, top, width, height = settings.crop_px or (0, 0, picture.shape[1], picture.shape[0])
    if left + width > picture.shape[1] or top + height > picture.shape[0]:
        size = f"{picture.shape[1]} x {picture.shape[0]} px"
        return None, f"a picture of {size}, which crop_px = {list(settings.crop_px or ())} goes beyond"
    cut = picture[top : top + height, left : left + width]
    grey = mean_of_colours(cut) if cut.ndim == 3 else cut
    across = -1 if settings.orientation[0] == "U" else 1
    down = -1 if settings.orientation[1] == "N" else 1
    return np.ascontiguousarray(grey[::down, ::across]), ""


class _NoTools:
    """Satisfies `Tracker` for a device that gives images alone; whether these come is said with them."""

    tools: tuple[str, ...] = ()
    state: DeviceState = CONNECTED

    def __init__(self, rate_hz: float, clock: PacedClock) -> None:
        self.rate_hz, self._clock = rate_hz, clock

    def start(self) -> None:
        """Nothing begins."""

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        self._clock.sleep_until_ns(self._clock.now_ns() + max(0, timeout_ns))
        return None

    def stop(self) -> None:
        """Nothing ends."""


def _settings(device: Device) -> VideoCaptureSettings:
    if not isinstance(device.settings, VideoCaptureSettings):
        raise DeviceError(f"settings of type {type(device.settings).__name__}", "VideoCaptureSettings", "pass these")
    return device.settings


def _open(device: Device, clock: PacedClock) -> Tracker:
    return _NoTools(_settings(device).rate_hz, clock)


def _images(device: Device, clock: PacedClock) -> UltrasoundSource | None:
    return CapturedImages(device, _settings(device), clock)


def _check(device: Device) -> list[str]:
    return [
        f"[tools.{tool.name}] got device = {device.name!r}, which gives images alone; expected a device that sees "
        "tools. Fix: name the one that sees it."
        for tool in device.tools
    ]


DRIVER = Driver(
    summary="a scanner's screen by a frame grabber: ultrasound images without tools",
    settings=VideoCaptureSettings,
    open=_open,
    clocks=(StampClock.ARRIVAL,),
    extra="ultrasound",
    check=_check,
    needs_tools=False,
    images=_images,
)
