"""The loop of the live ultrasound process: newest frame, contours, place; what stands is said of every moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from navigation.clock import NS_PER_S, PacedClock
from navigation.live.pose_mirror import MirroredTool
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.ultrasound.distances.distance import smallest
from navigation.ultrasound.distances.measure import Distances
from navigation.ultrasound.live.kept_source import KeptSource
from navigation.ultrasound.live.motion_check import MotionCheck
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import USABLE, FramePipeline
from navigation.ultrasound.shown import ENDED, SILENT, STARTING, Display
from unity_bridge.wire.envelope import Validity

TakePoses = Callable[[int], Sequence[Sequence[MirroredTool]]]
"""Batches of poses that have come; waits at most so many ms for the first."""

_PATIENCE_NS = NS_PER_S // 50
# A pose may come later than the image of its time: this much, and the contours are then not older than they may be.
_POSE_PATIENCE_NS = NS_PER_S // 25
_POSE_WAIT_MS = 5
_RATE_OVER_NS = 5 * NS_PER_S


class LiveLoop:
    """Call `step` again and again.

    Args:
        source: of the frames.
        pipeline: judges them and finds contours.
        timeline: places them; None where there is no probe to place them by.
        unplaced: why, where `timeline` is None.
        take_poses: of the pose mirror.
        model: name of the model, for the standing.
        clock: of frames and poses.
        distances: measures the contours of placed frames.

    Attributes:
        timeline, distances: as given.
        placed: the newest frame; None before the first.
    """

    def __init__(
        self,
        source: KeptSource,
        pipeline: FramePipeline,
        timeline: PlacingTimeline,
        take_poses: TakePoses,
        model: str,
        clock: PacedClock,
        distances: Distances | None = None,
    ) -> None:
        self.timeline = timeline
        self.distances = Distances() if distances is None else distances
        self._source, self._pipeline, self._take_poses = source, pipeline, take_poses
        self._model, self._clock = model, clock
        self._check = MotionCheck(timeline)
        self._display = Display(source.rate_hz)
        self._display_rate_hz = source.rate_hz
        self.placed: PlacedFrame | None = None
        self._placed_ns: deque[int] = deque()
        self._used = self._passed_over = 0
        self._newest = -1
        self._age_ms: float | None = None

    def step(self) -> PlacedFrame | None:
        """Handles the newest frame; None after a moment without one."""
        self._note_poses(0)
        frame = self._source.next_frame(_PATIENCE_NS)
        if frame is None:
            return None
        self._passed_over += frame.sequence - self._newest - 1 if self._used else 0
        self._newest = frame.sequence
        self._used += 1
        result = self._pipeline.process(frame)
        if self._source.rate_hz != self._display_rate_hz:
            self._display_rate_hz = self._source.rate_hz
            self._display = Display(self._source.rate_hz)
        self._display.take(result)
        self._await_poses(self.timeline.shows_ns(result))
        placed = self.timeline.place(result)
        self._check.take(result)
        if placed.validity is Validity.VALID and self._check.doubt:
            placed = replace(placed, validity=Validity.SUSPECT, reason=self._check.doubt)
        self.placed = placed = self.distances.measured(placed)
        now_ns = self._clock.now_ns()
        self._placed_ns.append(now_ns)
        self._age_ms = None if result.capture_ns is None else (now_ns - result.capture_ns) / 1e6
        return placed

    def standing(self, newest_number: int = 0) -> UltrasoundStanding:
        """How it stands now.

        Args:
            newest_number: of the newest frame that clients were given.
        """
        now_ns = self._clock.now_ns()
        while self._placed_ns and now_ns - self._placed_ns[0] > _RATE_OVER_NS:
            self._placed_ns.popleft()
        state, reason = self.state_at(now_ns)
        placed = self.placed
        return UltrasoundStanding(
            source=self._source.name,
            model=self._model,
            state=state,
            reason=reason,
            placing=Validity.LOST if placed is None else placed.validity,
            why="" if placed is None else placed.reason,
            to_frame="" if placed is None else placed.to_frame,
            expected_p95_mm=None if placed is None else placed.expected_p95_mm,
            structures=() if placed is None else tuple(sorted({each.structure for each in placed.result.contours})),
            motion=self._check.said,
            rate_hz=len(self._placed_ns) * NS_PER_S / _RATE_OVER_NS,
            age_ms=self._age_ms,
            used=self._used,
            passed_over=self._passed_over,
            breaks=self._source.breaks,
            newest_number=newest_number,
            distances=smallest(placed.distances) if placed is not None and state == USABLE else (),
        )

    def state_at(self, now_ns: int) -> tuple[str, str]:
        """What state the newest frame is in at that time, and why; the source's own words where it has none."""
        shown = self._display.at(now_ns)
        if self._source.why and shown.state in (STARTING, SILENT):
            return (STARTING if self.placed is None else ENDED), self._source.why
        return shown.state, shown.reason

    def _await_poses(self, instant_ns: int | None) -> None:
        """Waits until the poses have come to that instant, a moment at most."""
        until_ns = self._clock.now_ns() + _POSE_PATIENCE_NS
        self._note_poses(0)
        while instant_ns is not None and not self.timeline.has_come_to(instant_ns) and self._clock.now_ns() < until_ns:
            self._note_poses(_POSE_WAIT_MS)

    def _note_poses(self, timeout_ms: int) -> None:
        for batch in self._take_poses(timeout_ms):
            self.timeline.note(batch)
            self.distances.note(batch)
