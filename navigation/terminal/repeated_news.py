"""Limits how often repeated messages are shown: the first at once, then a count each minute."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from navigation.clock import NS_PER_S

EVERY_NS = 60 * NS_PER_S


@dataclass
class _Known:
    """A kind of message: when its minute began, and how often it was shown and withheld in that minute."""

    since_ns: int
    said: int = 0
    withheld: int = 0


class RepeatedNews:
    """The first message of a kind is shown at once; further ones are counted, and the count is due after a minute.

    Beyond `most` kinds at a time, further kinds are counted together under the kind ``""``, so that memory is bounded.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def is_news(self, kind: str, now_ns: int, times: int = 1, at_once: int = 1) -> bool:
        """Whether to show the message now; otherwise it is counted.

        Args:
            kind: messages of the same kind are counted together.
            now_ns: the time, on the clock of `due`.
            times: how often it happened.
            at_once: how many of a kind are shown one by one in each minute.
        """
        if kind not in self._known and len(self._known) >= self._most:
            kind, at_once = "", 0
        known = self._known.setdefault(kind, _Known(now_ns))
        may_be_said = known.said < at_once
        known.said += may_be_said
        known.withheld += times - may_be_said
        return may_be_said

    def due(self, now_ns: int) -> list[tuple[str, int]]:
        """Kinds whose minute is over, each with its number of withheld messages.

        A kind without withheld messages is forgotten, so that its next message is shown at once.
        """
        over = [(kind, known) for kind, known in self._known.items() if now_ns - known.since_ns >= EVERY_NS]
        for kind, known in over:
            if known.withheld:
                self._known[kind] = _Known(now_ns, said=1)
            else:
                del self._known[kind]
        return [(kind, known.withheld) for kind, known in over if known.withheld]


class LineBudget:
    """Allows a burst of `at_once` lines, then one more every `every_ns`; the lines above that are counted."""

    def __init__(self, at_once: int, every_ns: int, now_ns: int) -> None:
        self._most_ns, self._every_ns = at_once * every_ns, every_ns
        self._saved_ns, self._at_ns = self._most_ns, now_ns
        self._withheld = 0

    def allows(self, now_ns: int) -> bool:
        self._saved_ns = min(self._most_ns, self._saved_ns + now_ns - self._at_ns)
        self._at_ns = now_ns
        if self._saved_ns < self._every_ns:
            self._withheld += 1
            return False
        self._saved_ns -= self._every_ns
        return True

    def take_withheld(self) -> int:
        count, self._withheld = self._withheld, 0
        return count
