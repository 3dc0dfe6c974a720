"""Decides for each frame and tool whether its pose may be trusted: a small state machine that fails closed.

    valid    visible in the newest frame, which is young enough, and the marker fits its design
    suspect  visible, but the marker does not fit its design, or was found again only a few frames ago
    stale    the newest frame is too old, or no frame came when one was due
    lost     not visible, or the newest frame is far too old

Every state except ``valid`` has a reason. A pose relative to the reference is never in a better state than the
reference. The tools of a frame have the age of that frame, unless they have times of their own: of another device, or
of another message.

Watches (`navigation.live.watches`) look for what a single frame does not show. The worst of what the supervisor and
all watches say counts, so that a watch can make a state worse and never better. A worse state is entered at once. It is
left only after the watch has withdrawn its doubt and the tool was seen well in as many new frames as after a loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from geometry.frames import REFERENCE
from navigation.devices.frame_order import LOST_AFTER_MS, MAX_AHEAD_MS, STALE_AFTER_MS, Arrival, FrameOrder
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
    stale_after_ms: float = STALE_AFTER_MS
    lost_after_ms: float = LOST_AFTER_MS
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

    def or_worse(self, other: Judgement) -> Judgement:
        """The worse of the two; of equally bad ones `other`."""
        return other if _RANK[other.validity] >= _RANK[self.validity] else self


_RANK = {Validity.VALID: 0, Validity.SUSPECT: 1, Validity.STALE: 2, Validity.LOST: 3}


class Watch(Protocol):
    """Looks for one thing that a single frame does not show, such as two tools that were taken for one another."""

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        """Takes in a new frame; called once for each, in the order of their capture times."""
        ...

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        """What it holds against tools, the reference, or the patient: nothing against those that are not there.

        A watch withdraws a doubt on evidence only, never because time has passed or nothing more was heard.
        """
        ...


class Supervisor:
    """Holds the state of each tool.

    Args:
        tools: names of the tracked tools, including the reference.
        settings: thresholds.
        watches: each is given every new frame; what it doubts is no better than it says.
    """

    def __init__(
        self, tools: tuple[str, ...], settings: SupervisorSettings | None = None, watches: Sequence[Watch] = ()
    ) -> None:
        self._settings = settings or SupervisorSettings()
        self._watches = watches
        self._recovering: dict[str, str] = {}  # what was doubted, until it has settled again -> the reason
        self._order = FrameOrder(self._settings.max_ahead_ms)
        self._good_in_a_row = dict.fromkeys(tools, 0)
        self._own = dict.fromkeys(tools, Judgement(Validity.LOST, "not reported"))
        self._captured_ns: dict[str, int] = {}
        self._behind_ms: Mapping[str, float] = {}  # how much older than the frame, where a tool is
        self._seen: Mapping[str, Judgement] = {}

    def judge(self, frame: TrackerFrame | None, now_ns: int) -> Mapping[str, Judgement]:
        """The state of each tool in `frame` at `now_ns`; `frame` is None if the tracker gave none in time.

        A frame may be judged again: this counts as no new observation, but its age has grown.

        Returns:
            A state for each tool, and for whatever else a watch doubts, such as the patient.
        """
        judged = self._judge(frame, now_ns)
        return self._doubted(judged, now_ns) if self._watches else judged

    def _judge(self, frame: TrackerFrame | None, now_ns: int) -> Mapping[str, Judgement]:
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
            self._seen = self._judge_tools(newest, now_ns)
            for watch in self._watches:
                watch.note(newest, now_ns)
        if arrival in (Arrival.NEW, Arrival.REPEATED):
            return self._aged(age_ms)
        return self._silence(age_ms, arrival)

    def _doubted(self, judged: Mapping[str, Judgement], now_ns: int) -> Mapping[str, Judgement]:
        """The states with what the watches doubt now, and what they doubted until a moment ago."""
        doubts: dict[str, Judgement] = {}
        for watch in self._watches:
            for name, doubt in watch.doubts(now_ns).items():
                if doubt.validity is not Validity.VALID:
                    doubts[name] = doubts.get(name, doubt).or_worse(doubt)
        if not doubts and not self._recovering:
            return judged
        worse = dict(judged)
        for name in [*self._recovering]:
            if name in doubts or self._good_in_a_row[name] >= self._settings.settle_frames:
                del self._recovering[name]
            else:
                settling = Judgement(Validity.SUSPECT, f"settling after: {self._recovering[name]}")
                worse[name] = worse[name].or_worse(settling)
        for name, doubt in doubts.items():
            worse[name] = worse.get(name, Judgement(Validity.VALID)).or_worse(doubt)
            if name in self._good_in_a_row:
                self._good_in_a_row[name], self._recovering[name] = 0, doubt.reason
        return self._hung_from_reference(worse)

    def is_aged(self, judged_ns: int, now_ns: int) -> bool:
        """Whether the newest frame has passed an age limit since it was judged."""
        newest = self._order.newest
        if newest is None:
            return False
        limits_ms = self._settings.stale_after_ms, self._settings.lost_after_ms
        judged_ms, now_ms = ((each_ns - newest.capture_ns) / _NS_PER_MS for each_ns in (judged_ns, now_ns))
        behind_ms = set(self._behind_ms.values())
        return any(judged_ms + more <= limit_ms < now_ms + more for limit_ms in limits_ms for more in behind_ms)

    def _judge_tools(self, frame: TrackerFrame, now_ns: int) -> Mapping[str, Judgement]:
        for tool in self._good_in_a_row:
            seen = frame.tools.get(tool)
            has_own_time = seen is not None and seen.capture_ns is not None
            captured_ns = seen.capture_ns if seen is not None and seen.capture_ns is not None else frame.capture_ns
            before_ns = self._captured_ns.get(tool, captured_ns - 1)
            if has_own_time and captured_ns <= before_ns:
                continue  # what was seen before is no new evidence
            if (captured_ns - before_ns) / _NS_PER_MS > self._settings.lost_after_ms:
                self._good_in_a_row[tool] = 0
            self._captured_ns[tool] = captured_ns
            self._own[tool] = self._judge_tool(tool, seen)
            if (captured_ns - now_ns) / _NS_PER_MS > self._settings.max_ahead_ms:
                self._own[tool] = Judgement(Validity.LOST, _INSTEAD[Arrival.AHEAD])
        self._behind_ms = {
            tool: (frame.capture_ns - self._captured_ns[tool]) / _NS_PER_MS for tool in self._good_in_a_row
        }
        return self._hung_from_reference(self._own)

    def _hung_from_reference(self, own: Mapping[str, Judgement]) -> Mapping[str, Judgement]:
        reference = own[REFERENCE]
        if reference.validity is Validity.VALID:
            return dict(own)
        return {tool: reference if tool == REFERENCE else _depends(judged, reference) for tool, judged in own.items()}

    def _judge_tool(self, tool: str, observation: ToolObservation | None) -> Judgement:
        if observation is None or observation.visibility is not Visibility.VISIBLE:
            self._good_in_a_row[tool] = 0
            return Judgement(Validity.LOST, "not reported" if observation is None else observation.why)
        # A device that says no fit error leaves it to its own judgement whether the tool is seen.
        if observation.fit_rms_mm is not None and observation.fit_rms_mm > self._settings.max_fit_rms_mm:
            self._good_in_a_row[tool] = 0
            return Judgement(Validity.SUSPECT, "the marker does not fit its design")
        self._good_in_a_row[tool] += 1
        if self._good_in_a_row[tool] < self._settings.settle_frames:
            return Judgement(Validity.SUSPECT, "found again, settling")
        return Judgement(Validity.VALID)

    def _aged(self, age_ms: float) -> Mapping[str, Judgement]:
        """The states in the newest frame, replaced by stale or lost if its age is above a limit."""
        if age_ms + max(self._behind_ms.values(), default=0.0) <= self._settings.stale_after_ms:
            return self._seen
        aged = {tool: self._aged_tool(seen, age_ms + self._behind_ms[tool]) for tool, seen in self._seen.items()}
        return self._hung_from_reference(aged) if any(self._behind_ms.values()) else aged

    def _aged_tool(self, seen: Judgement, age_ms: float) -> Judgement:
        if age_ms <= self._settings.stale_after_ms or seen.validity is Validity.LOST:
            return seen
        validity = Validity.LOST if age_ms > self._settings.lost_after_ms else Validity.STALE
        return Judgement(validity, f"the frame is {age_ms:.0f} ms old")

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
    """The state of a tool while the reference is not valid: its own where that is worse, else that of the reference."""
    hung = Judgement(reference.validity, f"reference {reference.validity.value}: {reference.reason}")
    return own if own.validity is Validity.LOST else own.or_worse(hung)
