"""What a room file says of an NDI device and its tools, and what is wrong with that."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import Field
from scipy.spatial.distance import pdist

from calibration.tool_geometry.errors import RomFileError
from calibration.tool_geometry.rom import read_rom
from geometry.points import Floats
from navigation.devices.driver import Device, RoomFile, Settings
from navigation.devices.ndi.line import BAUD_RATES

# A marker is seen to some 0.3 mm, and a distance between two to twice that: nearer designs fit one another's tools.
TOLD_APART_MM = 1.0


class NdiSettings(Settings):
    """Of a device with ``driver = "ndi"``: either `serial_port` or `host`.

    Attributes:
        serial_port: such as ``/dev/ttyUSB0`` or ``COM3``.
        baud: the rate that the serial port is set to.
        host: name or address of a device on the network.
        port: its TCP port.
        reply_s: how long the device may take to answer a command, or to come back from a reset.
        frame_hz: how many frames the device counts in a second, which gives frames their time; None asks the device,
            and takes 60 where it does not say: right for Polaris, while Aurora counts 40.
        strays: ask for passive markers that are no tool's too, for the calibration of a tool's geometry.
    """

    serial_port: str | None = None
    baud: int = 115_200
    host: str | None = None
    port: int = Field(8765, ge=1, le=65_535)
    reply_s: float = Field(5.0, gt=0.0, le=60.0)
    frame_hz: float | None = Field(None, gt=0.0, le=1000.0)
    strays: bool = False


class NdiTool(Settings):
    """Of a tool that an NDI device sees: `rom`, `port` or both.

    Attributes:
        rom: its geometry, a .rom file; of a wired tool, in place of the one in its own memory.
        port: the port that a wired tool is plugged into, from 1 on; None for a wireless or passive tool.
        channel: which of two tools that share a port, 0 or 1.
    """

    rom: RoomFile | None = None
    port: int | None = Field(None, ge=1, le=99)
    channel: int = Field(0, ge=0, le=1)


def ndi_settings(device: Device) -> NdiSettings:
    """The settings of a device with this driver."""
    if not isinstance(device.settings, NdiSettings):
        raise TypeError(f"settings of type {type(device.settings).__name__} for the driver 'ndi'")
    return device.settings


def check(device: Device) -> list[str]:
    """What is wrong with the settings and tools together, in sentences."""
    settings, sentences = ndi_settings(device), []
    where = f"[devices.{device.name}]"
    if (settings.serial_port is None) == (settings.host is None):
        came = "neither serial_port nor host" if settings.host is None else "both serial_port and host"
        sentences.append(
            f"{where} got {came}; expected one of them. Fix: keep the one that the device is connected by."
        )
    if settings.baud not in BAUD_RATES:
        rates = ", ".join(str(rate) for rate in sorted(BAUD_RATES))
        sentences.append(f"{where} got baud = {settings.baud}; expected one of {rates}. Fix: choose one of these.")
    places: Counter[object] = Counter()
    for tool in device.tools:
        own = tool.settings
        if not isinstance(own, NdiTool):
            continue
        if own.rom is None and own.port is None:
            sentences.append(
                f"[tools.{tool.name}] got neither rom nor port; expected a .rom file for a passive tool, or the "
                "port of a wired one. Fix: add rom = 'NAME.rom' or port = 1."
            )
        sentences += [] if own.rom is None else _check_rom(tool.name, own.rom)
        place: object = (own.port, own.channel) if own.port is not None else own.rom and own.rom.read_bytes()
        places[place] += 1
        if place is not None and places[place] > 1:
            what = "geometry" if own.port is None else "port and channel"
            sentences.append(
                f"[tools.{tool.name}] got the {what} of another tool; expected one of its own, or the device cannot "
                f"tell the two apart. Fix: correct one of them."
            )
    return sentences or _alike(device)


def _alike(device: Device) -> list[str]:
    """Passive tools whose markers are as far apart as those of another, by which the device tells them apart."""
    lengths_mm: dict[str, Floats] = {}
    sentences = []
    for tool in device.tools:
        own = tool.settings
        if not isinstance(own, NdiTool) or own.rom is None or own.port is not None:
            continue
        mine = np.sort(pdist(np.array(read_rom(own.rom).markers_tool_mm).reshape(-1, 3)))
        for name, other in lengths_mm.items():
            if len(mine) == len(other) and np.abs(mine - other).max(initial=0.0) < TOLD_APART_MM:
                sentences.append(
                    f"[tools.{tool.name}] got markers as far apart as those of {name}; expected distances between them "
                    f"that differ by {TOLD_APART_MM:g} mm somewhere, or the device may take one tool for the other. "
                    "Fix: give one of the two a marker plate of another geometry."
                )
        lengths_mm[tool.name] = mine
    return sentences


def _check_rom(tool: str, rom: RoomFile) -> list[str]:
    try:
        read_rom(rom)
    except RomFileError as error:
        return [f"[tools.{tool}] {str(error)[0].lower()}{str(error)[1:]}"]
    return []
