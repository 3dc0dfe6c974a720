"""Who was kept or put out, in the log `surgnav.wire`: each once, and then once a minute how often again."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from navigation.clock import Clock
from navigation.foreign_text import shown
from navigation.repeated_news import RepeatedNews
from unity_bridge.authentication import Refusal

# "3,543 bytes at once" and "3,544 bytes at once" are one thing that happens again.
_NUMBER = re.compile(r"\b\d[\d,.]*\b")


class RefusalLog:
    """Call `log` often, with nothing too: that is when the counts are said."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._repeated = RepeatedNews()
        self._log = logging.getLogger("surgnav.wire")

    def log(self, refusals: Iterable[Refusal]) -> None:
        now_ns = self._clock.now_ns()
        for refusal in refusals:
            who, why = shown(refusal.address or "a peer", 60), shown(refusal.reason, 200)
            kind = f"from {who}: {_NUMBER.sub('#', why)}"
            if self._repeated.is_news(kind, now_ns, refusal.count):
                self._log.warning("refused %s: %s", who, why)
        for kind, count in self._repeated.due(now_ns):
            self._log.warning("%d more refused in a minute%s", count, f" {kind}" if kind else ", of many kinds")
