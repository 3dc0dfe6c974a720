"""Who was kept or put out: each said once in the log `surgnav.wire`, and then once a minute how often again.

One process says it, so that a client which knocks at every socket is one piece of news: the pose process hands what
it refused to the service.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from navigation.clock import Clock
from navigation.terminal.foreign_text import shown
from navigation.terminal.repeated_news import RepeatedNews
from unity_bridge.transport.authentication import Refusal

LOG = "surgnav.wire"
# "3,543 bytes at once" and "3,544 bytes at once" are one thing that happens again, and so are all the ways in which
# somebody without a key does not get through a handshake.
_NUMBER = re.compile(r"\b\d[\d,.]*\b")
_NO_HANDSHAKE = "no handshake"


class RefusalNews:
    """Call `log` often, with nothing too: that is when the counts are said."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._repeated = RepeatedNews()
        self._log = logging.getLogger(LOG)

    def log(self, refusals: Iterable[Refusal]) -> None:
        now_ns = self._clock.now_ns()
        for refusal in refusals:
            who, why = shown(refusal.address or "a peer", 60), shown(refusal.reason, 200)
            what = _NO_HANDSHAKE if why.startswith(_NO_HANDSHAKE) else _NUMBER.sub("#", why)
            kind = f"{who}, {what}" if refusal.address else what
            if self._repeated.is_news(kind, now_ns, refusal.count):
                self._log.warning("refused %s: %s", who, why)
        for kind, count in self._repeated.due(now_ns):
            self._log.warning("%d more refused in a minute: %s", count, kind or "many kinds")


@dataclass(frozen=True)
class Refused:
    """From the pose process to the service."""

    refusals: tuple[Refusal, ...]


HEARD = "heard"


class RefusalForwarder:
    """Sends one message at a time, the next when the last was heard: the pipe never fills, and poses never wait.

    Args:
        take: what was refused since it was last asked; it counts meanwhile.
    """

    def __init__(self, send: Callable[[Refused], None], take: Callable[[], tuple[Refusal, ...]]) -> None:
        self._send, self._take = send, take
        self._may_send = True

    def heard(self) -> None:
        """The service has taken the last message."""
        self._may_send = True

    def forward(self) -> None:
        if self._may_send and (refusals := self._take()):
            self._may_send = False
            self._send(Refused(refusals))
