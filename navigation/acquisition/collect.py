"""Collects measurements with a tracked stylus: pivot poses, touched landmarks, swept surfaces.

The same code serves every tracker. Frames without a pose are left out and counted, never interpolated. A repeated
frame, or one older than a frame already used, is not a sample: it would make a moving tip look still. How long
something took is told by the times of capture: frames that come late, or not at all, do not change it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE
from geometry.points import Floats, read_only
from navigation.clock import NS_PER_S
from navigation.devices.frame_order import STALE_AFTER_MS, Arrival, FrameOrder
from navigation.devices.tracker import ToolObservation, Tracker, TrackerFrame, Visibility
from navigation.errors import AcquisitionError
from navigation.live.timeline.timelines import NoPose, Timelines
from registration.measurements import TouchedPoint

_WATCHED_EVERY_NS = NS_PER_S // 2


@dataclass(frozen=True, kw_only=True)
class AcquisitionSettings:
    """Conditions under which a measurement is accepted.

    Attributes:
        frame_timeout_s: a tracker without a new frame for longer has failed.
        hold_s: a landmark is measured once the tip was still for this long; the frames of this time are averaged.
        longest_gap_s: a tip that was out of sight for longer was not seen to be still.
        still_mm: RMS spread of the tip about its mean below which it counts as still.
        touch_timeout_s: the measurement of a landmark fails after this time.
        pivot_s, sweep_s: how long poses for a pivot calibration, and points of a sweep, are recorded.
    """

    frame_timeout_s: float = 0.5
    hold_s: float = 0.6
    longest_gap_s: float = 0.3
    still_mm: float = 0.6
    touch_timeout_s: float = 30.0
    pivot_s: float = 12.0
    sweep_s: float = 15.0


@dataclass(frozen=True, eq=False)
class SweptPoints:
    """The points of one sweep over a surface.

    Attributes:
        points_reference_mm: positions of the tip, ``(n, 3)`` in ``reference``.
        n_lost: number of frames without a new pose of the tip.
        last_T_reference_tip: ``T_reference_<tip>`` of the last point.
    """

    points_reference_mm: Floats
    n_lost: int
    last_T_reference_tip: Transform


def collect_poses(
    tracker: Tracker, tool: str, duration_s: float, settings: AcquisitionSettings | None = None
) -> list[Transform]:
    """Every visible ``T_tracker_<tool>`` during `duration_s`, for a pivot calibration.

    Raises:
        AcquisitionError: no new frame came from the tracker in time.
    """
    return [pose for _, pose in collect_timed_poses(tracker, tool, duration_s, settings) if pose is not None]


def collect_timed_poses(
    tracker: Tracker, tool: str, duration_s: float, settings: AcquisitionSettings | None = None
) -> list[tuple[float, Transform | None]]:
    """As `collect_poses`, each with its time of capture in s, frames without a pose too."""
    frames = _Samples(tracker, settings or AcquisitionSettings()).of(tool, duration_s)
    return [(_captured_ns(frame, tool) / NS_PER_S, _now(frame, tool).T_tracker_tool) for frame in frames]


def collect_touch(
    tracker: Tracker, T_stylus_tip: Transform, settings: AcquisitionSettings | None = None
) -> TouchedPoint:
    """Waits until the tip is held still, then averages its position in ``reference``.

    Raises:
        AcquisitionError: the tip was not visible and still within the time allowed (the message names the markers that
            were lost), or no new frame came from the tracker in time.
    """
    settings = settings or AcquisitionSettings()
    tips, held = _Tips(T_stylus_tip), _Held(settings)
    lost: Counter[str] = Counter()
    for frame in _Samples(tracker, settings).of(T_stylus_tip.to_frame, settings.touch_timeout_s):
        tip = tips.take(frame)
        if tip is None:
            lost.update(_unseen(frame, T_stylus_tip))
            continue  # a frame without a pose is no motion: it is only left out of the average
        held.add(tips.newest_ns, tip.translation_mm)
        if held.is_long_enough and held.spread_mm < settings.still_mm:
            return TouchedPoint(read_only(np.mean(held.points_mm, axis=0)), held.spread_mm, len(held.points_mm))
    raise AcquisitionError(
        f"a tip seen {len(held.points_mm)} times in {settings.hold_s} s, with a spread of {held.spread_mm:.2f} mm"
        + "".join(f"; {what} in {count} frames" for what, count in lost.most_common(2)),
        f"a tip held still within {settings.still_mm} mm for {settings.hold_s} s, in {settings.touch_timeout_s:.0f} s",
        "hold the stylus on the landmark with its marker and the reference towards the camera",
    )


def collect_sweep(
    tracker: Tracker,
    T_stylus_tip: Transform,
    duration_s: float,
    settings: AcquisitionSettings | None = None,
    watch: Callable[[Floats, str], None] | None = None,
) -> SweptPoints:
    """Every tip position during `duration_s`.

    Args:
        watch: called twice a second with the points so far, ``(n, 3)`` in mm in ``reference``, and the markers that are
            hidden now (empty for none).

    Raises:
        AcquisitionError: no new frame came from the tracker in time, or no frame had a pose of the tip.
    """
    seen: list[Transform] = []
    tips, n_frames, watched_ns = _Tips(T_stylus_tip), 0, None
    for frame in _Samples(tracker, settings or AcquisitionSettings()).of(T_stylus_tip.to_frame, duration_s):
        n_frames += 1
        tip = tips.take(frame)
        if tip is not None:
            seen.append(tip)
        if watch is not None and (watched_ns is None or frame.capture_ns - watched_ns >= _WATCHED_EVERY_NS):
            watched_ns = frame.capture_ns
            points = np.array([tip.translation_mm for tip in seen]).reshape(-1, 3)
            watch(points, ", ".join(_unseen(frame, T_stylus_tip)))
    if not seen:
        raise AcquisitionError(
            f"a sweep of {n_frames} frames, none with a pose of the tip",
            "a visible stylus and reference",
            "clear the line of sight from the camera to both markers, and sweep again",
        )
    points = np.array([tip.translation_mm for tip in seen])
    return SweptPoints(read_only(points), n_frames - len(seen), seen[-1])


def _now(frame: TrackerFrame, tool: str) -> ToolObservation:
    """What is seen of a tool at the time of the frame: an observation that is too old for that is none."""
    seen = frame.tools[tool]
    behind_ms = (frame.capture_ns - _captured_ns(frame, tool)) / 1e6
    if seen.T_tracker_tool is None or behind_ms <= STALE_AFTER_MS:
        return seen
    return ToolObservation(Visibility.NO_DATA, reason="not seen for a while")


def _captured_ns(frame: TrackerFrame, tool: str) -> int:
    own_ns = frame.tools[tool].capture_ns
    return frame.capture_ns if own_ns is None else own_ns


def _unseen(frame: TrackerFrame, T_stylus_tip: Transform) -> list[str]:
    """The markers without a pose in this frame, each with the reason."""
    needed = {tool: _now(frame, tool) for tool in (REFERENCE, T_stylus_tip.to_frame)}
    return [f"{tool} {seen.why}" for tool, seen in needed.items() if seen.visibility is not Visibility.VISIBLE]


class _Tips:
    """The tip relative to the reference, each time at one instant: a device that is later than the other waits for it.

    Attributes:
        newest_ns: the instant of the newest one.
    """

    def __init__(self, T_stylus_tip: Transform) -> None:
        self._T_stylus_tip, self._timelines = T_stylus_tip, Timelines()
        self.newest_ns = -1

    def take(self, frame: TrackerFrame) -> Transform | None:
        """``T_reference_<tip>`` at the newest instant at which both are known; None if that is not a new one."""
        self._timelines.note(frame, frame.capture_ns)
        relative = self._timelines.newest(self._T_stylus_tip.to_frame)
        if isinstance(relative, NoPose) or relative.capture_ns <= self.newest_ns:
            return None
        self.newest_ns = relative.capture_ns
        return relative.T_reference_tool @ self._T_stylus_tip


class _Held:
    """The positions of a tip during the last `hold_s`, by their times of capture."""

    def __init__(self, settings: AcquisitionSettings) -> None:
        self._hold_ns = round(settings.hold_s * NS_PER_S)
        self._gap_ns = round(settings.longest_gap_s * NS_PER_S)
        self._seen: deque[tuple[int, Floats]] = deque()  # with one from before that time, if there is one

    def add(self, capture_ns: int, tip_mm: Floats) -> None:
        if self._seen and capture_ns - self._seen[-1][0] > self._gap_ns:
            self._seen.clear()
        self._seen.append((capture_ns, tip_mm))
        while len(self._seen) > 1 and self._seen[1][0] <= self._begin_ns:
            self._seen.popleft()

    @property
    def _begin_ns(self) -> int:
        return self._seen[-1][0] - self._hold_ns

    @property
    def is_long_enough(self) -> bool:
        """Whether the tip has been in sight for all of the time."""
        return bool(self._seen) and self._seen[0][0] <= self._begin_ns

    @property
    def points_mm(self) -> list[Floats]:
        return [tip_mm for capture_ns, tip_mm in self._seen if capture_ns > self._begin_ns]

    @property
    def spread_mm(self) -> float:
        """RMS distance of the positions from their mean; infinite without any."""
        return float(np.sqrt(np.var(self.points_mm, axis=0).sum())) if self._seen else float("inf")


class _Samples:
    """Reads the new frames of a tracker one by one, without repeated and older ones."""

    def __init__(self, tracker: Tracker, settings: AcquisitionSettings) -> None:
        self._tracker, self._settings = tracker, settings
        self._order = FrameOrder()

    def of(self, tool: str, duration_s: float) -> Iterator[TrackerFrame]:
        """The frames that were captured during `duration_s`, without those that hold nothing new of `tool`.

        Raises:
            AcquisitionError: as `next`.
        """
        first = frame = self.next()
        newest_ns: int | None = None
        while frame.capture_ns - first.capture_ns < round(duration_s * NS_PER_S):
            captured_ns = _captured_ns(frame, tool)
            if newest_ns is None or captured_ns > newest_ns or frame.tools[tool].T_tracker_tool is None:
                newest_ns = captured_ns
                yield frame
            frame = self.next()

    def next(self) -> TrackerFrame:
        """The next new frame.

        Raises:
            AcquisitionError: no frame came within the timeout, or only repeated and older ones.
        """
        timeout_s = self._settings.frame_timeout_s
        for _ in range(max(1, round(timeout_s * self._tracker.rate_hz))):
            frame = self._tracker.next_frame(round(timeout_s * NS_PER_S))
            if frame is None:
                break
            if self._order.take(frame) is Arrival.NEW:
                return frame
        instead = "no frame at all" if frame is None else f"only frame {frame.sequence} again, or older ones"
        raise AcquisitionError(
            f"no new frame from the tracker for {timeout_s} s ({instead})",
            "a tracker that is running",
            "check the connection of the tracker",
        )
