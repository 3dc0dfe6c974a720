"""Who takes part: a client's program from its start to its end, over however many connections."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from unity_bridge.control.event_window import EventWindow
from unity_bridge.control.self_test import IssuedTest
from unity_bridge.errors import MalformedMessageError
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import SelfTestVerdict

MAX_PARTIES = 256
_STREAM = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(eq=False)
class Party:
    """One run of a client's program.

    Attributes:
        name: as it presents itself; `key`: that it proved, Z85, empty without keys.
        stream: names the run; from a client that says none it is "", and then it can neither send nor get events.
        self_test, reasons: whether it may show anything and be heard; why it failed.
        issued: the test under way; `verdict`: on the last one.
        joined: it has said Hello in this session.
        confirmed: the last of the server's events that it has taken in; `sent`: the last that was sent; `sent_ns`: when
            something was sent last.
    """

    name: str
    key: str
    stream: str
    window: EventWindow = field(default_factory=EventWindow)
    self_test: SelfTestState = SelfTestState.UNTESTED
    reasons: tuple[str, ...] = ()
    issued: IssuedTest | None = None
    verdict: SelfTestVerdict | None = None
    joined: bool = False
    confirmed: int = 0
    sent: int = 0
    sent_ns: int = 0


class Parties:
    """Bounded: the longest unheard of go first, but nobody who is connected."""

    def __init__(self) -> None:
        self._parties: OrderedDict[tuple[str, str], Party] = OrderedDict()

    def find(self, key: str, stream: str) -> Party | None:
        """The party that this key and stream belong to: nobody can speak for another's key."""
        party = self._parties.get((key, stream))
        if party is not None:
            self._parties.move_to_end((key, stream))
        return party

    def add(self, party: Party, connected: Collection[Party]) -> Party:
        """Keeps a new party with a stream; one of those that are not connected makes room."""
        self._parties[party.key, party.stream] = party
        if len(self._parties) > MAX_PARTIES:
            gone = (who for who, other in self._parties.items() if other not in connected and other is not party)
            self._parties.pop(next(gone, next(iter(self._parties))))
        return party


def check_stream(stream: str) -> str:
    """Returns a stream's name that can stand in files and logs.

    Raises:
        MalformedMessageError: it cannot.
    """
    if not _STREAM.fullmatch(stream):
        raise MalformedMessageError(
            f"the stream {stream[:70]!r}", "1 to 64 letters, digits and '-', such as a UUID", "draw one at the start"
        )
    return stream
