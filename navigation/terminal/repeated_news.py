"""News that may come without end, said once and then counted: a screen is for people."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from navigation.clock import NS_PER_S

EVERY_NS = 60 * NS_PER_S


@dataclass
class _Known:
    """A kind of news: when its minute began, how often it was said in it, and how often it was not."""

    since_ns: int
    said: int = 0
    withheld: int = 0


class RepeatedNews:
    """Says the first of a kind at once; more within a minute are counted, and the count is said when it is over.

    Bounded: beyond `most` kinds at a time the others are counted together, under the kind ``""``.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def is_news(self, kind: str, now_ns: int, times: int = 1, at_once: int = 1) -> bool:
        """Whether to say it now.

        Args:
            times: how often it happened.
            at_once: how many a minute are said one by one.
        """
        if kind not in self._known and len(self._known) >= self._most:
            kind, at_once = "", 0
        known = self._known.setdefault(kind, _Known(now_ns))
        may_be_said = known.said < at_once
        known.said += may_be_said
        known.withheld += times - may_be_said
        return may_be_said

    def due(self, now_ns: int) -> list[tuple[str, int]]:
        """Kinds whose minute is over, with how often they came unsaid; a kind that was quiet is news again."""
        over = [(kind, known) for kind, known in self._known.items() if now_ns - known.since_ns >= EVERY_NS]
        for kind, known in over:
            if known.withheld:
                self._known[kind] = _Known(now_ns, said=1)
            else:
                del self._known[kind]
        return [(kind, known.withheld) for kind, known in over if known.withheld]


class LineBudget:
    """So many lines at once, and then one each `every_ns`; how many more there were is counted."""

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
