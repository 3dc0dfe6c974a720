"""The driver ``openigtlink``: tools of PLUS, 3D Slicer and other programs (docs/navigation/trackers/openigtlink.md)."""

from __future__ import annotations

from navigation.clock import PacedClock
from navigation.devices.driver import Device, Driver
from navigation.devices.openigtlink.connection import LinkConnection
from navigation.devices.openigtlink.images import LinkImages
from navigation.devices.openigtlink.layout import layout_of, mistakes_of
from navigation.devices.openigtlink.observer import Observer
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.devices.reader import ReaderTracker
from navigation.devices.tracker import Tracker
from navigation.devices.ultrasound.source import UltrasoundSource
from navigation.errors import DeviceError


def _settings(device: Device) -> LinkSettings:
    settings = device.settings
    if not isinstance(settings, LinkSettings):
        raise DeviceError(f"settings of type {type(settings).__name__}", "LinkSettings", "pass those of this driver")
    return settings


def _images(device: Device, clock: PacedClock) -> UltrasoundSource | None:
    settings = _settings(device)
    return None if settings.image is None else LinkImages(device, settings, settings.image, clock)


def _open(device: Device, clock: PacedClock) -> Tracker:
    settings = _settings(device)
    # Kept from one connection to the next: a pose that was stale before a break is so after it.
    observer = Observer(layout_of(device), settings.repeats_are_measured)
    # Devices may be silent while they see nothing; a cut cable is noticed below, by TCP itself.
    return ReaderTracker(
        device,
        lambda: LinkConnection(settings, device, observer, clock),
        rate_hz=settings.rate_hz,
        clock=clock,
        silent_after_s=None,
    )


DRIVER = Driver(
    summary="PLUS, 3D Slicer, or another program that sends its tools over OpenIGTLink",
    settings=LinkSettings,
    open=_open,
    check=mistakes_of,
    images=_images,
)
