"""Runs the fake NDI device as a process, on TCP or on a pseudo-terminal; the tests tell it on stdin what to do.

A pseudo-terminal has no baud rate of its own, but the device's end sees the one that the host set: at another than the
device's, bytes are garbage. It carries no break either: the first flush of the input after the host has gone to
9600 baud stands for it, which is how hosts send one.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import socket
import struct
import sys
import termios
import tty
from contextlib import suppress
from pathlib import Path

from tests.navigation.devices.ndi.fake_device import CutError, FakeDevice, Fault

_SPEEDS = {getattr(termios, f"B{baud}"): baud for baud in (9600, 19200, 38400, 57600, 115200, 230400, 921600)}
_FLUSHED = 1


class NetworkEnd:
    """Listens, and talks to whoever came last."""

    def __init__(self, device: FakeDevice, address: str) -> None:
        self.device, self.port = device, int(address)
        self.peer: socket.socket | None = None
        self.listener: socket.socket | None = None
        self.mend()

    def mend(self) -> None:
        if self.listener is not None:
            return
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.address = str(self.port)

    def cut(self) -> None:
        self.listener.close()
        self.listener = None
        self.hang_up()

    def hang_up(self) -> None:
        if self.peer is not None:
            self.peer.close()
        self.peer = None

    def sources(self) -> list:
        return [each for each in (self.listener, self.peer) if each is not None]

    def serve(self, source: object) -> None:
        if source is self.listener:
            self.hang_up()
            self.peer = self.listener.accept()[0]
            self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        try:
            data = self.peer.recv(65536)
            for answer in self.device.feed(data) if data else ():
                self.peer.sendall(answer)
            if not data:
                self.hang_up()
        except OSError:
            self.hang_up()
        except CutError:
            self.cut()


class SerialEnd:
    """The device's end of a pseudo-terminal; a link of a name that stays leads to it."""

    def __init__(self, device: FakeDevice, address: str) -> None:
        self.device, self.address = device, address
        self.master = -1
        self.mend()

    def mend(self) -> None:
        if self.master >= 0:
            return
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        attributes = termios.tcgetattr(self.slave)
        attributes[4] = attributes[5] = termios.B9600
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        fcntl.ioctl(self.master, termios.TIOCPKT, struct.pack("i", 1))
        self.host_baud = self.baud()
        link = Path(self.address)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self.slave))

    def cut(self) -> None:
        os.close(self.slave)
        os.close(self.master)
        Path(self.address).unlink(missing_ok=True)
        self.master = -1

    hang_up = cut

    def baud(self) -> int | None:
        return _SPEEDS.get(termios.tcgetattr(self.slave)[5])

    def sources(self) -> list:
        return [self.master] if self.master >= 0 else []

    def serve(self, source: object) -> None:
        packet = os.read(self.master, 65536)
        before, self.host_baud = self.host_baud, self.baud()
        if self.device.mute:
            return
        try:
            if packet[0]:
                if packet[0] & _FLUSHED and self.host_baud == 9600 and before != 9600:
                    os.write(self.master, self.device.reset())
                elif packet[0] & _FLUSHED:
                    self.host_baud = self.host_baud if self.host_baud != 9600 else before
            elif self.host_baud != self.device.baud and self.host_baud is not None:
                self.device.input += b"\xf8" * (len(packet) // 3)
            else:
                for answer in self.device.feed(packet[1:]):
                    os.write(self.master, answer)
        except CutError:
            self.cut()


def obey(order: dict, device: FakeDevice, end: NetworkEnd | SerialEnd) -> None:
    match order:
        case {"heal": _}:
            device.faults.clear()
            device.states.clear()
            device.system_bits, device.mute = 0, False
        case {"on": command, "do": do, "times": times}:
            device.faults.append(Fault(command, do, times))
        case {"tool": number, "state": state}:
            device.states[number] = state
        case {"set": name, "to": value}:
            setattr(device, name, value)
        case {"plug": port}:
            device.plug(port)
        case {"unplug": port}:
            device.unplug(port)
        case {"reset": said}:
            answer = device.reset()
            if said and isinstance(end, NetworkEnd) and end.peer:
                end.peer.sendall(answer)
        case {"cut": _}:
            end.cut()
        case {"hang_up": _}:
            end.hang_up()
        case {"mend": _}:
            end.mend()
        case _:
            raise ValueError(order)


def main() -> None:
    device = FakeDevice()
    end = NetworkEnd(device, sys.argv[2]) if sys.argv[1] == "network" else SerialEnd(device, sys.argv[2])
    print(end.address, flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), *end.sources()], [], [])
        for source in ready:
            if source == sys.stdin.fileno():
                line = sys.stdin.buffer.raw.readline()
                if not line:
                    return
                obey(json.loads(line), device, end)
                print("done", flush=True)
            elif source in end.sources():
                with suppress(OSError):
                    end.serve(source)


if __name__ == "__main__":
    main()
