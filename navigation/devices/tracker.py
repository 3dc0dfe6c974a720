"""The Protocol that every tracking device satisfies, real or simulated, and the frames that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from geometry import Transform
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.errors import DeviceError


class Visibility(StrEnum):
    """Whether a tool has a pose in this frame, and if not, why."""

    VISIBLE = "visible"
    OCCLUDED = "occluded"
    OUT_OF_VOLUME = "out of the tracker's volume"
    PARTLY_OUT = "partly out of the tracker's volume"
    INTERFERENCE = "disturbed by other light or metal"
    AMBIGUOUS = "seen, but its pose is ambiguous"
    UNCONFIGURED = "not configured at the tracker"
    NO_DATA = "no data from the device"


@dataclass(frozen=True)
class ToolObservation:
    """One tool in one frame of the tracker.

    Attributes:
        visibility: whether the tool has a pose, and if not, why.
        T_tracker_tool: the marker's pose in ``tracker``; None exactly if the tool is not visible.
        fit_rms_mm: RMS distance between the measured and the designed positions of the marker's spheres; None if the
            tool is not visible, or if the device does not say it.
        reason: more than `visibility` says, in the device's words; empty if there is no more.
        capture_ns: time of capture of this tool, where it is another one than the frame's.
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm): a motion of the tool about its own
            origin, along the axes of ``tracker``; None where the device does not say it.
        T_tracker_reference: the reference's pose that placed this one in ``tracker``, of a device that sees the tool
            relative to the reference; None of any other.
        stamp_bound_ns: how much older than its time of capture says it may be at most: what is not known of the offset
            of the device's clock.

    Raises:
        DeviceError: pose, fit error or covariance that do not agree with the visibility.
    """

    visibility: Visibility
    T_tracker_tool: Transform | None = None
    fit_rms_mm: float | None = None
    reason: str = ""
    capture_ns: int | None = None
    covariance: Floats | None = None
    T_tracker_reference: Transform | None = None
    stamp_bound_ns: int = 0

    def __post_init__(self) -> None:
        visible = self.visibility is Visibility.VISIBLE
        measured = self.fit_rms_mm is not None or self.covariance is not None
        if visible != (self.T_tracker_tool is not None) or (measured and not visible):
            raise DeviceError(
                f"a tool that is {self.visibility.value} with pose {self.T_tracker_tool}",
                "a pose exactly if the tool is visible, and a fit error or covariance only then",
                "correct the driver: give None for a missing pose",
            )

    @property
    def why(self) -> str:
        """Why there is no pose: the device's own words, or else those of `visibility`."""
        return self.reason or self.visibility.value


@dataclass(frozen=True)
class TrackerFrame:
    """All tools at one instant.

    Attributes:
        sequence: counts the tracker's frames, including those that the driver drops; a gap means that frames were lost.
        capture_ns: time of capture at the sensor, on the clock that the driver was opened with; age is counted from it.
        tools: observation by tool name; every configured tool is listed, visible or not.
        strays_mm: single markers that are no tool's, ``(n, 3)`` in ``tracker``, in no order; None where the device does
            not give them.
    """

    sequence: int
    capture_ns: int
    tools: Mapping[str, ToolObservation]
    strays_mm: Floats | None = None


class Connection(StrEnum):
    """Whether a device is there."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    GONE = "gone"


@dataclass(frozen=True)
class FrameCounts:
    """What became of a device's frames.

    Attributes:
        received: frames that came, whatever became of them.
        lost: frames that never came, by the gaps in the device's own numbers.
        late: frames that came after a newer one, and were dropped.
        unread: frames that were replaced by a newer one before the program asked for them.
        of_tools: tool -> how many observations of it came that were newer than the last; empty if nobody counts them.
    """

    received: int = 0
    lost: int = 0
    late: int = 0
    unread: int = 0
    of_tools: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class DeviceState:
    """Whether a device is there, and if not, why, and when it is tried again.

    Attributes:
        reason: why it is not connected, or what is wrong with it although it is; empty if nothing is.
        retry_ns: when the next attempt to connect begins, on the driver's clock; None if none is planned.
        frames: since `Tracker.start`.
    """

    connection: Connection
    reason: str = ""
    retry_ns: int | None = None
    frames: FrameCounts = field(default_factory=FrameCounts)

    def words(self, now_ns: int) -> str:
        """The state in words, such as ``gone: connection refused; tried again in 2.0 s``."""
        said = self.connection.value + (f": {self.reason}" if self.reason else "")
        if self.retry_ns is None or self.connection is not Connection.GONE:
            return said
        return f"{said}; tried again in {max(0, self.retry_ns - now_ns) / NS_PER_S:.1f} s"


CONNECTED = DeviceState(Connection.CONNECTED)


class Tracker(Protocol):
    """A tracking camera.

    The rule for drivers is that **the newest frame wins**. A reader that was delayed (by a busy machine, or a suspended
    laptop) must not get a backlog, which it would show seconds late. So a driver

    - keeps only the newest frame, or a bounded buffer that it empties at each call;
    - numbers all frames as the device made them, so that dropped frames are counted by the gap;
    - stamps each frame with the sensor's time, never with the time of reading, and never gives a frame twice as new.

    The reader checks age, repetition and order all the same (`navigation.live.newest_frame`,
    `navigation.live.supervisor`): a driver that breaks the rule makes poses stale, not wrong.

    A device that is not there, goes away or comes back is a `state`, never an exception of `start`, `next_frame` or
    `stop`. `navigation.devices.reader.ReaderTracker` does all of this for a driver that can only connect and receive.
    """

    @property
    def tools(self) -> tuple[str, ...]: ...

    @property
    def rate_hz(self) -> float:
        """The expected rate; frames may come at another."""
        ...

    @property
    def state(self) -> DeviceState: ...

    def start(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        """The newest frame that was not returned yet, or None if none came within `timeout_ns`.

        Older frames that were not returned are dropped. A timeout of 0 returns without waiting.
        """
        ...

    def stop(self) -> None: ...
