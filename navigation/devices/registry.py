"""The registry of drivers: a name to the module that declares it. A new driver is one more line in `DRIVERS`.

A module is imported when its driver is asked for, and imports what is heavy only when it opens a device.
"""

from __future__ import annotations

from importlib import import_module

from navigation.clock import PacedClock
from navigation.devices.driver import Device, Driver
from navigation.devices.tracker import Tracker
from navigation.errors import DeviceError

SIMULATED = "simulated"

# Name to the module or package with `DRIVER`, in the order in which a person chooses.
DRIVERS: dict[str, str] = {
    SIMULATED: "navigation.devices.simulated",
    "openigtlink": "navigation.devices.openigtlink",
    "ndi": "navigation.devices.ndi",
    "headset": "navigation.devices.headset",
    "optical_markers": "navigation.devices.optical_markers",
    "replay": "navigation.devices.replay",
    "video_capture": "navigation.devices.ultrasound.video_capture",
}


def driver_of(name: str) -> Driver:
    """The driver of that name.

    Raises:
        DeviceError: there is none.
    """
    if name not in DRIVERS:
        raise DeviceError(f"the driver {name!r}", f"one of {sorted(DRIVERS)}", "correct the name of the driver")
    driver: Driver = import_module(DRIVERS[name]).DRIVER
    return driver


def open_device(device: Device, clock: PacedClock) -> Tracker:
    """Opens a device with its driver.

    Raises:
        DeviceError: there is no driver of that name, or its settings are not of that driver.
        MissingExtraError: the driver needs packages that are not installed; the message names the extra.
    """
    return driver_of(device.driver).open(device, clock)
