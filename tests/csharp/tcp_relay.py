"""A link that can be cut, frozen and tampered with: a TCP relay between a client and a server, polled by the test."""

import contextlib
import selectors
import socket
from collections.abc import Callable


class Relay:
    """Passes bytes on, both ways.

    Attributes:
        frozen: nothing is read any more, and nobody is told: a link that has gone without a word.
        tamper: what becomes of bytes from the server.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.frozen = False
        self.tamper: Callable[[bytes], bytes] = lambda data: data

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self._door.getsockname()[1]}"

    def poll(self) -> None:
        """Passes on what is there."""
        if self.frozen:
            return
        for key, _ in self._selector.select(0):
            if key.fileobj is self._door:
                self._accept()
            else:
                self._pass_on(key.fileobj, *key.data)

    def close(self) -> None:
        self._selector.close()
        for one in (self._door, *(end for pair in self._pairs for end in pair)):
            one.close()

    def _accept(self) -> None:
        client, _ = self._door.accept()
        server = socket.create_connection(("127.0.0.1", self._server_port))
        self._pairs.append((client, server))
        self._selector.register(client, selectors.EVENT_READ, (server, False))
        self._selector.register(server, selectors.EVENT_READ, (client, True))

    def _pass_on(self, source: socket.socket, target: socket.socket, from_server: bool) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = source.recv(65_536)
        with contextlib.suppress(OSError):
            if data:
                target.sendall(self.tamper(data) if from_server else data)
                return
            target.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(source)
