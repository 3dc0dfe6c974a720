"""The server's events of a session, numbered, for clients that are connected or return later."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import ServerEvent

MAX_KEPT = 256


@dataclass(frozen=True, kw_only=True)
class ServerNotice:
    """Something that changed at the server; the fields are those of `ServerEvent`, the kinds those of protocol.md."""

    kind: str
    name: str = ""
    validity: Validity | None = None
    reason: str = ""
    registration_id: str = ""
    sha256: str | None = None
    person: str = ""


class EventLog:
    """The newest 256 events of a session."""

    def __init__(self) -> None:
        self._events: deque[ServerEvent] = deque(maxlen=MAX_KEPT)
        self.last = 0

    @property
    def oldest(self) -> int:
        """Number of the oldest event kept; one more than `last` if there is none."""
        return self.last + 1 - len(self._events)

    def add(self, happening: ServerNotice, happened_ns: int) -> int:
        """Numbers an event and keeps it; returns its number."""
        self.last += 1
        self._events.append(ServerEvent(number=self.last, happened_ns=happened_ns, oldest_kept=0, **vars(happening)))
        return self.last

    def after(self, number: int, limit: int) -> tuple[ServerEvent, ...]:
        """Up to `limit` events after `number`, oldest first; events that are no longer kept are skipped."""
        start = max(number + 1, self.oldest)
        stop = min(self.last + 1, start + limit)
        return tuple(replace(self._events[n - self.oldest], oldest_kept=self.oldest) for n in range(start, stop))
