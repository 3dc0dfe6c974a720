"""Statistics of what a display showed: the age of the poses shown as valid, and the share of the time with valid poses.

The ages are computed here from capture times and the clock, independently of `age.py`, so that an error of the rule
there would show.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from geometry.clock import Clock
from unity_bridge.client.poses.age import AgeLimits, ShownPoses
from unity_bridge.client.reference_client import ReferenceClient
from unity_bridge.wire.envelope import Validity

FRAME_NS = 11_111_111  # a headset draws 90 times a second
_NS_PER_MS = 1_000_000
_STEPS_PER_MS = 10
_LAST_STEP = 100_000  # 10 s: older poses are counted in this step


@dataclass
class _Times:
    """Times of one tool in ns: shown as valid, and the longest and the current gap without."""

    valid_ns: int = 0
    longest_gap_ns: int = 0
    gap_ns: int = 0

    def add(self, valid_ns: int, rest_ns: int) -> None:
        self.valid_ns += valid_ns
        self.gap_ns = rest_ns if valid_ns > 0 else self.gap_ns + rest_ns
        self.longest_gap_ns = max(self.longest_gap_ns, self.gap_ns)


@dataclass(frozen=True)
class _Reading:
    now_ns: int
    age_ms: float | None
    valid: frozenset[str]


class DisplayLog:
    """Collects the readings of a display, in bounded memory.

    From one reading to the next a display shows what it read. A pose counts as valid until it exceeds the age limit,
    and as too old from then on.
    """

    def __init__(self, limits: AgeLimits) -> None:
        self._limits = limits
        self._ages: Counter[int] = Counter()
        self._age_max_ms = 0.0
        self._too_old_shown = 0
        self._readings = 0
        self._total_ns = self._too_old_ns = 0
        self._tools: dict[str, _Times] = {}
        self._last: _Reading | None = None

    def note(self, shown: ShownPoses | None, now_ns: int, server_ns: int | None) -> None:
        """Adds one reading.

        Args:
            shown: the poses that were shown; None if there were none.
            now_ns: time of the reading on the client's clock.
            server_ns: `now_ns` on the clock that stamps the poses; None if unknown.
        """
        self._close(now_ns)
        self._readings += 1
        ages_ms: dict[str, float] = {}
        age_ms = None
        if shown is not None and server_ns is not None:
            silent = shown.validity is Validity.STALE  # the server's word: no frame came when one was due
            age_ms = None if silent else (server_ns - shown.capture_ns) / _NS_PER_MS
            for name, tool in shown.tools.items():
                self._tools.setdefault(name, _Times(0, self._total_ns, self._total_ns))
                if tool.validity is Validity.VALID and tool.capture_ns is not None:
                    ages_ms[name] = (server_ns - tool.capture_ns) / _NS_PER_MS
        if ages_ms:
            oldest_ms = max(ages_ms.values())
            self._ages[min(_LAST_STEP, max(0, round(oldest_ms * _STEPS_PER_MS)))] += 1
            self._age_max_ms = max(self._age_max_ms, oldest_ms)
            self._too_old_shown += oldest_ms > self._limits.stale_after_ms
        self._last = _Reading(now_ns, age_ms, frozenset(ages_ms))

    def summary(self) -> dict[str, Any]:
        """The statistics as JSON: ages in ms (None if nothing was valid), times in s, shares of the whole time."""
        total_ns = max(1, self._total_ns)
        return {
            "readings": self._readings,
            "limits": asdict(self._limits),
            "valid_age_ms": {
                "p50": self._percentile(50.0),
                "p99": self._percentile(99.0),
                "max": self._age_max_ms if self._ages else None,
            },
            "valid_too_old": self._too_old_shown,
            "too_old_share": self._too_old_ns / total_ns,
            "valid_share": {name: times.valid_ns / total_ns for name, times in self._tools.items()},
            "longest_gap_s": {name: times.longest_gap_ns / 1e9 for name, times in self._tools.items()},
        }

    def _close(self, now_ns: int) -> None:
        """Assigns the time since the last reading to what was shown then."""
        last = self._last
        if last is None:
            return
        elapsed_ns = now_ns - last.now_ns
        left_ms = 0.0 if last.age_ms is None else max(0.0, self._limits.stale_after_ms - last.age_ms)
        young_ns = min(elapsed_ns, round(left_ms * _NS_PER_MS))
        self._total_ns += elapsed_ns
        self._too_old_ns += elapsed_ns - young_ns
        for name, times in self._tools.items():
            valid_ns = young_ns if name in last.valid else 0
            times.add(valid_ns, elapsed_ns - valid_ns)

    def _percentile(self, percent: float) -> float | None:
        wanted, reached = self._ages.total() * percent / 100.0, 0
        for step in sorted(self._ages):
            reached += self._ages[step]
            if reached >= wanted:
                return step / _STEPS_PER_MS
        return None


def watch(client: ReferenceClient, log: DisplayLog, clock: Clock, until_ns: int) -> None:
    """Polls the client and reads its poses once per frame, as a display does, until `until_ns` on `clock`."""
    due_ns = clock.now_ns()
    while (now_ns := clock.now_ns()) < until_ns:
        if now_ns < due_ns:
            client.poll(max(1, (due_ns - now_ns) // _NS_PER_MS))
            continue
        client.poll(0)
        shown, offset = client.newest, client.control.clock_offset
        read_ns = clock.now_ns() if shown is None else shown.read_ns
        log.note(shown, read_ns, None if offset is None else offset.to_server_ns(read_ns))
        due_ns = max(due_ns + FRAME_NS, read_ns)
