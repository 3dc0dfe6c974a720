"""Decides, frame by frame, what may be trusted: a small state machine per tool that fails closed.

    valid    seen in the newest frame, which is young enough, and the marker fits its design
    suspect  seen, but the marker does not fit, or it was found again only just now
    stale    the newest frame is too old, or none came when one was due
    lost     not seen, or the newest frame is far too old

Anything but ``valid`` carries its reason, and whatever is measured relative to the reference inherits the
reference's trouble. All tools of a frame are as old as it: the reference among them, and so everything.
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

# What came instead of a new frame: nothing, an older one, one from the future.
_INSTEAD = {
    None: "no new frame from the tracker",
    Arrival.OLDER: "the tracker delivers older frames",
    Arrival.AHEAD: "the tracker stamps its frames in the future",
}


@dataclass(frozen=True, kw_only=True)
class SupervisorSettings:
    """Thresholds.

    Attributes:
        max_fit_rms_mm: a marker that fits its design worse is bent, dirty or partly hidden.
        settle_frames: so many good frames in a row before a tool that was lost or suspect is believed again.
        stale_after_ms: age of a frame above which its poses are stale. A hand guides a tool at some 20 mm/s, and moves
            it freely at 200: 100 ms are 2 mm, as much as a whole navigation may err, and 20 mm. It is also ten frames
            of a tracker at 100 Hz, and some three times the delay of a slow one: a healthy one never gets there.
        lost_after_ms: age above which they are lost. 250 ms is how long a person takes to react to what is seen: what
            is older was shown before the hand began the movement that it now makes.
        max_ahead_ms: a frame stamped further in the future is refused: its age cannot be known. As clients do it.
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
                "ages above 0, and lost no earlier than stale",
                "correct SupervisorSettings",
            )


@dataclass(frozen=True)
class Judgement:
    """A state with its reason; the reason is empty exactly if the state is valid."""

    validity: Validity
    reason: str = ""


class Supervisor:
    """Holds the state of each tool.

    Args:
        tools: names of the tracked tools, the reference among them.
    """

    def __init__(self, tools: tuple[str, ...], settings: SupervisorSettings | None = None) -> None:
        self._settings = settings or SupervisorSettings()
        self._order = FrameOrder(self._settings.max_ahead_ms)
        self._good_in_a_row = dict.fromkeys(tools, 0)
        self._seen: Mapping[str, Judgement] = {}

    def judge(self, frame: TrackerFrame | None, now_ns: int) -> Mapping[str, Judgement]:
        """The state of each tool in `frame`, or at `now_ns` if the tracker gave no frame in time.

        A frame that was judged before may be judged again: it is no new evidence, and has aged.
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
        """What was seen in the newest frame, as far as it is young enough."""
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
    """A tool can be no better than the reference it is measured against."""
    if own.validity is Validity.LOST:
        return own
    return Judgement(reference.validity, f"reference {reference.validity.value}: {reference.reason}")
