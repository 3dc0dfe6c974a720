"""Counts what is not known of a device's clock as age: a pose that may be too old is too old."""

from __future__ import annotations

from collections.abc import Mapping

from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement, SupervisorSettings
from unity_bridge.wire.envelope import Validity

_NS_PER_MS = 1_000_000


class StampWatch:
    """Satisfies `navigation.live.supervisor.Watch`.

    Args:
        settings: the ages above which a pose is stale, and lost.
    """

    def __init__(self, settings: SupervisorSettings) -> None:
        self._settings = settings
        self._oldest_ns: dict[str, tuple[int, int]] = {}  # tool -> the time it may be from, and the bound in it

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        self._oldest_ns = {
            tool: ((frame.capture_ns if seen.capture_ns is None else seen.capture_ns) - bound_ns, bound_ns)
            for tool, seen in frame.tools.items()
            if (bound_ns := seen.stamp_bound_ns)
        }

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        found = {}
        for tool, (oldest_ns, bound_ns) in self._oldest_ns.items():
            age_ms = (now_ns - oldest_ns) / _NS_PER_MS
            if age_ms > self._settings.stale_after_ms:
                validity = Validity.LOST if age_ms > self._settings.lost_after_ms else Validity.STALE
                known_ms = bound_ns / _NS_PER_MS
                why = f"may be {age_ms:.0f} ms old: its device's clock is known to within {known_ms:.1f} ms"
                found[tool] = Judgement(validity, why)
        return found
