"""The Protocol that every tracking device satisfies, real or simulated, and the frames that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from geometry import Transform
from navigation.errors import DeviceError


class Visibility(StrEnum):
    """Whether a tool has a pose in this frame, and if not, why."""

    VISIBLE = "visible"
    OCCLUDED = "occluded"
    OUT_OF_VOLUME = "out of the tracker's volume"


@dataclass(frozen=True)
class ToolObservation:
    """One tool in one frame of the tracker.

    Attributes:
        visibility: whether the tool has a pose, and if not, why.
        T_tracker_tool: the marker's pose in ``tracker``; None exactly if the tool is not visible.
        fit_rms_mm: RMS distance between the measured and the designed positions of the marker's spheres; None if the
            tool is not visible.

    Raises:
        DeviceError: pose and fit error that do not agree with the visibility.
    """

    visibility: Visibility
    T_tracker_tool: Transform | None = None
    fit_rms_mm: float | None = None

    def __post_init__(self) -> None:
        visible = self.visibility is Visibility.VISIBLE
        if visible != (self.T_tracker_tool is not None) or visible != (self.fit_rms_mm is not None):
            raise DeviceError(
                f"a tool that is {self.visibility.value} with pose {self.T_tracker_tool}",
                "a pose and a fit error exactly if the tool is visible",
                "correct the driver: give None for a missing pose",
            )


@dataclass(frozen=True)
class TrackerFrame:
    """All tools at one instant.

    Attributes:
        sequence: counts the tracker's frames, including those that the driver drops; a gap means that frames were lost.
        capture_ns: time of capture at the sensor, on the clock that the driver was opened with; age is counted from it.
        tools: observation by tool name; every configured tool is listed, visible or not.
    """

    sequence: int
    capture_ns: int
    tools: Mapping[str, ToolObservation]


class Tracker(Protocol):
    """A tracking camera.

    The rule for drivers is that **the newest frame wins**. A reader that was delayed (by a busy machine, or a suspended
    laptop) must not get a backlog, which it would show seconds late. So a driver

    - keeps only the newest frame, or a bounded buffer that it empties at each call;
    - numbers all frames as the device made them, so that dropped frames are counted by the gap;
    - stamps each frame with the sensor's time, never with the time of reading, and never gives a frame twice as new.

    The reader checks age, repetition and order all the same (`navigation.live.newest_frame`,
    `navigation.live.supervisor`): a driver that breaks the rule makes poses stale, not wrong.
    """

    @property
    def tools(self) -> tuple[str, ...]: ...

    @property
    def rate_hz(self) -> float: ...

    def start(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        """The newest frame that was not returned yet, or None if none came within `timeout_ns`.

        Older frames that were not returned are dropped. A timeout of 0 returns without waiting.
        """
        ...

    def stop(self) -> None: ...
