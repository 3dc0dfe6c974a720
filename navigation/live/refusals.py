"""Logs refused clients in `surgnav.wire`: each kind of refusal at once, and then a count once a minute.

In `surgnav.headset` it logs what clients did.

Only the service logs, so that a client that tries every socket is logged once: the pose process sends its refusals to
the service.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from navigation.clock import Clock
from navigation.terminal.foreign_text import quoted, shown
from navigation.terminal.repeated_news import RepeatedNews
from unity_bridge.control.server import ControlEvent
from unity_bridge.transport.authentication import Refusal
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import ClientEvent, SelfTestVerdict

LOG, EVENTS_LOG = "surgnav.wire", "surgnav.headset"
# Reasons that differ only in their numbers ("3,543 bytes at once") are one kind, and so are all the failures of a
# handshake without a key.
_NUMBER = re.compile(r"\b\d[\d,.]*\b")
_NO_HANDSHAKE = "no handshake"


class RefusalNews:
    """Logs refusals. Call `log` often, also without refusals, since it logs the counts."""

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
    """Refusals that the pose process sends to the service."""

    refusals: tuple[Refusal, ...]


HEARD = "heard"


class RefusalForwarder:
    """Sends one message at a time and waits for its acknowledgement, so that the pipe never fills and delays poses.

    Args:
        send: sends a message to the service.
        take: returns the refusals since its last call, and counts those that come in between.
    """

    def __init__(self, send: Callable[[Refused], None], take: Callable[[], tuple[Refusal, ...]]) -> None:
        self._send, self._take = send, take
        self._may_send = True

    def heard(self) -> None:
        """Notes that the service has acknowledged the last message."""
        self._may_send = True

    def forward(self) -> None:
        if self._may_send and (refusals := self._take()):
            self._may_send = False
            self._send(Refused(refusals))


def log_events(events: Sequence[ControlEvent]) -> None:
    """What an operator has to know: who may not show anything, and what was done or asked at a headset."""
    log = logging.getLogger(EVENTS_LOG)
    for event in events:
        who, what, answer = quoted(event.client_name), event.what, event.answer
        if isinstance(what, SelfTestVerdict) and what.state is SelfTestState.FAILED:
            log.warning(
                "%s gets no poses, must show nothing, and is not heard: %s", who, shown("; ".join(what.reasons), 300)
            )
        elif isinstance(what, ClientEvent) and answer is not None:
            said = shown(answer.note or answer.came or "", 200)
            log.info("%s, %s: %s %s", who, shown(what.kind, 40), answer.outcome, said)
