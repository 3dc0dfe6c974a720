"""Decides for each frame and tool whether its pose may be trusted: a small state machine that fails closed.

    valid    visible in the newest frame, which is young enough, and the marker fits its design
    suspect  visible, but the marker does not fit its design, or was found again only a few frames ago
    stale    the newest frame is too old, or no frame came when one was due
    lost     not visible, or the newest frame is far too old

Every state except ``valid`` has a reason. A pose relative to the reference is never in a better state than the
reference. All tools of a frame have the age of that frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geometry.frames import REFERENCE
from navigation.devices.frame_order import MAX_AHEAD_MS, Arrival, FrameOrder
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.errors import ServiceError
from unity_bridge.wire.envelope import Validity

_NS_PER_MS = 1_000_000

# What came instead of a new frame: none, an older one, or one from the future.
_INSTEAD = {
    None: "no new frame from the tracker",
    Arrival.OLDER: "the tracker delivers older frames",
    Arrival.AHEAD: "the tracker stamps its frames in the future",
}


@dataclass(frozen=True, kw_only=True)
class SupervisorSettings:
    """Thresholds of the supervisor.

    Attributes:
        max_fit_rms_mm: RMS fit error above which a marker counts as bent, dirty or partly hidden.
        settle_frames: number of consecutive good frames until a tool that was lost or suspect is valid again.
        stale_after_ms: age of a frame above which its poses are stale. At 20 mm/s, the speed of a guided tool, 100 ms
            are 2 mm, the error allowed for navigation as a whole; at 200 mm/s, that of a free movement, they are 20 mm.
            A working tracker stays below: 100 ms are ten frames at 100 Hz, and about three times the delay of a slow
            one.
        lost_after_ms: age of a frame above which its poses are lost. 250 ms is a person's visual reaction time: an
            older pose was shown before the hand began its present movement.
        max_ahead_ms: a frame stamped further in the future is refused, since its age is not known; clients do the same.

    Raises:
        ServiceError: age limits that are not above 0, or `lost_after_ms` below `stale_after_ms`.
    """

    max_fit_rms_mm: float = 0.8
    settle_frames: int = 3
    stale_after_ms: float = 100.0
    lost_after_ms: float = 250.0
    max_ahead_ms: float = MAX_AHEAD_MS

    def __post_init__(self) -> None:
        if not 0.0 < self.stale_after_ms <= self.lost_after_ms:
            raise ServiceError(
                f"poses that are stale after {self.stale_after_ms:g} ms and lost after {self.lost_after_ms:g} ms",
                "ages above 0 ms, and lost no earlier than stale",
                "correct SupervisorSettings",
            )


@dataclass(frozen=True)
class Judgement:
    """The state of a tool with its reason; the reason is empty exactly if the state is valid."""

    validity: Validity
    reason: str = ""


class Supervisor:
    """Holds the state of each tool.

    Args:
        tools: names of the tracked tools, including the reference.
        settings: thresholds.
    """

    def __init__(self, tools: tuple[str, ...], settings: SupervisorSettings | None = None) -> None:
        self._settings = settings or SupervisorSettings()
        self._order = FrameOrder(self._settings.max_ahead_ms)
        self._good_in_a_row = dict.fromkeys(tools, 0)
        self._seen: Mapping[str, Judgement] = {}

    def judge(self, frame: TrackerFrame | None, now_ns: int) -> Mapping[str, Judgement]:
        """The state of each tool in `frame` at `now_ns`; `frame` is None if the tracker gave none in time.

        A frame may be judged again: this counts as no new observation, but its age has grown.
        """
        before = self._order.newest
        arrival = None if frame is None else self._order.take(frame, now_ns)
        newest = self._order.newest
        if newest is None:
            why = _INSTEAD[Arrival.AHEAD] if arrival is Arrival.AHEAD else "no frame from the tracker yet"
            return self._all(Judgement(Validity.LOST, why))
        age_ms = (now_ns - newest.capture_ns) / _NS_PER_MS
        if arrival is Arrival.NEW:
            gap_ms = 0.0 if before is None else (newest.capture_ns - before.capture_ns) / _NS_PER_MS
            if max(age_ms, gap_ms) > self._settings.lost_after_ms:
                self._good_in_a_row = dict.fromkeys(self._good_in_a_row, 0)
            self._seen = self._judge_tools(newest)
        if arrival in (Arrival.NEW, Arrival.REPEATED):
            return self._aged(age_ms)
        return self._silence(age_ms, arrival)

    def is_aged(self, judged_ns: int, now_ns: int) -> bool:
        """Whether the newest frame has passed an age limit since it was judged."""
        newest = self._order.newest
        if newest is None:
            return False
        limits_ms = self._settings.stale_after_ms, self._settings.lost_after_ms
        judged_ms, now_ms = ((each_ns - newest.capture_ns) / _NS_PER_MS for each_ns in (judged_ns, now_ns))
        return any(judged_ms <= limit_ms < now_ms for limit_ms in limits_ms)

    def _judge_tools(self, frame: TrackerFrame) -> Mapping[str, Judgement]:
        own = {tool: self._judge_tool(tool, frame.tools.get(tool)) for tool in self._good_in_a_row}
        reference = own[REFERENCE]
        if reference.validity is Validity.VALID:
            return own
        return {tool: reference if tool == REFERENCE else _depends(judged, reference) for tool, judged in own.items()}

    def _judge_tool(self, tool: str, observation: ToolObservation | None) -> Judgement:
        if observation is None or observation.visibility is not Visibility.VISIBLE:
            self._good_in_a_row[tool] = 0
            return Judgement(Validity.LOST, "not reported" if observation is None else observation.visibility.value)
        fit_rms_mm = observation.fit_rms_mm
        if fit_rms_mm is None or fit_rms_mm > self._settings.max_fit_rms_mm:
            self._good_in_a_row[tool] = 0
            return Judgement(Validity.SUSPECT, "the marker does not fit its design")
        self._good_in_a_row[tool] += 1
        if self._good_in_a_row[tool] < self._settings.settle_frames:
            return Judgement(Validity.SUSPECT, "found again, settling")
        return Judgement(Validity.VALID)

    def _aged(self, age_ms: float) -> Mapping[str, Judgement]:
        """The states in the newest frame, replaced by stale or lost if its age is above a limit."""
        if age_ms <= self._settings.stale_after_ms:
            return self._seen
        validity = Validity.LOST if age_ms > self._settings.lost_after_ms else Validity.STALE
        aged = Judgement(validity, f"the frame is {age_ms:.0f} ms old")
        return {tool: seen if seen.validity is Validity.LOST else aged for tool, seen in self._seen.items()}

    def _silence(self, age_ms: float, arrival: Arrival | None) -> Mapping[str, Judgement]:
        last = f"the last is {age_ms:.0f} ms old"
        if age_ms <= self._settings.lost_after_ms:
            return self._all(Judgement(Validity.STALE, f"{_INSTEAD[arrival]}: {last}"))
        self._good_in_a_row = dict.fromkeys(self._good_in_a_row, 0)
        why = "the tracker is silent" if arrival is None else _INSTEAD[arrival]
        return self._all(Judgement(Validity.LOST, f"{why}: {last}"))

    def _all(self, judged: Judgement) -> Mapping[str, Judgement]:
        return dict.fromkeys(self._good_in_a_row, judged)


def _depends(own: Judgement, reference: Judgement) -> Judgement:
    """The state of a tool while the reference is not valid: lost if the tool is lost, else that of the reference."""
    if own.validity is Validity.LOST:
        return own
    return Judgement(reference.validity, f"reference {reference.validity.value}: {reference.reason}")
