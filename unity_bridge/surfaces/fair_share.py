"""Who has had how much lately: so that a client that takes all it can leaves the others as much as they want."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ShareSettings:
    """When a client has had more than its share.

    Attributes:
        lead_bytes: ahead of another client by more than this, within the last one to two periods.
        period_ns: what is longer ago than two of these is forgotten, and so is who asked.
    """

    lead_bytes: int = 1_048_576
    period_ns: int = 100_000_000


class FairShare:
    """Counts bytes by client; knows nothing of sockets and reads no clock.

    Requests are served in turn, but one asks for 256 KiB at a time and another, careful not to fill a link that poses
    share, for 8. So who is ahead gets small pieces until the others have had as much, or have stopped asking.
    """

    def __init__(self, settings: ShareSettings | None = None) -> None:
        self._settings = settings or ShareSettings()
        self._period = 0
        self._now: dict[Hashable, int] = {}
        self._before: dict[Hashable, int] = {}

    def is_ahead(self, who: Hashable, now_ns: int) -> bool:
        """Whether this client, which is asking now, has had more than its share."""
        period = now_ns // self._settings.period_ns
        if period != self._period:
            self._before = self._now if period == self._period + 1 else {}
            self._now, self._period = {}, period
        self._now.setdefault(who, 0)
        had = {each: self._now.get(each, 0) + self._before.get(each, 0) for each in self._now | self._before}
        return had[who] - min(had.values()) > self._settings.lead_bytes

    def took(self, who: Hashable, byte_count: int) -> None:
        """Takes in that so much was sent to a client that has just asked."""
        self._now[who] = self._now.get(who, 0) + byte_count
