"""An NDI device as its combined API describes it, byte by byte: what goes in and what comes out, with faults on demand.

Written from the API's public descriptions and from the program that others read it with, not from our driver; that
`ndicapi`, a client of others, gets the same poses from it is in test_stranger.py.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.navigation.devices.ndi.truth import true_pose

BAUD_OF_DIGIT = dict(zip("01234567A", (9600, 14400, 19200, 38400, 57600, 115200, 921600, 1228739, 230400), strict=True))
OCCUPIED, INITIALISED, ENABLED = 0x01, 0x10, 0x20
# State of a tool, as the tests name it: presence, bits of the port, bits of the tool.
STATES = {
    "tracked": (1, 0, 0),
    "missing": (2, 0, 0x02),
    "turned away": (2, 0, 0),
    "out of volume": (2, 0x40, 0),
    "partly out": (2, 0x80, 0x02),
    "partly out with a pose": (1, 0x80, 0),
    "out of volume with a pose": (1, 0x40, 0),
    "interference": (2, 0x200, 0x04),
    "tool interference": (2, 0, 0x04),
    "bad fit": (2, 0, 0x01),
    "beyond computation": (2, 0x100, 0),
    "weak signal": (2, 0x400, 0),
    "processing failed": (2, 0x1000, 0x80),
    "fell behind": (2, 0x4000, 0x08),
    "too much data": (2, 0x8000, 0),
    "no rotation": (1, 0, 0),
    "not a number": (1, 0, 0),
}
NO_POSES = {"no rotation": (0.1, 0.1, 0.1, 0.1, 1.0, 2.0, 3.0, 0.1), "not a number": (float("nan"),) * 8}


class CutError(Exception):
    """The line is cut now."""


def crc(data: bytes) -> int:
    """NDI's own routine, bit by bit; the driver has a table."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


@dataclass
class Port:
    """One port handle."""

    number: int | None = None  # which tool it is: part number of a geometry, or 1000 + port of a wired tool
    location: tuple[int, int] = (0, 0)
    status: int = 0
    definition: bytearray = field(default_factory=lambda: bytearray(1024))
    gone: bool = False


@dataclass
class Fault:
    command: str
    do: str
    times: int


