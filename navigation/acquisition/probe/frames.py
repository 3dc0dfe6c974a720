"""Ultrasound frames as they come, live or recorded: what was found in each, and how the probe moved meanwhile."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from calibration.ultrasound_probe.errors import ProbeRefusedError
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.samples import ProbeSample
from geometry import Transform
from geometry.frames import TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.source import UltrasoundFrame

Found = TypeVar("Found")


@dataclass(frozen=True)
class ProbeMarkers:
    """Whose poses are used.

    Attributes:
        probe: the probe's marker.
        fixed: the frame that stands still with the target: a marker, or ``tracker``.
        stylus: the stylus whose tip is in view; None for other targets.
    """

    probe: str
    fixed: str = TRACKER
    stylus: str | None = None

    def pose(self, frame: UltrasoundFrame, tool: str) -> Transform | None:
        """``T_fixed_<tool>`` in a frame; None where it, or what it is relative to, was not seen."""
        straight = frame.poses.get(f"T_{self.fixed}_{tool}")
        if straight is not None or self.fixed == TRACKER:
            return straight
        of_tool, of_fixed = frame.poses.get(f"T_{TRACKER}_{tool}"), frame.poses.get(f"T_{TRACKER}_{self.fixed}")
        return None if of_tool is None or of_fixed is None else of_fixed.inverse() @ of_tool

    @property
    def tools(self) -> tuple[str, ...]:
        """The probe, and the stylus if there is one."""
        return (self.probe,) if self.stylus is None else (self.probe, self.stylus)


@dataclass(frozen=True, eq=False)
class ProbeFrame(Generic[Found]):
    """What is kept of one frame.

    Attributes:
        index: its number, as in `UltrasoundFrame.sequence`.
        time_s: of its capture.
        has_image: false where the source had none, or only poses came at that time.
        poses: ``T_fixed_<tool>`` by tool, of those that were seen.
        found: what was found in its image; None where nothing was.
    """

    index: int
    time_s: float
    has_image: bool
    poses: dict[str, Transform]
    found: Found | None


@dataclass(frozen=True, eq=False)
class Placed(Generic[Found]):
    """What was found in one image, with ``T_fixed_<tool>`` by tool at its time, the lag included."""

    index: int
    time_s: float
    found: Found
    poses: dict[str, Transform]


class CollectedFrames(Generic[Found]):
    """Frames as they come, of which the last seconds can be taken back.

    They are kept in the order of time. Of two of one time, such as an image that was sent again, the first counts; but
    an image counts more than a frame that has none.

    Args:
        markers: whose poses are used.
        find: looks for the target in a frame that has an image.
        undo_s: how much `undo` takes back.

    Attributes:
        size_px: width and height of the images; None before the first one.
        pixel_mm: width and height of a pixel as the source states them; None where it states none.
    """

    def __init__(
        self, markers: ProbeMarkers, find: Callable[[UltrasoundFrame], Found | None], undo_s: float = 2.0
    ) -> None:
        self.markers = markers
        self._find, self._undo_s = find, undo_s
        self._frames: list[ProbeFrame[Found]] = []
        self.size_px: tuple[int, int] | None = None
        self.pixel_mm: tuple[float, float] | None = None

    def __len__(self) -> int:
        """Images with the target and the poses of all tools at their own time."""
        return sum(each.found is not None and self._is_whole(each) for each in self._frames)

    def add(self, frame: UltrasoundFrame) -> None:
        """Takes a frame in."""
        if frame.capture_ns is None:
            return
        time_s = frame.capture_ns / NS_PER_S
        at = bisect_left(self._frames, time_s, key=lambda each: each.time_s)
        same = self._frames[at : at + 1] if at < len(self._frames) and self._frames[at].time_s == time_s else []
        if same and (same[0].has_image or frame.pixels is None):
            return
        self._frames[at : at + len(same)] = [self._kept(frame, time_s)]

    def _kept(self, frame: UltrasoundFrame, time_s: float) -> ProbeFrame[Found]:
        found = None
        if frame.pixels is not None:
            self.size_px = frame.pixels.shape[1], frame.pixels.shape[0]
            if frame.pixel_mm is not None:
                self.pixel_mm = frame.pixel_mm[1], frame.pixel_mm[0]
            found = self._find(frame)
        seen = {tool: self.markers.pose(frame, tool) for tool in self.markers.tools}
        poses = {tool: pose for tool, pose in seen.items() if pose is not None}
        return ProbeFrame(frame.sequence, time_s, frame.pixels is not None, poses, found)

    def undo(self) -> None:
        """Takes the last seconds back."""
        if self._frames:
            kept_s = self._frames[-1].time_s - self._undo_s
            self._frames = [each for each in self._frames if each.time_s <= kept_s]

    @property
    def frames(self) -> tuple[ProbeFrame[Found], ...]:
        """All that were taken in."""
        return tuple(self._frames)

    @property
    def duration_s(self) -> float:
        """From the first frame to the last; 0 without any."""
        return self._frames[-1].time_s - self._frames[0].time_s if self._frames else 0.0

    @property
    def said(self) -> str:
        """How many images have what is needed, as a sentence."""
        images = [each for each in self._frames if each.has_image]
        without_pose = sum(not self._is_whole(each) for each in images)
        without_target = sum(self._is_whole(each) and each.found is None for each in images)
        return f"{len(self)} images with the target; {without_target} without it, {without_pose} without a pose"

    def motion(self, tool: str | None = None) -> ProbeMotion:
        """All poses of the probe, or of another tool, whether anything was found in the images or not.

        Raises:
            ProbeRefusedError: it was seen in fewer than two frames.
        """
        tool = tool or self.markers.probe
        seen = [(each.time_s, each.poses[tool].matrix) for each in self._frames if tool in each.poses]
        if len(seen) < 2:
            raise ProbeRefusedError(
                f"{len(seen)} of {len(self._frames)} images with a pose of {tool} relative to {self.markers.fixed}",
                "a pose beside each image",
                f"turn the markers of {tool} and {self.markers.fixed} towards the tracker",
            )
        return ProbeMotion(np.array([time_s for time_s, _ in seen]), np.array([matrix for _, matrix in seen]))

    def placed(self, lag_s: float = 0.0) -> list[Placed[Found]]:
        """What was found, each with the poses at its time plus the lag; those whose poses are not known are left out.

        Raises:
            ProbeRefusedError: as `motion`, with a lag.
        """
        with_target = [(each, each.found) for each in self._frames if each.found is not None]
        if not lag_s:
            return [
                Placed(each.index, each.time_s, found, each.poses)
                for each, found in with_target
                if self._is_whole(each)
            ]
        times_s = np.array([each.time_s for each, _ in with_target]) + lag_s
        moved = {tool: self.motion(tool).at(times_s) for tool in self.markers.tools}
        return [
            Placed(
                each.index,
                each.time_s,
                found,
                {tool: self._named(poses[k], tool) for tool, (poses, _) in moved.items()},
            )
            for k, (each, found) in enumerate(with_target)
            if all(known[k] for _, known in moved.values())
        ]

    def _named(self, pose: Floats, tool: str) -> Transform:
        return Transform(pose, self.markers.fixed, tool)

    def _is_whole(self, frame: ProbeFrame[Found]) -> bool:
        return len(frame.poses) == len(self.markers.tools)


def sample_of(
    placed: Placed[Found], markers: ProbeMarkers, points_px: Floats, names: tuple[str, ...] = ()
) -> ProbeSample:
    """The sample of a calibration: points ``(n, 2)`` in one image, with the pose of the probe."""
    return ProbeSample(placed.index, placed.time_s, points_px, placed.poses[markers.probe], names)
