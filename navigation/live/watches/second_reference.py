"""Compares the reference with a second one on the same patient: if one of the two was moved, they drift apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from unity_bridge.wire.envelope import Validity


@dataclass(frozen=True, kw_only=True)
class SecondReferenceSettings:
    """What counts as drift.

    Attributes:
        frames: so many in which both are seen are averaged.
        most_mm, most_deg: the second reference may be off by this, relative to the first.
        back_share: the doubt ends below this share of it.
    """

    frames: int = 25
    most_mm: float = 1.5
    most_deg: float = 1.0
    back_share: float = 0.5


class SecondReferenceWatch:
    """Satisfies `navigation.live.supervisor.Watch`; says that the reference was moved, though it may be the second.

    Args:
        second: the tool that is fixed to the same patient.
    """

    def __init__(self, second: str, settings: SecondReferenceSettings | None = None) -> None:
        self._second, self._settings = second, settings or SecondReferenceSettings()
        self._recent: deque[Floats] = deque(maxlen=self._settings.frames)
        self._first: Floats | None = None
        self._held: dict[str, Judgement] = {}

    def registered(self) -> None:
        """Where the two are from now on is where they belong: another registration is in force."""
        self._first = None
        self._recent.clear()
        self._held = {}

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        reference, second = frame.tools.get(REFERENCE), frame.tools.get(self._second)
        if reference is None or second is None or reference.capture_ns != second.capture_ns:
            return
        if reference.T_tracker_tool is None or second.T_tracker_tool is None:
            return
        self._recent.append((reference.T_tracker_tool.inverse() @ second.T_tracker_tool).matrix)
        if len(self._recent) < self._settings.frames:
            return
        now = np.mean(self._recent, axis=0)
        if self._first is None:
            self._first = now
        else:
            self._judge(self._first, now)

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self._held

    def _judge(self, first: Floats, now: Floats) -> None:
        off_mm = float(np.linalg.norm(now[:3, 3] - first[:3, 3]))
        cosine = (float(np.vdot(now[:3, :3], first[:3, :3])) - 1.0) / 2.0
        off_deg = float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))
        share = max(off_mm / self._settings.most_mm, off_deg / self._settings.most_deg)
        if share > 1.0:
            why = f"it and '{self._second}' are {off_mm:.1f} mm and {off_deg:.1f} degrees off: one of them was moved"
            self._held = {REFERENCE: Judgement(Validity.SUSPECT, why)}
        elif share <= self._settings.back_share:
            self._held = {}