class FakeDevice:
    """The device; `feed` takes bytes and yields the answers."""

    def __init__(self, frame_hz: float = 60.0, most_handles: int = 24, binary: bool = True) -> None:
        self.frame_hz, self.most_handles, self.binary = frame_hz, most_handles, binary
        self.plugged: dict[tuple[int, int], bool] = {}
        self.states: dict[int, str] = {}
        self.system_bits = 0
        self.strays_mm: list[list[float]] = []
        self.strays_outside = 0
        self.mute = False
        self.faults: list[Fault] = []
        self.first_frame, self.began = 1000, time.monotonic()
        self.reset()

    def reset(self) -> bytes:
        self.mode, self.baud = "off", 9600
        self.ports: dict[int, Port] = {}
        self.input = bytearray()
        return self.whole("RESET")

    @property
    def frame(self) -> int:
        return self.first_frame + int((time.monotonic() - self.began) * self.frame_hz)

    @staticmethod
    def whole(text: str) -> bytes:
        return text.encode() + b"%04X\r" % crc(text.encode())

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.input += data
        while (end := self.input.find(b"\r")) >= 0:
            line = bytes(self.input[:end])
            del self.input[: end + 1]
            yield from self.answer(line)

    def answer(self, line: bytes) -> Iterator[bytes]:
        name, colon, rest = line.decode("latin-1").partition(":")
        if colon:
            parameters, digits = rest[:-4], rest[-4:]
            if digits != f"{crc(line[:-4]):04X}":
                yield self.whole("ERROR04")
                return
        else:
            name, _, parameters = name.partition(" ")
        fault = next((fault for fault in self.faults if fault.command in (name, "*") and fault.times), None)
        if fault is not None:
            fault.times -= 1
            yield from self.spoilt(fault.do, name, parameters)
            return
        yield self.right(name, parameters)
        if name == "COMM":
            self.baud = BAUD_OF_DIGIT[parameters[0]]

    def spoilt(self, do: str, name: str, parameters: str) -> Iterator[bytes]:
        if do.startswith("WARNING"):
            self.right(name, parameters)
        if do.startswith(("ERROR", "WARNING")):
            yield self.whole(do)
        elif do == "cut":
            raise CutError
        elif do == "reset":
            yield self.reset()
        elif do == "another device":
            yield b"HTTP/1.1 400 Bad Request\r\nServer: other\r\n\r\n"
        elif do == "garbage":
            yield b"\x13\x99\xfe\x02\xc4garbage\xff\r"
        elif do == "endless":
            yield b"\x55" * 20_000
        elif do == "nonsense":
            yield self.whole("NONSENSE")
        elif do != "silence":
            answer = self.right(name, parameters)
            if do == "wrong checksum":
                yield answer[:-3] + bytes([answer[-3] ^ 1]) + answer[-2:]
            elif do == "wrong header":
                yield answer[:4] + bytes([answer[4] ^ 1]) + answer[5:]
            elif do == "a part":
                yield answer[: len(answer) // 2]
            elif do == "twice":
                yield answer + answer
            elif do == "in pieces":
                yield from (bytes([byte]) for byte in answer)
            else:
                raise ValueError(do)

    def right(self, name: str, parameters: str) -> bytes:
        handler = getattr(self, f"do_{name.lower()}", None)
        if handler is None or (name == "BX" and not self.binary):
            return self.whole("ERROR01")
        if self.mode == "off" and name not in ("INIT", "APIREV", "VER", "COMM", "RESET", "GET", "GETINFO", "SET"):
            return self.whole("ERROR10")
        if self.mode == "tracking" and name not in ("TSTOP", "TX", "BX", "APIREV", "VER", "GET", "RESET", "PHSR"):
            return self.whole("ERROR0C")
        answer = handler(parameters)
        return answer if isinstance(answer, bytes) else self.whole(answer or "OKAY")

    # ------------------------------------------------------------------------------------------------------ the system
    def do_init(self, parameters: str) -> None:
        self.mode, self.ports = "set up", {}
        for location in self.plugged:
            self.allocate(Port(1000 + location[0], location, OCCUPIED))

    def do_reset(self, parameters: str) -> bytes:
        return self.reset()

    def do_comm(self, parameters: str) -> str:
        return "" if parameters[:1] in BAUD_OF_DIGIT else "ERROR06"

    def do_apirev(self, parameters: str) -> str:
        return "G.001.005"

    def do_ver(self, parameters: str) -> str:
        return "Polaris Fake Control Firmware\nNDI S/N: P9-00000\nFreeze Tag: Fake Rev 001\n"

    def do_get(self, parameters: str) -> str:
        return f"{parameters}={self.frame_hz:g}" if parameters == "Param.Tracking.Frame Frequency" else "ERROR34"

    def do_set(self, parameters: str) -> str:
        return "" if parameters.startswith("Param.Tracking.") else "ERROR34"

    def do_tstart(self, parameters: str) -> None:
        self.mode = "tracking"

    def do_tstop(self, parameters: str) -> str:
        if self.mode != "tracking":
            return "ERROR0C"
        self.mode = "set up"
        return ""

    # ---------------------------------------------------------------------------------------------------- port handles
    def allocate(self, port: Port) -> str:
        if len(self.ports) >= self.most_handles:
            return "ERROR2D"
        handle = next(handle for handle in range(1, 256) if handle not in self.ports)
        self.ports[handle] = port
        return f"{handle:02X}"

    def do_phrq(self, parameters: str) -> str:
        return self.allocate(Port(status=OCCUPIED)) if len(parameters) == 14 else "ERROR2F"

    def do_phf(self, parameters: str) -> str:
        return "" if self.ports.pop(int(parameters, 16), None) else "ERROR2B"

    def do_phsr(self, parameters: str) -> str:
        chosen = {
            "00": lambda port: True,
            "01": lambda port: port.gone,
            "02": lambda port: not port.gone and not port.status & INITIALISED,
            "03": lambda port: not port.gone and port.status & INITIALISED and not port.status & ENABLED,
            "04": lambda port: port.status & ENABLED,
        }[parameters or "00"]
        if parameters == "02":
            self.system_bits &= ~0x40
        if parameters == "01":
            self.system_bits &= ~0x80
        found = [f"{handle:02X}{port.status:03X}" for handle, port in self.ports.items() if chosen(port)]
        return f"{len(found):02X}" + "".join(found)

    def do_phinf(self, parameters: str) -> str:
        port = self.ports.get(int(parameters[:2], 16))
        if port is None:
            return "ERROR2B"
        if port.gone:
            return "UNOCCUPIED"
        return f"0000000000{port.location[0]:02d}{port.location[1]:02d}" if parameters[2:] == "0020" else "ERROR23"

    def do_pvwr(self, parameters: str) -> str:
        port = self.ports.get(int(parameters[:2], 16))
        if port is None or len(parameters) != 6 + 128:
            return "ERROR2B" if port is None else "ERROR03"
        address = int(parameters[2:6], 16)
        port.definition[address : address + 64] = bytes.fromhex(parameters[6:])
        return ""

    def do_pinit(self, parameters: str) -> str:
        port = self.ports.get(int(parameters, 16))
        if port is None:
            return "ERROR2B"
        if any(port.definition):
            definition = bytes(port.definition)
            if definition[:4] != b"NDI\0" or sum(definition[6:]) & 0xFFFF != struct.unpack_from("<H", definition, 4)[0]:
                return "ERROR40"
            if port.number is None:
                port.number = int(definition[592:612].split(b"\0")[0])
        if port.number is None:
            return "ERROR13"
        port.status |= INITIALISED
        return ""

    def do_pena(self, parameters: str) -> str:
        port = self.ports.get(int(parameters[:2], 16))
        if port is None or not port.status & INITIALISED:
            return "ERROR2B" if port is None else "ERROR0E"
        port.status |= ENABLED
        return "" if parameters[2:] in "SDB" else "ERROR09"

    def do_pdis(self, parameters: str) -> str:
        self.ports[int(parameters, 16)].status &= ~ENABLED
        return ""

    def plug(self, port: int) -> None:
        self.plugged[(port, 0)] = True
        self.system_bits |= 0x40
        if self.mode != "off":
            self.allocate(Port(1000 + port, (port, 0), OCCUPIED))

    def unplug(self, port: int) -> None:
        del self.plugged[(port, 0)]
        self.system_bits |= 0x80
        for each in self.ports.values():
            if each.location == (port, 0):
                each.gone, each.status = True, 0

    # ---------------------------------------------------------------------------------------------------------- frames
    def tools(self) -> Iterator[tuple[int, str, Port]]:
        """Handle, state and port of all that were enabled, or were so until they were unplugged."""
        for handle, port in self.ports.items():
            if port.number is not None and (port.status & ENABLED or port.gone):
                yield handle, self.states.get(port.number, "tracked"), port

    def do_bx(self, parameters: str) -> bytes | str:
        if self.mode != "tracking":
            return "ERROR0C"
        mode, frame = int(parameters or "0001", 16), self.frame
        tools = list(self.tools())
        body = bytes([len(tools)])
        for handle, state, port in tools:
            if state in ("disabled", "unoccupied") or port.gone:
                body += bytes([handle, 4 if state == "disabled" else 8])
                continue
            uninitialised = state == "uninitialised"
            presence, port_bits, tool_bits = (2, 0, 0) if uninitialised else STATES[state]
            body += bytes([handle, presence])
            if presence == 1:
                body += struct.pack("<8f", *NO_POSES.get(state, true_pose(port.number or 0, frame)))
            body += struct.pack("<II", (OCCUPIED if uninitialised else port.status) | port_bits, frame)
            if mode & 2:
                seen = b"\x33\x33" if presence == 1 else b"\x30\x30"
                body += bytes([tool_bits]) + bytes(8) + seen
        if mode & 0x1000:
            count = len(self.strays_mm)
            body += bytes([count]) + self.strays_outside.to_bytes(-(-count // 8), "little")
            body += b"".join(struct.pack("<3f", *point) for point in self.strays_mm)
        body += struct.pack("<H", self.system_bits)
        header = struct.pack("<2sH", b"\xc4\xa5", len(body))
        return header + struct.pack("<H", crc(header)) + body + struct.pack("<H", crc(body))

    def do_tx(self, parameters: str) -> str:
        if self.mode != "tracking":
            return "ERROR0C"
        frame, tools = self.frame, list(self.tools())
        text = f"{len(tools):02X}"
        for handle, state, port in tools:
            text += f"{handle:02X}"
            if state in ("disabled", "unoccupied") or port.gone:
                text += ("DISABLED" if state == "disabled" else "UNOCCUPIED") + "\n"
                continue
            presence, port_bits, _ = STATES[state]
            if presence == 1:
                pose = true_pose(port.number or 0, frame)
                text += "".join(f"{round(q * 1e4):+06d}" for q in pose[:4])
                text += "".join(f"{round(mm * 1e2):+07d}" for mm in pose[4:7]) + f"{round(pose[7] * 1e4):+06d}"
            else:
                text += "MISSING"
            text += f"{port.status | port_bits:08X}{frame:08X}\n"
        if int(parameters or "0001", 16) & 0x1000:
            count = len(self.strays_mm)
            text += f"{count:02d}" + (f"{self.strays_outside:0{-(-count // 4)}X}" if count else "")
            text += "".join(f"{round(value * 1e2):+07d}" for point in self.strays_mm for value in point)
        return text + f"{self.system_bits:04X}"
