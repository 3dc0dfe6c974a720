"""A TCP proxy that cuts the link after so many bytes, or swallows what comes: what a headset's radio does."""

import contextlib
import select
import socket
import threading


class CuttingProxy:
    """Forwards to `endpoint`; each connection in turn is cut after its share of bytes, the rest are left alone.

    Attributes:
        endpoint: where clients connect.
        bytes_down: that the server sent, those that a cut threw away included.
        cuts: made so far.
        connections: accepted so far.
    """

    def __init__(self, endpoint: str, cut_after: list[int]) -> None:
        host, port = endpoint.removeprefix("tcp://").split(":")
        self._server = host, int(port)
        self._cut_after = list(cut_after)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes_down = 0
        self.cuts = 0
        self.connections = 0
        self._first_alive = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def swallow(self) -> None:
        """The connections of this moment stay open, and nothing comes through them any more; new ones work."""
        self._first_alive = self.connections

    def close(self) -> None:
        self._closing.set()
        self._thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        threads = []
        while not self._closing.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                client, _ = self._listener.accept()
                threads.append(threading.Thread(target=self._forward, args=(client, self.connections), daemon=True))
                self.connections += 1
                threads[-1].start()
        for thread in threads:
            thread.join(10)

    def _forward(self, client: socket.socket, number: int) -> None:
        allowed = self._cut_after[0] if self._cut_after else None
        carried = 0
        with client, socket.create_connection(self._server) as server, contextlib.suppress(OSError):
            while not self._closing.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(65_536)
                    if not data:
                        return
                    if number < self._first_alive:
                        continue
                    if ready is client:
                        server.sendall(data)
                        continue
                    self.bytes_down += len(data)
                    carried += len(data)
                    if allowed is not None and carried > allowed:
                        self._cut_after.pop(0)
                        self.cuts += 1
                        return  # this piece is lost with the link
                    client.sendall(data)
