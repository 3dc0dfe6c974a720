"""Who does what clients ask for: the seam between the control socket and the operating room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from unity_bridge.control.event_window import Known, Outcome
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.messages import ClientEvent


@dataclass(frozen=True)
class Sender:
    """Who an event is from.

    Attributes:
        name: as the client presents itself: for people, never for decisions.
        key: its public key, Z85, which it has proved; empty without keys.
    """

    name: str
    key: str


class EventDesk(Protocol):
    """Is handed each event once."""

    @property
    def sessions(self) -> Iterable[str]:
        """Earlier sessions, hexadecimal, of which it knows every event that was begun."""
        ...

    def earlier(self, key: str, stream: str) -> Iterable[Known]:
        """What was answered to this client's events in earlier sessions, and what those events were."""
        ...

    def handle(self, event: ClientEvent, sender: Sender) -> Outcome | None:
        """Does it and says so, or refuses; None if that takes longer, and then `ControlServer.settle` ends it.

        Raises:
            SurgNavError: a refusal as well.
        """
        ...


class NoDesk:
    """For a server that takes no events: each is refused, none is dropped."""

    sessions: tuple[str, ...] = ()

    def earlier(self, key: str, stream: str) -> tuple[Known, ...]:
        return ()

    def handle(self, event: ClientEvent, sender: Sender) -> Outcome | None:
        raise EventRefusedError(
            f"the event '{event.kind[:40]}'", "no events: this server only streams", "do it at the server itself"
        )
