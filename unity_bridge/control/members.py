"""The clients of a session: each run of a client's program, over any number of connections."""

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
class Member:
    """One run of a client's program.

    Attributes:
        name: name by which the client presents itself.
        key: its authenticated public key in Z85; empty without keys.
        stream: name of the run; empty for a client that gave none, which can neither send nor get events.
        window: its events and their answers.
        self_test: whether it passed the self-test.
        reasons: why it failed.
        issued: the test that is not answered yet.
        verdict: the verdict on the last test.
        pose_token: what admits it to the poses; None unless it passed, or where everybody is admitted.
        joined: whether it has sent Hello in this session.
        confirmed: number of the last server event that it confirmed.
        sent: number of the last server event that was sent to it.
        sent_ns: time of the last such sending, on the server's clock.
    """

    name: str
    key: str
    stream: str
    window: EventWindow = field(default_factory=EventWindow)
    self_test: SelfTestState = SelfTestState.UNTESTED
    reasons: tuple[str, ...] = ()
    issued: IssuedTest | None = None
    verdict: SelfTestVerdict | None = None
    pose_token: bytes | None = None
    joined: bool = False
    confirmed: int = 0
    sent: int = 0
    sent_ns: int = 0


class Members:
    """The known runs, at most 256: the one not heard from for longest is dropped first, but none that is connected."""

    def __init__(self) -> None:
        self._parties: OrderedDict[tuple[str, str], Member] = OrderedDict()

    def find(self, key: str, stream: str) -> Member | None:
        """The member that this key and stream belong to: nobody can speak for another's key."""
        member = self._parties.get((key, stream))
        if member is not None:
            self._parties.move_to_end((key, stream))
        return member

    def add(self, member: Member, connected: Collection[Member]) -> Member:
        """Keeps a new run; beyond 256, one that is not connected is dropped."""
        self._parties[member.key, member.stream] = member
        if len(self._parties) > MAX_PARTIES:
            gone = (who for who, other in self._parties.items() if other not in connected and other is not member)
            self._parties.pop(next(gone, next(iter(self._parties))))
        return member


def check_stream(stream: str) -> str:
    """Returns the name of a stream if it is valid, so that it can be used in files and logs.

    Raises:
        MalformedMessageError: the name is not valid.
    """
    if not _STREAM.fullmatch(stream):
        raise MalformedMessageError(
            f"the stream {stream[:70]!r}",
            "1 to 64 letters, digits and '-', such as a UUID",
            "draw a stream when the program starts",
        )
    return stream
