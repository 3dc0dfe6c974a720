"""A client of raw sockets, which may send whatever it likes."""

import zmq

from geometry.clock import ManualClock
from unity_bridge.wire.envelope import NO_SESSION, Session
from unity_bridge.wire.messages import (
    Hello,
    decode_message,
    encode_message,
)

SESSION = Session(NO_SESSION, ManualClock())
HELLO = Hello(client_name="client", program="test")


class Peer:
    """A client that says exactly what the test says."""

    def __init__(self, endpoint: str, **options: int) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.connect(endpoint)
        self.sequence = 0

    def say(self, message, session: Session = SESSION) -> None:
        self.sequence += 1
        self.socket.send(encode_message(message, session, self.sequence))

    def hear(self, server, tries: int = 200):
        """The server's next answer, or None if there is none."""
        for _ in range(tries):
            server.poll(5)
            if self.socket.poll(5):
                return decode_message(self.socket.recv())[1]
        return None

    def ask(self, server, message, session: Session = SESSION):
        self.say(message, session=session)
        return self.hear(server)

    def close(self) -> None:
        self.context.destroy(linger=0)
