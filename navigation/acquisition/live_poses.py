"""The poses of one tool of a running room, one by one, for calibrations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.streams import PoseStream
from geometry import Transform
from navigation.acquisition.collect import AcquisitionSettings
from navigation.clock import NS_PER_S
from navigation.devices.frame_order import STALE_AFTER_MS
from navigation.devices.tracker import Tracker, TrackerFrame
from navigation.errors import AcquisitionError
from navigation.live.timeline.timelines import NoPose, Timelines

_LONGEST_SILENCE_NS = 5 * NS_PER_S


@dataclass(frozen=True, eq=False)
class PoseSample:
    """One pose, with the time of its capture in s on the clock of the room."""

    time_s: float
    pose: Transform


class LivePoses:
    """Every new pose of a tool; frames without one are counted, repeated ones are neither.

    Args:
        tracker: a running tracker that sees the tool.
        tool: its name.
        relative_to: a tool that the poses are given relative to, both at one instant; None for poses in ``tracker``.
        settings: how long the tracker is waited for.

    Attributes:
        n_missing: new frames without a pose.
        why: why the last new frame had none; empty if it had one.
    """

    def __init__(
        self,
        tracker: Tracker,
        tool: str,
        relative_to: str | None = None,
        settings: AcquisitionSettings | None = None,
    ) -> None:
        self._tracker, self._tool = tracker, tool
        self._timeout_ns = round((settings or AcquisitionSettings()).frame_timeout_s * NS_PER_S)
        self._timelines = None if relative_to is None else Timelines(relative_to)
        self._newest_ns: int | None = None
        self._silent_ns = 0
        self.n_missing = 0
        self.why = ""

    def next(self) -> PoseSample | None:
        """The next new pose; None if the tool is not seen, or if nothing new came within the timeout.

        Raises:
            AcquisitionError: nothing at all came from the tracker for five seconds.
        """
        frame = self._tracker.next_frame(self._timeout_ns)
        if frame is None:
            self._silent_ns += self._timeout_ns
            if self._silent_ns >= _LONGEST_SILENCE_NS:
                raise AcquisitionError(
                    f"no frame from the tracker for {_LONGEST_SILENCE_NS / NS_PER_S:.0f} s",
                    "a tracker that is running",
                    "check its connection: surgnav room check",
                )
            return None
        self._silent_ns = 0
        at_ns, pose = self._pose(frame)
        if self._newest_ns is not None and at_ns <= self._newest_ns:
            return None
        self._newest_ns = at_ns
        self.n_missing += pose is None
        return None if pose is None else PoseSample(at_ns / NS_PER_S, pose)

    def _pose(self, frame: TrackerFrame) -> tuple[int, Transform | None]:
        """When the tool was seen, and its pose then; relative to another at the newest instant at which both were."""
        at_ns = captured_ns(frame, self._tool)
        pose, why = seen_pose(frame, self._tool)
        if self._timelines is not None:
            self._timelines.note(frame, frame.capture_ns)
            relative = self._timelines.newest(self._tool)
            if isinstance(relative, NoPose):
                pose, why = None, relative.why
            else:
                at_ns, pose, why = relative.capture_ns, relative.T_reference_tool, ""
        self.why = why
        return at_ns, pose


class CollectedPoses:
    """Poses of one tool as they come, of which the last seconds can be taken back.

    Args:
        source: name of the device or room, for the stream.
        undo_s: how much `undo` takes back.
    """

    def __init__(self, source: str, undo_s: float = 2.0) -> None:
        self._source, self._undo_s = source, undo_s
        self._samples: list[PoseSample] = []

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, sample: PoseSample) -> None:
        """Takes a pose in."""
        self._samples.append(sample)

    def undo(self) -> None:
        """Takes the last seconds back."""
        if self._samples:
            kept_s = self._samples[-1].time_s - self._undo_s
            self._samples = [each for each in self._samples if each.time_s <= kept_s]

    @property
    def poses(self) -> list[Transform]:
        return [each.pose for each in self._samples]

    @property
    def duration_s(self) -> float:
        """From the first pose to the last; 0 without any."""
        return self._samples[-1].time_s - self._samples[0].time_s if self._samples else 0.0

    def stream(self, n_missing: int) -> PoseStream:
        """The stream of what was collected.

        Raises:
            PoseStreamError: nothing was.
        """
        times_s = np.array([each.time_s for each in self._samples])
        return PoseStream.of(times_s.tolist(), self.poses, n_missing, self._source)


def captured_ns(frame: TrackerFrame, tool: str) -> int:
    """When the tool was seen: of tools of another device than the leading one, not when the frame was."""
    own_ns = frame.tools[tool].capture_ns
    return frame.capture_ns if own_ns is None else own_ns


def seen_pose(frame: TrackerFrame, tool: str) -> tuple[Transform | None, str]:
    """``T_tracker_<tool>``, or None and why there is none; what is older than may be shown is none either."""
    seen = frame.tools[tool]
    if seen.T_tracker_tool is None:
        return None, f"{tool} {seen.why}"
    is_old = (frame.capture_ns - captured_ns(frame, tool)) / 1e6 > STALE_AFTER_MS
    return (None, f"{tool} not seen for a while") if is_old else (seen.T_tracker_tool, "")
