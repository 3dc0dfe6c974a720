"""Notices a device's clock that has jumped ahead: its frames look younger than they can be.

A clock that jumps back makes frames look old, and they are judged by their age. One that jumps ahead hides age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from unity_bridge.wire.envelope import Validity

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ClockSettings:
    """When a stamp is doubted.

    Attributes:
        learning_frames: the least age of a frame on its arrival is known after so many.
        younger_ms: a frame that is younger by more than this than any before, or further in the future, was stamped by
            a clock that has jumped.
        settle_frames: so many good stamps in a row end the doubt.
    """

    learning_frames: int = 100
    younger_ms: float = 15.0
    settle_frames: int = 20


class ClockWatch:
    """Satisfies `navigation.live.supervisor.Watch`: doubts every tool of a device whose stamps have jumped ahead."""

    def __init__(self, settings: ClockSettings | None = None) -> None:
        self._settings = settings or ClockSettings()
        self._least_ns = 0
        self._learned = 0
        self._good = 0
        self._held: dict[str, Judgement] = {}

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        bound_ns = max((seen.stamp_bound_ns for seen in frame.tools.values()), default=0)
        age_ns, settings = now_ns - frame.capture_ns, self._settings
        usual_ns = max(0, self._least_ns) if self._learned >= settings.learning_frames else 0
        missing_ms = (usual_ns - age_ns - bound_ns) / _NS_PER_MS
        if missing_ms > settings.younger_ms:
            self._good = 0
            why = (
                f"stamped {missing_ms:.0f} ms later than it can be: the device's clock has jumped, and no age is known"
            )
            self._held = dict.fromkeys(frame.tools, Judgement(Validity.STALE, why))
            return
        self._good += 1
        if self._good >= settings.settle_frames:
            self._held = {}
        self._least_ns = min(self._least_ns, age_ns) if self._learned else age_ns
        self._learned += 1

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self._held
