"""Interface between the control socket and whoever executes the clients' events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from unity_bridge.control.event_window import Known, Outcome
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.messages import ClientEvent


@dataclass(frozen=True)
class Sender:
    """The client that sent an event.

    Attributes:
        name: name by which the client presents itself: to be shown, never to be trusted.
        key: its authenticated public key in Z85; empty without keys.
    """

    name: str
    key: str


class EventHandler(Protocol):
    """Executes events; each is handed over once."""

    @property
    def sessions(self) -> Iterable[str]:
        """Ids, hexadecimal, of earlier sessions whose events are all known, executed or not."""
        ...

    def earlier(self, key: str, stream: str) -> Iterable[Known]:
        """The events of this client in earlier sessions, with their answers."""
        ...

    def handle(self, event: ClientEvent, sender: Sender) -> Outcome | None:
        """Executes or refuses the event; None if it is still pending, to be ended by `ControlServer.settle`.

        Raises:
            SurgNavError: the event is refused, with this reason.
        """
        ...


class NoEventHandler:
    """Handler of a server that takes no events: it refuses each of them."""

    sessions: tuple[str, ...] = ()

    def earlier(self, key: str, stream: str) -> tuple[Known, ...]:
        return ()

    def handle(self, event: ClientEvent, sender: Sender) -> Outcome | None:
        raise EventRefusedError(
            f"the event '{event.kind[:40]}'", "no events: this server only streams", "do it at the server itself"
        )
