"""Divides the surface server's bandwidth fairly: a client that takes all it can must not slow down the others."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ShareSettings:
    """When a client has received more than its share.

    Attributes:
        lead_bytes: largest lead over another client, within the last one to two periods.
        period_ns: length of a period; requests and bytes older than two periods are forgotten.
    """

    lead_bytes: int = 1_048_576
    period_ns: int = 100_000_000


class FairShare:
    """Counts bytes by client; uses no sockets and no clock.

    Requests are served in turn, but one client may request 256 KiB at a time and another, which must not fill a link
    shared with poses, only 8 KiB. A client that is ahead gets small pieces until the others have caught up or stopped.
    """

    def __init__(self, settings: ShareSettings | None = None) -> None:
        self._settings = settings or ShareSettings()
        self._period = 0
        self._now: dict[Hashable, int] = {}
        self._before: dict[Hashable, int] = {}

    def is_ahead(self, who: Hashable, now_ns: int) -> bool:
        """Whether this client, which makes a request now, has received more than its share."""
        period = now_ns // self._settings.period_ns
        if period != self._period:
            self._before = self._now if period == self._period + 1 else {}
            self._now, self._period = {}, period
        self._now.setdefault(who, 0)
        had = {each: self._now.get(each, 0) + self._before.get(each, 0) for each in self._now | self._before}
        return had[who] - min(had.values()) > self._settings.lead_bytes

    def took(self, who: Hashable, byte_count: int) -> None:
        """Counts bytes that were sent to a client."""
        self._now[who] = self._now.get(who, 0) + byte_count
