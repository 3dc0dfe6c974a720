"""The ultrasound of a room: of the one device that gives images beside poses."""

from __future__ import annotations

from collections.abc import Sequence

from navigation.clock import PacedClock
from navigation.devices.driver import Device
from navigation.devices.registry import driver_of
from navigation.devices.ultrasound.source import UltrasoundSource
from navigation.errors import DeviceError, RoomError
from navigation.room.room import Room


def open_images(room: Room, clock: PacedClock) -> UltrasoundSource:
    """Opens the ultrasound of the room, without waiting for it.

    Raises:
        RoomError: no device of the room gives images, or several do.
        DeviceError: its images cannot be opened.
    """
    return _the_images(room.name, room.devices, clock)[1]


def device_with_images(name: str, devices: Sequence[Device], clock: PacedClock) -> Device:
    """The device of a room, called `name`, whose images `open_images` would open."""
    return _the_images(name, devices, clock)[0]


def open_source(device: Device, clock: PacedClock) -> UltrasoundSource:
    """Opens the images of a device, without waiting for them.

    Raises:
        DeviceError: it gives none, or they cannot be opened.
    """
    source = driver_of(device.driver).images(device, clock)
    if source is None:
        raise DeviceError(
            f"the device {device.name!r} without images", "one that gives images", "correct the room file"
        )
    return source


def _the_images(name: str, devices: Sequence[Device], clock: PacedClock) -> tuple[Device, UltrasoundSource]:
    opened = [(device, driver_of(device.driver).images(device, clock)) for device in devices]
    sources = [(device, source) for device, source in opened if source is not None]
    if len(sources) != 1:
        there = ", ".join(device.name for device, _ in sources or opened)
        raise RoomError(
            f"the room {name!r} with {len(sources) or 'no'} sources of ultrasound among {there}",
            "one device that gives images",
            'name the images of an OpenIGTLink device in the room file (image = "Image_Reference"), add a frame '
            "grabber (driver = 'video_capture'), or play a sequence of PLUS with images (driver = 'replay')",
        )
    return sources[0]
