"""What a server without manners does to the package's transport: an error that says what, never a crash or a hang."""

import functools
import socket
import struct
import time

import pytest

from tests.csharp.remote_probe import RemoteProbe

READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"
WELCOME = b"\x04\xa8\x07WELCOME"
_MEMORY_BYTES = 64 * 2**20  # more than .NET moves by itself, less than any of the sizes that are announced


def greeting(mechanism: bytes = b"NULL", major: int = 3) -> bytes:
    return b"\xff" + bytes(8) + b"\x7f" + bytes([major, 1]) + mechanism.ljust(20, b"\0") + bytes(32)


def long_frame(flags: int, length: int) -> bytes:
    return struct.pack(">BQ", flags | 2, length)


GREETED = greeting() + READY


class Door:
    """A server that the test plays: sends bytes to whoever comes, over and over if they are endless."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.connections: list[socket.socket] = []
        self.came = 0

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self, first: bytes, again: bytes = b"", *, hang_up: bool = False) -> None:
        try:
            connection, _ = self._listener.accept()
            self.came += 1
            connection.sendall(first)
            connection.setblocking(False)
            self.connections.append(connection)
            if hang_up:
                connection.close()
                self.connections.pop()
        except BlockingIOError:
            pass
        for connection in list(self.connections):
            try:
                if again:
                    connection.send(again)
            except BlockingIOError:
                pass
            except OSError:
                self.connections.remove(connection)

    def has_seen(self, visitors: int) -> bool:
        return self.came >= visitors

    def close(self) -> None:
        for each in (self._listener, *self.connections):
            each.close()


@pytest.fixture
def probe(transport_probe, tools, runtime):
    probe = RemoteProbe(transport_probe, tools, runtime)
    yield probe
    probe.close()


@pytest.fixture
def door():
    door = Door()
    yield door
    door.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "bytes that are no greeting"),
        (bytes(1000), "bytes that are no greeting"),
        (GREETED + long_frame(0, 2**62), f"a frame of {2**62} bytes"),
        (GREETED + long_frame(0, 2**64 - 1), f"a frame of {2**64 - 1} bytes"),
        (GREETED + long_frame(0, 2**31), f"a frame of {2**31} bytes"),
        (GREETED + long_frame(4, 2**20), f"a frame of {2**20} bytes"),
        (greeting() + long_frame(4, 2**40), f"a frame of {2**40} bytes"),
        (GREETED + b"\x01\x01x" * 1000, "a message of several frames"),
        (GREETED + b"\xf8\x01x", "flags 0xF8"),
        (greeting() + b"\x04\x05\x04PING", "another command in the handshake"),
        (greeting() + b"\x04\x0b\x05READY\xffabcd", "properties that are not whole"),
        (GREETED + b"\x04\x05\x04PING", "a PING of 5 bytes"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, str) else "",
)
def test_what_is_not_zmtp_is_told(probe, door, said, reason):
    probe.open("sub", door.endpoint, ReconnectMinMs=1)
    probe.await_state("WaitingToRetry", reason, lambda: door.serve(said))


def test_errors_of_the_server_are_refusals(probe, door):
    probe.open("sub", door.endpoint)
    probe.await_state(
        "Refused", "the server refused: 'go away'", lambda: door.serve(greeting() + b"\x04\x0e\x05ERROR\x07go away")
    )


def test_a_welcome_by_somebody_else_is_not_believed(probe, door):
    probe.open("sub", door.endpoint, server="." * 40, secret="1" * 40)
    said = greeting(b"CURVE") + WELCOME + bytes(160)
    probe.await_state("Refused", "has not the key that is pinned here", lambda: door.serve(said))


def test_hanging_up_at_every_byte(probe, door):
    """Cut anywhere, the client waits and comes again; a thousandth of a second later here."""
    whole = GREETED + b"\x00\x05hello" + b"\x04\x07\x04PING\0\0"
    probe.open("sub", door.endpoint, ReconnectMinMs=1, ReconnectMaxMs=2)
    for count in range(len(whole)):
        seen = functools.partial(door.has_seen, door.came + 1)
        probe.until(seen, functools.partial(door.serve, whole[:count], hang_up=True))
    probe.states.clear()
    probe.await_state("Connected", "", lambda: door.serve(whole))


def test_drop_by_drop_is_given_up(probe, door):
    """A byte now and then never finishes the handshake."""
    probe.open("sub", door.endpoint, HandshakeTimeoutMs=200)
    drops = iter(greeting())

    def drip() -> None:
        door.serve(b"", bytes([next(drops, 0)]) if door.connections else b"")
        time.sleep(0.01)

    probe.await_state("WaitingToRetry", "does not finish the handshake", drip)


@pytest.mark.parametrize(
    "endless",
    [b"\x04\x07\x04PING\0\0" * 5000, b"\x04\x02\x01X" * 10_000, b"\x00\x00" * 10_000],
    ids=["pings", "unknown commands", "empty messages"],
)
def test_without_end_is_bounded_in_memory_and_can_be_stopped(probe, door, endless):
    probe.open("sub", door.endpoint)
    probe.await_state("Connected", "", lambda: door.serve(GREETED))
    before = probe.report()[3]
    until = time.monotonic() + 0.5
    probe.until(lambda: time.monotonic() > until, lambda: door.serve(GREETED, endless))
    assert probe.report()[3] - before < _MEMORY_BYTES
    probe.stop()
    probe.await_state("Closed")


def test_a_large_message_that_stops_halfway_costs_what_came(probe, door):
    probe.open("sub", door.endpoint, MaxMessageBytes=2**28)
    probe.await_state("Connected", "", lambda: door.serve(GREETED))
    before = probe.report()[3]
    door.connections[0].sendall(long_frame(0, 2**28) + bytes(2**20))
    until = time.monotonic() + 0.3
    probe.until(lambda: time.monotonic() > until)
    messages, _, _, memory = probe.report()
    assert (messages, memory - before < _MEMORY_BYTES) == (0, True)
    probe.stop()
