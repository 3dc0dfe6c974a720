"""What the replies of NDI's combined API say: port handles, and the tools in one frame."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum

from navigation.devices.ndi.errors import NdiReplyError
from navigation.devices.ndi.wire import Reply, shown

# What is asked for in binary: poses and states, and which markers were used. In ASCII poses and states alone.
BX_COMMAND, TX_COMMAND = "BX:0003", "TX:0001"
# The same with the markers that are no tool's.
BX_STRAYS_COMMAND, TX_STRAYS_COMMAND = "BX:1003", "TX:1001"
_POSE, _STATE, _TOOL = struct.Struct("<8f"), struct.Struct("<II"), struct.Struct("<B10s")
_HANDLE, _SYSTEM, _POINT = struct.Struct("<BB"), struct.Struct("<H"), struct.Struct("<3f")
# Signs and digits of a pose in ASCII, with the decimal point left out: four of 6 characters, three of 7, one of 6.
_TX_POSE = re.compile(r"([+-]\d{5})" * 4 + r"([+-]\d{6})" * 3 + r"([+-]\d{5})")
_TX_POINT = re.compile(r"([+-]\d{6})" * 3)
_TX_STATE = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})")
_HEX = re.compile(r"[0-9A-F]+")


class Presence(Enum):
    """What a reply says of a port handle; the values are those of the binary reply."""

    TRACKED = 1
    MISSING = 2
    DISABLED = 4
    UNOCCUPIED = 8


@dataclass(frozen=True)
class PortReading:
    """One port handle in one reply.

    Attributes:
        pose: quaternion (scalar first), position in mm and RMS fit error in mm; None unless it is tracked.
        port_bits: the status of the port (`words.OUT_OF_VOLUME` and others).
        frame: number of the device's frame; None if it is disabled or unoccupied.
        tool_bits: what was wrong with the markers (`words.TOOL_TROUBLES`); 0 where the reply does not tell.
        markers_seen: how many of its markers were seen; None where the reply does not tell.
    """

    handle: int
    presence: Presence
    pose: tuple[float, ...] | None = None
    port_bits: int = 0
    frame: int | None = None
    tool_bits: int = 0
    markers_seen: int | None = None


@dataclass(frozen=True)
class SystemReading:
    """All port handles in one reply.

    Attributes:
        system_bits: the status of the system (`words.SYSTEM_TROUBLES`).
        strays_mm: markers that are no tool's; none where one of them is out of the volume, since guides differ on which
            bit is which marker's. None where they were not asked for.
    """

    ports: tuple[PortReading, ...]
    system_bits: int
    strays_mm: tuple[tuple[float, ...], ...] | None = None


def read_bx(reply: Reply, strays: bool = False) -> SystemReading:
    """Reads the answer to `BX_COMMAND`, or with `strays` to `BX_STRAYS_COMMAND`.

    Raises:
        NdiReplyError: it is not of that form.
    """
    if not reply.is_binary:
        raise _wrong(reply, "BX")
    try:
        return _read_bx(reply.body, strays)
    except (struct.error, ValueError, IndexError) as error:
        raise _wrong(reply, "BX") from error


def _read_bx(body: bytes, strays: bool) -> SystemReading:
    ports, at = [], 1
    for _ in range(body[0]):
        handle, presence = _HANDLE.unpack_from(body, at)
        at += _HANDLE.size
        if Presence(presence) in (Presence.DISABLED, Presence.UNOCCUPIED):
            ports.append(PortReading(handle, Presence(presence)))
            continue
        pose = None
        if Presence(presence) is Presence.TRACKED:
            pose = _POSE.unpack_from(body, at)
            at += _POSE.size
        port_bits, frame = _STATE.unpack_from(body, at)
        tool_bits, markers = _TOOL.unpack_from(body, at + _STATE.size)
        at += _STATE.size + _TOOL.size
        seen = sum((byte & 0x0F != 0) + (byte & 0xF0 != 0) for byte in markers)
        ports.append(PortReading(handle, Presence(presence), pose, port_bits, frame, tool_bits, seen))
    strays_mm, at = _read_bx_strays(body, at) if strays else (None, at)
    (system_bits,) = _SYSTEM.unpack_from(body, at)
    if at + _SYSTEM.size != len(body):
        raise ValueError("bytes are left over")
    return SystemReading(tuple(ports), system_bits, strays_mm)


def _read_bx_strays(body: bytes, at: int) -> tuple[tuple[tuple[float, ...], ...], int]:
    """The stray markers that begin at a byte, and the byte after them."""
    count = body[at]
    start = at + 1 + -(-count // 8)
    outside = any(body[at + 1 : start])
    points = tuple(_POINT.unpack_from(body, start + _POINT.size * number) for number in range(count))
    return () if outside else points, start + _POINT.size * count


def read_tx(reply: Reply, strays: bool = False) -> SystemReading:
    """Reads the answer to `TX_COMMAND`, or with `strays` to `TX_STRAYS_COMMAND`, of devices that know no BX.

    Raises:
        NdiReplyError: it is not of that form.
    """
    lines = reply.text[2:].split("\n")
    try:
        ports = tuple(_read_tx_port(line) for line in lines[:-1])
        strays_mm, last = _read_tx_strays(lines[-1]) if strays else (None, lines[-1])
        if reply.is_binary or len(ports) != _hex(reply.text[:2]) or len(last) != 4:
            raise ValueError("another number of port handles")
        return SystemReading(ports, _hex(last), strays_mm)
    except ValueError as error:
        raise _wrong(reply, "TX") from error


def _read_tx_strays(text: str) -> tuple[tuple[tuple[float, ...], ...], str]:
    """The stray markers before the status of the system, and what follows them."""
    # Whether their number is decimal or hexadecimal, programs read differently; only one fits what follows.
    counts = [_hex(text[:2]), *([int(text[:2])] if text[:2].isdecimal() else [])]
    fitting = [count for count in counts if len(text) == 2 + -(-count // 4) + 21 * count + 4]
    if not fitting:
        raise ValueError("another number of markers")
    count = fitting[0]
    start = 2 + -(-count // 4)
    outside = count > 0 and _hex(text[2:start]) > 0
    points, rest = [], text[start:]
    for _ in range(count):
        match = _TX_POINT.match(rest)
        if match is None:
            raise ValueError("no position of a marker")
        points.append(tuple(int(group) / 1e2 for group in match.groups()))
        rest = rest[match.end() :]
    return () if outside else tuple(points), rest


def _read_tx_port(line: str) -> PortReading:
    handle, rest = _hex(line[:2]), line[2:]
    for word, presence in (("UNOCCUPIED", Presence.UNOCCUPIED), ("DISABLED", Presence.DISABLED)):
        if rest.startswith(word):
            return PortReading(handle, presence)
    pose, presence = None, Presence.MISSING
    if rest.startswith("MISSING"):
        rest = rest.removeprefix("MISSING")
    elif match := _TX_POSE.match(rest):
        digits = [int(group) for group in match.groups()]
        pose = (*(q / 1e4 for q in digits[:4]), *(mm / 1e2 for mm in digits[4:7]), digits[7] / 1e4)
        rest, presence = rest[match.end() :], Presence.TRACKED
    state = _TX_STATE.fullmatch(rest)
    if state is None:
        raise ValueError("no status and frame number")
    return PortReading(handle, presence, pose, int(state[1], 16), int(state[2], 16))


def read_handles(reply: Reply) -> tuple[int, ...]:
    """Reads the answer to PHSR: the port handles.

    Raises:
        NdiReplyError: it is not of that form.
    """
    text = reply.text
    try:
        count = _hex(text[:2])
        if len(text) != 2 + 5 * count:
            raise ValueError("another number of port handles")
        return tuple(_hex(text[at : at + 2]) for at in range(2, len(text), 5))
    except ValueError as error:
        raise _wrong(reply, "PHSR") from error


def read_handle(reply: Reply) -> int:
    """Reads the answer to PHRQ: the new port handle.

    Raises:
        NdiReplyError: it is not of that form.
    """
    try:
        if len(reply.text) != 2:
            raise ValueError("not two digits")
        return _hex(reply.text)
    except ValueError as error:
        raise _wrong(reply, "PHRQ") from error


def read_location(reply: Reply) -> tuple[int, int] | None:
    """Reads the answer to ``PHINF:hh0020``: the number of the port and of the channel; None if the port is empty.

    Raises:
        NdiReplyError: it is not of that form.
    """
    if reply.text.startswith("UNOCCUPIED"):
        return None
    try:
        if len(reply.text) != 14:
            raise ValueError("not 14 characters")
        return int(reply.text[10:12]), int(reply.text[12:14])
    except ValueError as error:
        raise _wrong(reply, "PHINF") from error


def _hex(digits: str) -> int:
    if not _HEX.fullmatch(digits):
        raise ValueError("no hexadecimal number")
    return int(digits, 16)


def _wrong(reply: Reply, command: str) -> NdiReplyError:
    return NdiReplyError(
        f"an answer to {command} that is none: {shown(reply.body)}",
        f"an answer to {command} as NDI's guide has it",
        "check that an NDI device is at this port",
    )
