"""The driver ``ndi``: Polaris, Vega, Lyra and Aurora of NDI, on a serial port or the network.

It speaks NDI's combined API itself; why, is in docs/decisions/2026-11-26-ndi-without-ndicapi.md.
"""

from __future__ import annotations

from geometry.extras import from_extra
from navigation.clock import PacedClock
from navigation.devices.driver import Device, Driver
from navigation.devices.ndi.connection import NdiConnection
from navigation.devices.ndi.settings import NdiSettings, NdiTool, check, ndi_settings
from navigation.devices.reader import ReaderTracker
from navigation.devices.tracker import Tracker

_USUAL_RATE_HZ = 60.0


def _open(device: Device, clock: PacedClock) -> Tracker:
    settings = ndi_settings(device)
    if settings.serial_port is not None:
        with from_extra("ndi"):
            import serial  # noqa: F401 - said now, not once a second in the thread
    return ReaderTracker(device, lambda: NdiConnection(device, clock), settings.frame_hz or _USUAL_RATE_HZ, clock)


DRIVER = Driver(
    summary="NDI Polaris, Vega, Lyra and Aurora, on a serial port or the network",
    settings=NdiSettings,
    open=_open,
    tool_settings=NdiTool,
    extra="ndi",
    check=check,
)
