"""The two ways to an NDI device: a serial port and the network."""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from typing import Protocol

from geometry.extras import from_extra
from navigation.devices.ndi.errors import NdiLineError

DEFAULT_BAUD = 9600
# Baud rate to its digit in the command COMM.
BAUD_RATES: dict[int, str] = {
    9600: "0",
    14400: "1",
    19200: "2",
    38400: "3",
    57600: "4",
    115200: "5",
    921600: "6",
    1228739: "7",
    230400: "A",
}
_CONNECT_S = 3.0
_BREAK_S = 0.3
_AT_ONCE = 65_536


class Line(Protocol):
    """Bytes to and from a device."""

    def write(self, data: bytes) -> None:
        """Sends all of it.

        Raises:
            OSError, NdiLineError: the line was cut.
        """
        ...

    def read(self, timeout_s: float) -> bytes:
        """What is there, waiting for the first byte; empty if nothing came in time.

        Raises:
            OSError, NdiLineError: the line was cut.
        """
        ...

    def close(self) -> None: ...


class NetworkLine:
    """A TCP connection.

    Raises:
        OSError: nobody answers there.
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), _CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, timeout_s: float) -> bytes:
        if not select.select([self._socket], [], [], max(0.0, timeout_s))[0]:
            return b""
        data = self._socket.recv(_AT_ONCE)
        if not data:
            raise ConnectionResetError("the device closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


class SerialLine:
    """A serial port, which no other program may use at the same time.

    Raises:
        NdiLineError: there is no such port, or another program has it.
        MissingExtraError: pyserial is not installed.
    """

    def __init__(self, port: str, baud: int) -> None:
        with from_extra("ndi"):
            import serial
        self._port = port
        try:
            self._serial = serial.Serial(port, baud, timeout=0.0, write_timeout=_CONNECT_S, exclusive=True)
        except (OSError, ValueError) as error:
            raise self._trouble("cannot be opened", error) from error

    def set_baud(self, baud: int) -> None:
        """Changes the rate at this end.

        Raises:
            NdiLineError: the port does not have this rate, or was cut.
        """
        try:
            self._serial.baudrate = baud
        except (OSError, ValueError, termios_error()) as error:
            raise self._trouble(f"cannot be set to {baud} baud", error) from error

    def send_break(self) -> None:
        """Holds the line low for longer than any character: the device resets itself, to 9600 baud.

        Raises:
            NdiLineError: the line was cut.
        """
        try:
            self._serial.reset_input_buffer()
            self._serial.send_break(_BREAK_S)
        except (OSError, termios_error()) as error:
            raise self._trouble("was cut", error) from error

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError as error:
            raise self._trouble("was cut", error) from error

    def read(self, timeout_s: float) -> bytes:
        try:
            self._serial.timeout = max(0.0, timeout_s)
            first: bytes = self._serial.read(1)
            waiting: int = self._serial.in_waiting if first else 0
            return first + (self._serial.read(waiting) if waiting else b"")
        except (OSError, TypeError) as error:
            raise self._trouble("was cut", error) from error

    def close(self) -> None:
        with suppress(OSError):
            self._serial.close()

    def _trouble(self, what: str, error: Exception) -> NdiLineError:
        number = getattr(error, "errno", None)
        why = os.strerror(number).lower() if number else str(error)
        return NdiLineError(
            f"the serial port {self._port}, which {what}: {why}",
            "a port that is there, that this user may use, and that no other program has",
            "check the cable and the name of the port, and who may use it",
        )


def termios_error() -> type[Exception]:
    """What the system raises beside OSError when a terminal is gone; there is none where there are no terminals."""
    try:
        import termios
    except ModuleNotFoundError:
        return OSError
    return termios.error
