"""What every tracking device is to the rest of the system, real or simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from geometry import Transform
from navigation.errors import DeviceError


class Visibility(StrEnum):
    """Why a tool has a pose in this frame, or has none."""

    VISIBLE = "visible"
    OCCLUDED = "occluded"
    OUT_OF_VOLUME = "out of the tracker's volume"


@dataclass(frozen=True)
class ToolObservation:
    """One tool in one frame of the tracker.

    Attributes:
        visibility: why there is a pose, or none.
        T_tracker_tool: the marker's pose in frame ``tracker``; None exactly if the tool is not visible.
        fit_rms_mm: RMS distance between the marker's measured and its designed spheres; None if not visible.
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
                "correct the driver: a missing pose is None",
            )


@dataclass(frozen=True)
class TrackerFrame:
    """All tools at one instant.

    Attributes:
        sequence: counts the tracker's frames, also those that the driver drops; a gap means that frames were lost.
        capture_ns: when the sensor saw it, on the clock that the driver was opened with. Its age is judged by this.
        tools: observation by tool name; every configured tool is listed, seen or not.
    """

    sequence: int
    capture_ns: int
    tools: Mapping[str, ToolObservation]


class Tracker(Protocol):
    """A tracking camera.

    The rule for drivers is that **the newest frame wins**. A reader that was held up (a busy machine, a suspended
    laptop) must not get a backlog, which it would show in fast-forward, seconds late:

    - keep no more than the newest frame, or a buffer that is bounded and drained at each call;
    - number all frames as the device made them, so that those dropped are counted, by the gap;
    - stamp with the sensor's time, never with that of the reading, and never repeat a frame as if it were new.

    Whoever reads judges age, repetition and order all the same (`navigation.live.newest_frame`,
    `navigation.live.supervisor`): a driver that breaks the rule makes poses stale, not wrong.
    """

    @property
    def tools(self) -> tuple[str, ...]: ...

    @property
    def rate_hz(self) -> float: ...

    def start(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        """The newest frame that was not handed out yet, or None if none came within `timeout_ns`.

        Older ones that were not handed out are dropped. A timeout of 0 asks for what is here already, without waiting.
        """
        ...

    def stop(self) -> None: ...
