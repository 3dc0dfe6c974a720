"""Collecting measurements with a tracked stylus: pivot poses, touched landmarks, swept surfaces.

The same code serves every tracker. What the tracker did not see is left out and counted, never filled in; a frame that
comes again, or late after a newer one, is no sample: it would make a moving tip look still.
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
    """When a measurement counts.

    Attributes:
        frame_timeout_s: a tracker silent for longer has failed.
        hold_s: a landmark is taken once the tip was still for this long; its frames are averaged.
        still_mm: RMS spread of the tip about its mean below which it counts as still.
        touch_timeout_s: give up on a landmark after this time.
    """

    frame_timeout_s: float = 0.5
    hold_s: float = 0.6
    still_mm: float = 0.6
    touch_timeout_s: float = 30.0


@dataclass(frozen=True, eq=False)
class SweptPoints:
    """A sweep.

    Attributes:
        points_reference_mm: positions of the tip, ``(n, 3)`` in ``reference``.
        n_lost: frames that had no pose.
        last_T_reference_tip: ``T_reference_<tip>`` where the sweep ended.
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
    """Every visible ``T_tracker_<tool>`` during `duration_s`, for a pivot calibration."""
    settings = settings or AcquisitionSettings()
    samples = _Samples(tracker, settings)
    poses = [samples.next().tools[tool].T_tracker_tool for _ in range(round(duration_s * tracker.rate_hz))]
    return [pose for pose in poses if pose is not None]


def collect_touch(
    tracker: Tracker, T_stylus_tip: Transform, settings: AcquisitionSettings | None = None
) -> TouchedPoint:
    """Waits until the tip is held still, then averages it.

    Raises:
        AcquisitionError: the tip was not seen and still within the time allowed; a marker that was lost is named.
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
            continue  # a dropped frame is no motion; it is just not averaged
        recent = [*recent[-(needed - 1) :], tip.translation_mm]
        spread_mm = float(np.sqrt(np.var(recent, axis=0).sum()))
        if len(recent) == needed and spread_mm < settings.still_mm:
            return TouchedPoint(read_only(np.mean(recent, axis=0)), spread_mm, needed)
    raise AcquisitionError(
        f"a tip seen in {len(recent)} of the last {needed} frames, spread {spread_mm:.2f} mm"
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
        watch: told twice a second the points so far, ``(n, 3)``, and which marker is hidden now (empty: none).

    Raises:
        AcquisitionError: a silent tracker, or not one pose.
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
            f"a sweep of {n_frames} frames without one pose",
            "a visible stylus and reference",
            "clear the line of sight",
        )
    points = np.array([tip.translation_mm for tip in seen])
    return SweptPoints(read_only(points), n_frames - len(seen), seen[-1])


def _unseen(frame: TrackerFrame, T_stylus_tip: Transform) -> list[str]:
    """The markers that this frame has no pose of, and why."""
    needed = {tool: frame.tools[tool].visibility for tool in (REFERENCE, T_stylus_tip.to_frame)}
    return [f"{tool} {seen.value}" for tool, seen in needed.items() if seen is not Visibility.VISIBLE]


class _Samples:
    """The new frames of a tracker, one by one."""

    def __init__(self, tracker: Tracker, settings: AcquisitionSettings) -> None:
        self._tracker, self._settings = tracker, settings
        self._order = FrameOrder()

    def next(self) -> TrackerFrame:
        """The next new frame.

        Raises:
            AcquisitionError: none came in time, or only frames that were none.
        """
        timeout_s = self._settings.frame_timeout_s
        for _ in range(max(1, round(timeout_s * self._tracker.rate_hz))):
            frame = self._tracker.next_frame(round(timeout_s * NS_PER_S))
            if frame is None:
                break
            if self._order.take(frame) is Arrival.NEW:
                return frame
        came = "nothing" if frame is None else f"frame {frame.sequence} again, or older ones"
        raise AcquisitionError(
            f"no new frame from the tracker for {timeout_s} s ({came})", "a running tracker", "check its connection"
        )
