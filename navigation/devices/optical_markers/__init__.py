"""The driver ``optical_markers``: printed markers seen by one or several ordinary cameras."""

from __future__ import annotations

from navigation.clock import PacedClock
from navigation.devices.driver import Device, Driver, StampClock
from navigation.devices.optical_markers.settings import MarkerCameraSettings, MarkerToolSettings, check
from navigation.devices.reader import DeviceConnection, ReaderTracker
from navigation.devices.tracker import Tracker
from navigation.errors import DeviceError


def _open(device: Device, clock: PacedClock) -> Tracker:
    settings = device.settings
    if not isinstance(settings, MarkerCameraSettings):
        came = f"settings of type {type(settings).__name__} for cameras"
        raise DeviceError(came, "MarkerCameraSettings", "open the device with the settings of its driver")

    def connect() -> DeviceConnection:
        from navigation.devices.optical_markers.connection import MarkerConnection

        return MarkerConnection(device, settings, clock)

    return ReaderTracker(device, connect, rate_hz=settings.rate_hz, clock=clock)


DRIVER = Driver(
    summary="printed markers (ArUco, AprilTag, ChArUco) seen by webcams, video files or streams",
    settings=MarkerCameraSettings,
    tool_settings=MarkerToolSettings,
    open=_open,
    clocks=(StampClock.SENSOR, StampClock.ARRIVAL),
    extra="markers",
    check=check,
)
