"""The ultrasound of a room: of the one device that gives images beside poses."""

from __future__ import annotations

from navigation.clock import PacedClock
from navigation.devices.registry import driver_of
from navigation.devices.ultrasound.source import UltrasoundSource
from navigation.errors import RoomError
from navigation.room.room import Room


def open_images(room: Room, clock: PacedClock) -> UltrasoundSource:
    """Opens the ultrasound of the room, without waiting for it.

    Raises:
        RoomError: no device of the room gives images, or several do.
        DeviceError: its images cannot be opened.
    """
    opened = {device.name: driver_of(device.driver).images(device, clock) for device in room.devices}
    sources = {name: source for name, source in opened.items() if source is not None}
    if len(sources) != 1:
        there = ", ".join(sources) or ", ".join(opened)
        raise RoomError(
            f"the room {room.name!r} with {len(sources) or 'no'} sources of ultrasound among {there}",
            "one device that gives images beside poses",
            'name the images of an OpenIGTLink device in the room file (image = "Image_Reference"), or play a '
            "sequence of PLUS with images (driver = 'replay')",
        )
    return next(iter(sources.values()))
