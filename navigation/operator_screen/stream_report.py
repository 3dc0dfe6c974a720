"""Reports the age of the poses to the operator: when they become too old or recover, and once a minute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from navigation.clock import NS_PER_S
from navigation.live.pose_vitals import Vitals

_NS_PER_MS = 1_000_000
# Shorter outages are only counted in the line of each minute: lines that come and go so fast cannot be read.
_OLD_FOR_NS = 400 * _NS_PER_MS
_YOUNG_FOR_NS = NS_PER_S
_ALARM_EVERY_NS = 10 * NS_PER_S


@dataclass
class _Outage:
    """An outage: poses are too old to be shown.

    Attributes:
        since_ns: when the outage began.
        dropped_before: number of frames that had been dropped by then.
        is_told: whether the operator was told.
    """

    since_ns: int
    dropped_before: int
    is_told: bool


class StreamReport:
    """Makes the lines on the age of the poses; call `lines` often.

    Args:
        stale_after_ms: age above which poses are not shown as valid.
        now_ns: the time of the start.
        every_s: interval of the lines that report the ages.
    """

    def __init__(self, stale_after_ms: float, now_ns: int, every_s: float = 60.0) -> None:
        self._stale_ns = round(stale_after_ms * _NS_PER_MS)
        self._every_ns = round(every_s * NS_PER_S)
        self._told: tuple[int, Vitals | None] = now_ns, None
        self._outage: _Outage | None = None
        self._alarmed_ns = now_ns - _ALARM_EVERY_NS
        self._old_ns = self._start_ns = now_ns  # the last time at which the newest frame was too old
        self._outages = 0

    def lines(self, vitals: Vitals, now_ns: int) -> list[tuple[str, bool]]:
        """The lines to show now, each with True if it reports a problem."""
        captured_ns = self._start_ns if vitals.capture_ns is None else vitals.capture_ns
        age_ns = now_ns - captured_ns
        if age_ns > self._stale_ns:
            self._old_ns = now_ns
        news: list[tuple[str, bool]] = []
        if self._outage is None and age_ns > self._stale_ns + _OLD_FOR_NS:
            news += self._begin(vitals, captured_ns, now_ns)
        elif self._outage is not None and now_ns - self._old_ns > _YOUNG_FOR_NS:
            news += self._end(self._outage, vitals)
        if now_ns - self._told[0] >= self._every_ns:
            news.append((self._minute(vitals, now_ns), False))
        return news

    def _begin(self, vitals: Vitals, captured_ns: int, now_ns: int) -> list[tuple[str, bool]]:
        is_told = now_ns - self._alarmed_ns >= _ALARM_EVERY_NS
        self._outage = _Outage(captured_ns + self._stale_ns, vitals.frames_dropped, is_told)
        self._outages += 1
        if not is_told:
            return []
        self._alarmed_ns = now_ns
        limit = f"(limit {self._stale_ns / _NS_PER_MS:g} ms)"
        if vitals.capture_ns is None:
            return [(f"no pose can be shown: no frame from the tracker for {_seconds(now_ns - captured_ns)}", True)]
        return [(f"poses are too old to be shown: the newest is {_seconds(now_ns - captured_ns)} old {limit}", True)]

    def _end(self, outage: _Outage, vitals: Vitals) -> list[tuple[str, bool]]:
        self._outage = None
        if not outage.is_told:
            return []
        dropped = vitals.frames_dropped - outage.dropped_before
        lasted = _seconds(max(0, self._old_ns - outage.since_ns))
        return [(f"poses are young again, after {lasted}; {dropped} frames of the tracker were dropped", False)]

    def _minute(self, vitals: Vitals, now_ns: int) -> str:
        since_ns, before = self._told
        self._told, outages, self._outages = (now_ns, vitals), self._outages, 0
        ages = vitals.ages_ms if before is None else vitals.ages_ms - before.ages_ms
        dropped = vitals.frames_dropped - (0 if before is None else before.frames_dropped)
        seconds = (now_ns - since_ns) / NS_PER_S
        middle, most, oldest = (_within_ms(ages, share) for share in (0.5, 0.99, 1.0))
        known = f", age {middle} ms in the middle, {most} for 99 of 100, {oldest} at most" if ages.any() else ""
        counted = f", {dropped} frames of the tracker dropped" + (f", too old {outages} times" if outages else "")
        return f"poses of the last {seconds:.0f} s: {ages.sum() / seconds:.0f} a second{known}{counted}"


def _within_ms(ages: np.ndarray, share: float) -> str:
    """The age in whole ms that a `share` of the batches did not exceed; ``over 1000`` beyond the histogram."""
    reached = np.cumsum(ages)
    at = int(np.searchsorted(reached, share * reached[-1]))
    return f"{at + 1}" if at < len(ages) - 1 else f"over {len(ages) - 1}"


def _seconds(ns: int) -> str:
    return f"{ns / NS_PER_S:.1f} s"
