"""What ``surgnav room watch`` shows of each tool: rate, age, jitter and fit error, over the last two seconds."""

from __future__ import annotations

from collections import deque

import numpy as np

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.tracker import DeviceState, ToolObservation, TrackerFrame
from navigation.live.newest_frame import NewestFrame
from navigation.live.supervisor import Judgement, Supervisor, SupervisorSettings
from navigation.room.room import Room
from navigation.room.room_tracker import RoomTracker
from unity_bridge.wire.envelope import Validity

WINDOW_NS = 2 * NS_PER_S
_NS_PER_MS = 1e6


class ToolNumbers:
    """The newest observation of one tool, and the times of those of the last two seconds.

    Attributes:
        newest: None before the first.
        capture_ns: when `newest` was captured.
    """

    def __init__(self) -> None:
        self.newest: ToolObservation | None = None
        self.capture_ns = 0
        self._seen = 0
        self._times: deque[tuple[int, int]] = deque()  # time of capture, how many there were until then

    def take(self, seen: ToolObservation, capture_ns: int, made: int | None) -> None:
        """Takes an observation in; one that is no newer changes nothing.

        Args:
            made: how many the device has made of this tool; None if it does not say, and then those that came count.
        """
        if self.newest is not None and capture_ns <= self.capture_ns:
            if seen.T_tracker_tool is None:
                self.newest = seen  # why a tool is gone may be newer than what was seen of it
            return
        self._seen += 1
        self.newest, self.capture_ns = seen, capture_ns
        self._times.append((capture_ns, self._seen if made is None else made))
        while capture_ns - self._times[0][0] > WINDOW_NS:
            self._times.popleft()

    def rate_hz(self, now_ns: int) -> float | None:
        """Observations a second; None without two of them in the last two seconds."""
        if now_ns - self.capture_ns > WINDOW_NS or len(self._times) < 2:
            return None
        (first_ns, first), (last_ns, last) = self._times[0], self._times[-1]
        return (last - first) * NS_PER_S / (last_ns - first_ns)

    def jitter_ms(self, now_ns: int) -> float | None:
        """RMS deviation of the times of capture from even intervals, those that were not taken left out."""
        rate_hz = self.rate_hz(now_ns)
        if not rate_hz:
            return None
        periods = np.diff([time_ns for time_ns, _ in self._times]) * rate_hz / NS_PER_S
        off = periods - np.maximum(1.0, np.round(periods))
        return float(np.sqrt(np.mean(off**2)) / rate_hz * 1e3)

    def age_ms(self, now_ns: int) -> float:
        return (now_ns - self.capture_ns) / _NS_PER_MS


class RoomWatch:
    """Reads a room as the pose process does, and keeps what can be shown of it.

    Attributes:
        judged: the state of each tool, as clients would be told it.
        judged_ns: when it was judged.
        tools: by the tool's name.
    """

    def __init__(self, room: Room, tracker: RoomTracker, clock: PacedClock) -> None:
        limits = SupervisorSettings(stale_after_ms=room.stale_after_ms, lost_after_ms=room.lost_after_ms)
        self._tracker, self._clock = tracker, clock
        self._newest = NewestFrame(tracker, clock)
        self._supervisor = Supervisor(tracker.tools, limits)
        self._device_of = {tool.name: device.name for device in room.devices for tool in device.tools}
        self._leading = room.devices[0].name
        self.judged = dict.fromkeys(tracker.tools, Judgement(Validity.LOST, "no frame yet"))
        self.judged_ns = clock.now_ns()
        self.tools = {name: ToolNumbers() for name in tracker.tools}

    @property
    def states(self) -> dict[str, DeviceState]:
        """By the name of the device."""
        return dict(self._tracker.states)

    def step(self) -> None:
        """Waits for the next frame, not long, and takes it in."""
        frame = self._newest.take()
        self.judged_ns = self._clock.now_ns()
        self.judged = dict(self._supervisor.judge(frame, self.judged_ns))
        if frame is not None:
            self._take(frame)

    def _take(self, frame: TrackerFrame) -> None:
        counted = {name: state.frames.of_tools for name, state in self.states.items()}
        for name, seen in frame.tools.items():
            capture_ns = frame.capture_ns if seen.capture_ns is None else seen.capture_ns
            # A leading device that does not count by the tool has all of them in each of its frames.
            whole = frame.sequence if self._device_of[name] == self._leading else None
            self.tools[name].take(seen, capture_ns, counted[self._device_of[name]].get(name, whole))
