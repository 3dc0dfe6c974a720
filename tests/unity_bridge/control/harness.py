"""Events of a client, and a handler of events that remembers what it was asked."""

from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.event_window import Outcome
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.messages import (
    ClientEvent,
)

STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Handler:
    """Counts what is done; refuses what is called 'bad' and leaves pending what is called 'slow'."""

    def __init__(self, sessions=(), earlier=()) -> None:
        self.sessions, self._earlier = sessions, earlier
        self.done: list[tuple[str, str]] = []
        self.senders = []

    def earlier(self, key, stream):
        return self._earlier

    def handle(self, event, sender):
        self.done.append((event.kind, event.name))
        self.senders.append(sender)
        if event.name == "bad":
            raise EventRefusedError("a bad name", "a good one", "choose one")
        return None if event.name == "slow" else Outcome(f"{event.name} is done")


def event(number: int = 1, name: str = "xiphoid", stream: str = STREAM, session: bytes = bytes(16)) -> ClientEvent:
    return ClientEvent(
        stream=stream, number=number, kind="select_target", first_session=session.hex(), name=name, reason=""
    )


def notice(reason: str) -> ServerNotice:
    return ServerNotice(kind="notice", reason=reason)
