"""Collects measurements with a tracked stylus: pivot poses, touched landmarks, swept surfaces.

The same code serves every tracker. Frames without a pose are left out and counted, never interpolated. A repeated
frame, or one older than a frame already used, is not a sample: it would make a moving tip look still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE
from geometry.points import Floats, read_only
from navigation.clock import NS_PER_S
from navigation.devices.frame_order import Arrival, FrameOrder
from navigation.devices.tracker import Tracker, TrackerFrame, Visibility
from navigation.errors import AcquisitionError
from registration.measurements import TouchedPoint


@dataclass(frozen=True, kw_only=True)
class AcquisitionSettings:
    """Conditions under which a measurement is accepted.

    Attributes:
        frame_timeout_s: a tracker without a new frame for longer has failed.
        hold_s: a landmark is measured once the tip was still for this long; the frames of this time are averaged.
        still_mm: RMS spread of the tip about its mean below which it counts as still.
        touch_timeout_s: the measurement of a landmark fails after this time.
        pivot_s, sweep_s: how long poses for a pivot calibration, and points of a sweep, are recorded.
    """

    frame_timeout_s: float = 0.5
    hold_s: float = 0.6
    still_mm: float = 0.6
    touch_timeout_s: float = 30.0
    pivot_s: float = 12.0
    sweep_s: float = 15.0


@dataclass(frozen=True, eq=False)
class SweptPoints:
    """The points of one sweep over a surface.

    Attributes:
        points_reference_mm: positions of the tip, ``(n, 3)`` in ``reference``.
        n_lost: number of frames without a pose of the tip.
        last_T_reference_tip: ``T_reference_<tip>`` of the last point.
    """

    points_reference_mm: Floats
    n_lost: int
    last_T_reference_tip: Transform


def reference_tip(frame: TrackerFrame, T_stylus_tip: Transform) -> Transform | None:
    """``T_reference_<tip>`` in this frame, or None if the reference or the stylus is not visible."""
    T_tracker_reference = frame.tools[REFERENCE].T_tracker_tool
    T_tracker_stylus = frame.tools[T_stylus_tip.to_frame].T_tracker_tool
    if T_tracker_reference is None or T_tracker_stylus is None:
        return None
    return T_tracker_reference.inverse() @ T_tracker_stylus @ T_stylus_tip


def collect_poses(
    tracker: Tracker, tool: str, duration_s: float, settings: AcquisitionSettings | None = None
) -> list[Transform]:
    """Every visible ``T_tracker_<tool>`` during `duration_s`, for a pivot calibration.

    Raises:
        AcquisitionError: no new frame came from the tracker in time.
    """
    settings = settings or AcquisitionSettings()
    samples = _Samples(tracker, settings)
    poses = [samples.next().tools[tool].T_tracker_tool for _ in range(round(duration_s * tracker.rate_hz))]
    return [pose for pose in poses if pose is not None]


def collect_touch(
    tracker: Tracker, T_stylus_tip: Transform, settings: AcquisitionSettings | None = None
) -> TouchedPoint:
    """Waits until the tip is held still, then averages its position in ``reference``.

    Raises:
        AcquisitionError: the tip was not visible and still within the time allowed (the message names the markers that
            were lost), or no new frame came from the tracker in time.
    """
    settings = settings or AcquisitionSettings()
    needed = round(settings.hold_s * tracker.rate_hz)
    recent: list[Floats] = []
    spread_mm = float("inf")
    lost: Counter[str] = Counter()
    samples = _Samples(tracker, settings)
    for _ in range(round(settings.touch_timeout_s * tracker.rate_hz)):
        frame = samples.next()
        tip = reference_tip(frame, T_stylus_tip)
        if tip is None:
            lost.update(_unseen(frame, T_stylus_tip))
            continue  # a frame without a pose is no motion: it is only left out of the average
        recent = [*recent[-(needed - 1) :], tip.translation_mm]
        spread_mm = float(np.sqrt(np.var(recent, axis=0).sum()))
        if len(recent) == needed and spread_mm < settings.still_mm:
            return TouchedPoint(read_only(np.mean(recent, axis=0)), spread_mm, needed)
    raise AcquisitionError(
        f"a tip visible in {len(recent)} of the last {needed} frames, with a spread of {spread_mm:.2f} mm"
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
    settings = settings or AcquisitionSettings()
    n_frames = round(duration_s * tracker.rate_hz)
    seen: list[Transform] = []
    samples = _Samples(tracker, settings)
    for number in range(n_frames):
        frame = samples.next()
        tip = reference_tip(frame, T_stylus_tip)
        if tip is not None:
            seen.append(tip)
        if watch is not None and number % max(1, round(tracker.rate_hz / 2.0)) == 0:
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


def _unseen(frame: TrackerFrame, T_stylus_tip: Transform) -> list[str]:
    """The markers without a pose in this frame, each with the reason."""
    needed = {tool: frame.tools[tool].visibility for tool in (REFERENCE, T_stylus_tip.to_frame)}
    return [f"{tool} {seen.value}" for tool, seen in needed.items() if seen is not Visibility.VISIBLE]


class _Samples:
    """Reads the new frames of a tracker one by one, without repeated and older ones."""

    def __init__(self, tracker: Tracker, settings: AcquisitionSettings) -> None:
        self._tracker, self._settings = tracker, settings
        self._order = FrameOrder()

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
