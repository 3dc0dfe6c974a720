"""Notices what becomes worse slowly: how well a marker fits its design, and how many frames a device makes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from unity_bridge.wire.envelope import Validity

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class TrendSettings:
    """When a trend is doubted; the doubt ends half-way back.

    Attributes:
        learning_frames: what is usual is the median of the first so many.
        recent_frames: what is now is the median of the last so many.
        fit_times, fit_mm: a fit error is doubted above both so many times the usual one and this.
        rate_share: a device that makes less than this share of its usual frames is doubted.
    """

    learning_frames: int = 100
    recent_frames: int = 50
    fit_times: float = 2.0
    fit_mm: float = 0.4
    rate_share: float = 0.5


@dataclass
class _Trend:
    first: list[float] = field(default_factory=list)
    usual: float | None = None
    recent: deque[float] = field(default_factory=deque)

    def add(self, value: float, settings: TrendSettings) -> float | None:
        """Takes a value in; what is now, from time to time, once it is known what is usual."""
        if self.usual is None:
            self.first.append(value)
            if len(self.first) >= settings.learning_frames:
                self.usual = median(self.first)
                self.first.clear()
            return None
        self.recent.append(value)
        if len(self.recent) < settings.recent_frames:
            return None
        now = median(self.recent)
        for _ in range(settings.recent_frames // 5):
            self.recent.popleft()
        return now


class FitWatch:
    """Doubts a tool whose marker fits its design less and less: bent, dirty, or another tool's.

    Satisfies `navigation.live.supervisor.Watch`.
    """

    def __init__(self, settings: TrendSettings | None = None) -> None:
        self._settings = settings or TrendSettings()
        self._trends: dict[str, _Trend] = {}
        self._held: dict[str, Judgement] = {}

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        for tool, seen in frame.tools.items():
            if seen.fit_rms_mm is None:
                continue
            trend = self._trends.setdefault(tool, _Trend())
            now_mm = trend.add(seen.fit_rms_mm, self._settings)
            if now_mm is not None and trend.usual is not None:
                self._judge(tool, now_mm, trend.usual)

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self._held

    def _judge(self, tool: str, now_mm: float, usual_mm: float) -> None:
        limit_mm = max(self._settings.fit_mm, self._settings.fit_times * usual_mm)
        if now_mm > limit_mm:
            why = f"its marker fits its design by {now_mm:.2f} mm, where {usual_mm:.2f} mm are usual: clean or check it"
            self._held[tool] = Judgement(Validity.SUSPECT, why)
        elif now_mm <= (limit_mm + usual_mm) / 2.0:
            self._held.pop(tool, None)


class RateWatch:
    """Doubts all tools while the device that sees the reference makes far fewer frames than it did.

    The device's own numbers are counted, so that frames that this program passed over on a busy machine count as made.
    Satisfies `navigation.live.supervisor.Watch`.

    Args:
        tools: what is doubted then.
    """

    def __init__(self, tools: tuple[str, ...], settings: TrendSettings | None = None) -> None:
        self._tools, self._settings = tools, settings or TrendSettings()
        self._trend = _Trend()
        self._last: tuple[int, int] | None = None
        self._why = ""

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        before, self._last = self._last, (frame.sequence, frame.capture_ns)
        if before is None or frame.sequence <= before[0]:
            return  # the first, or a device that counts anew
        made_hz = (frame.sequence - before[0]) * _NS_PER_S / max(1, frame.capture_ns - before[1])
        now_hz, usual_hz = self._trend.add(made_hz, self._settings), self._trend.usual
        if now_hz is None or usual_hz is None:
            return
        share = now_hz / usual_hz
        if share < self._settings.rate_share:
            self._why = f"the tracker makes {now_hz:.0f} frames a second, where {usual_hz:.0f} are usual"
        elif share >= (1.0 + self._settings.rate_share) / 2.0:
            self._why = ""

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return dict.fromkeys(self._tools, Judgement(Validity.SUSPECT, self._why)) if self._why else {}
