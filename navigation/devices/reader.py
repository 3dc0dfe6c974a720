"""Makes a tracker of whatever can connect and receive: a thread reads, the newest frame is kept, and a device that goes
away is connected again after pauses that grow.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from geometry.clock import Clock
from geometry.errors import SurgNavError
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.driver import Device
from navigation.devices.kept_clock import KeptClock
from navigation.devices.sensor_clock import SET_BACK_NS, SensorClock
from navigation.devices.tracker import (
    Connection,
    DeviceState,
    FrameCounts,
    ToolObservation,
    TrackerFrame,
    Visibility,
)
from navigation.errors import DeviceError

# How long a connection is asked to wait, so that `stop` is heard.
_RECEIVE_S = 0.1
_STOP_S = 3.0


@dataclass(frozen=True)
class Received:
    """One message of a device.

    Attributes:
        tools: observations by tool name, in frames and mm as everywhere; tools that are not named keep what was last
            seen of them, with the time of that. Empty for a sign of life that is no frame.
        sensor_ns: the device's stamp of them, on its own clock; None if it gives none.
        sequence: the device's own number of the frame, by which lost ones are counted; None if it does not count.
        news: what is wrong with the device although it answers; empty if that is over, None if nothing is said of it.
        strays_mm: single markers that are no tool's, ``(n, 3)`` in ``tracker``; None if nothing is said of them.
        overtaken: tool -> older observations of it that came too, and that the connection left out.
        arrival_ns: when it came, on this machine's clock, where that is known better than by the time at which it is
            handed over: pictures, for one, arrive before they are looked at.
    """

    tools: Mapping[str, ToolObservation] = field(default_factory=dict)
    sensor_ns: int | None = None
    sequence: int | None = None
    news: str | None = None
    strays_mm: Floats | None = None
    overtaken: Mapping[str, int] = field(default_factory=dict)
    arrival_ns: int | None = None


class DeviceConnection(Protocol):
    """One connection to a device, from its opening to its end.

    Attributes:
        round_trip_ns: how long a question and its answer took when it was opened: the way here takes no longer. 0 for
            a device without a link, or whose times need no learning.
    """

    @property
    def round_trip_ns(self) -> int: ...

    def receive(self, timeout_s: float) -> Sequence[Received]:
        """What came next, all of it that is there, the oldest first; empty if nothing came within `timeout_s`.

        Raises:
            OSError, SurgNavError: the connection has ended; the message says why.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class BackOff:
    """Pauses between attempts to connect: `first_s`, then twice as long each time, up to `longest_s`."""

    first_s: float = 0.5
    longest_s: float = 1.0  # a device that is back is asked for so soon that its tools are valid within two seconds

    def pause_s(self, failures: int) -> float:
        """The pause after so many attempts without a frame, from 1 on."""
        return min(self.longest_s, self.first_s * 2.0 ** min(max(failures - 1, 0), 30))


class ReaderTracker:
    """Satisfies `Tracker` with a thread that connects, receives and connects again.

    Args:
        device: the device with its tools, and how its frames get their time.
        connect: opens a connection, in the thread; may take its time, and raise OSError or SurgNavError.
        rate_hz: the expected rate.
        clock: stamps arrivals.
        silent_after_s: a connection without a sign of life for so long has ended; None if silence is usual.
    """

    def __init__(
        self,
        device: Device,
        connect: Callable[[], DeviceConnection],
        rate_hz: float,
        clock: Clock,
        back_off: BackOff | None = None,
        silent_after_s: float | None = 5.0,
    ) -> None:
        self._device = device if device.stamps.kept else device.keeping_clock(KeptClock())
        self._connect, self._rate_hz, self._clock = connect, rate_hz, clock
        self._back_off = back_off or BackOff()
        self._silent_after_s = silent_after_s
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._newest = NewestObservations(device.tool_names)
        self._state = DeviceState(Connection.CONNECTING)

    @property
    def tools(self) -> tuple[str, ...]:
        return self._device.tool_names

    @property
    def rate_hz(self) -> float:
        return self._rate_hz

    @property
    def state(self) -> DeviceState:
        with self._changed:
            frames = replace(self._newest.counts, of_tools=dict(self._newest.of_tools))
            return replace(self._state, frames=frames)

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"surgnav-{self._device.name}", daemon=True)
        self._thread.start()

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest.is_unread, timeout_ns / NS_PER_S)
            return self._newest.take()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            self._keep_connected()
        except BaseException as error:
            self._say(DeviceState(Connection.GONE, f"the driver failed: {type(error).__name__}: {error}"))
            raise

    def _keep_connected(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            before = self._newest.counts.received
            self._say(DeviceState(Connection.CONNECTING, self._state.reason))
            try:
                self._use(self._connect())
                return
            except (OSError, SurgNavError) as error:
                failures = 1 if self._newest.counts.received > before else failures + 1
                pause_s = self._back_off.pause_s(failures)
                retry_ns = self._clock.now_ns() + round(pause_s * NS_PER_S)
                self._say(DeviceState(Connection.GONE, in_words(error), retry_ns))
                self._stopping.wait(pause_s)

    def _use(self, connection: DeviceConnection) -> None:
        """Receives until `stop`; a connection begins with what is known of the device's clock."""
        sensor_clock = SensorClock(self._device.stamps, connection.round_trip_ns, self._clock.now_ns())
        try:
            self._say(DeviceState(Connection.CONNECTED))
            with self._changed:
                self._newest.begin_connection()
            heard_ns = self._clock.now_ns()
            while not self._stopping.is_set():
                received = connection.receive(_RECEIVE_S)
                now_ns = self._clock.now_ns()
                if received:
                    heard_ns = now_ns
                    self._take(received, sensor_clock, now_ns)
                else:
                    self._check_silence(now_ns - heard_ns)
        finally:
            connection.close()

    def _take(self, received: Sequence[Received], sensor_clock: SensorClock, arrival_ns: int) -> None:
        with self._changed:
            for message in received:
                if message.news is not None:
                    self._state = DeviceState(Connection.CONNECTED, message.news)
                if message.tools or message.strays_mm is not None:
                    came_ns = arrival_ns if message.arrival_ns is None else message.arrival_ns
                    overtaken = max(message.overtaken.values(), default=0)
                    stream = min(message.tools, default="")
                    capture_ns = sensor_clock.capture_ns(message.sensor_ns, came_ns, stream, overtaken)
                    self._newest.put(message, capture_ns, sensor_clock.bound_ns)
            self._changed.notify_all()

    def _check_silence(self, silent_ns: int) -> None:
        if self._silent_after_s is not None and silent_ns > self._silent_after_s * NS_PER_S:
            raise DeviceError(
                f"silence for {silent_ns / NS_PER_S:.1f} s", "signs of life", "check the device and its cable"
            )

    def _say(self, state: DeviceState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()


@dataclass(frozen=True)
class _Seen:
    observation: ToolObservation
    capture_ns: int
    sensor_ns: int | None
    bound_ns: int


class NewestObservations:
    """The newest observation of each tool, and what became of the others; bounded by the number of tools."""

    def __init__(self, tools: tuple[str, ...]) -> None:
        self.counts = FrameCounts()
        self.of_tools: Counter[str] = Counter()
        self.is_unread = False
        self._seen: dict[str, _Seen] = {}
        self._strays: tuple[int, Floats] | None = None
        self._tools = tools
        self._sequence = 0
        self._device_sequence: int | None = None

    def begin_connection(self) -> None:
        """Devices begin to count anew, and what was seen before is no longer so."""
        self._device_sequence = None
        self._seen.clear()
        self._strays = None
        self.is_unread = False

    def put(self, received: Received, capture_ns: int, bound_ns: int = 0) -> None:
        """Takes in a message; what is no newer than the last of its tool is late, and dropped.

        Args:
            bound_ns: how much older than `capture_ns` it may be.

        Raises:
            DeviceError: the device's clock was set back.
        """
        lost, last = 0, self._device_sequence
        if received.sequence is not None:
            lost = 0 if last is None else max(0, received.sequence - last - 1)
            self._device_sequence = received.sequence
        newer = {
            tool: _Seen(seen, capture_ns, received.sensor_ns, bound_ns)
            for tool, seen in received.tools.items()
            if tool in self._tools and self._is_newer(tool, received.sensor_ns)
        }
        overtaken = max(received.overtaken.values(), default=0)
        is_late = not newer and any(tool in self._tools for tool in received.tools)
        counts = self.counts
        self.counts = FrameCounts(
            received=counts.received + 1 + overtaken,
            lost=counts.lost + lost,
            late=counts.late + is_late,
            unread=counts.unread + (self.is_unread and bool(newer)) + overtaken,
        )
        if received.strays_mm is not None:
            self._strays = capture_ns, received.strays_mm
            self._sequence += 1
            self.is_unread = True
        if newer:
            self._seen |= newer
            self.of_tools.update(newer.keys())
            self.of_tools.update(received.overtaken)
            self._sequence += 1 + lost + overtaken
            self.is_unread = True

    def _is_newer(self, tool: str, sensor_ns: int | None) -> bool:
        before = self._seen.get(tool)
        if before is None or before.sensor_ns is None or sensor_ns is None:
            return True
        if before.sensor_ns - sensor_ns > SET_BACK_NS:
            raise DeviceError(
                f"a clock of the device that was set back by {(before.sensor_ns - sensor_ns) / NS_PER_S:.3f} s",
                "a clock that runs on",
                "nothing: the connection is made anew",
            )
        return sensor_ns > before.sensor_ns

    def take(self) -> TrackerFrame | None:
        """All tools as they were last seen, each with its own time if it is older than the newest; None if not new."""
        if not self.is_unread:
            return None
        self.is_unread = False
        strays, self._strays = self._strays, None
        times_ns = [seen.capture_ns for seen in self._seen.values()] + ([] if strays is None else [strays[0]])
        frame_ns = max(times_ns)
        tools = {tool: self._observation(tool, frame_ns) for tool in self._tools}
        return TrackerFrame(self._sequence, frame_ns, tools, None if strays is None else strays[1])

    def _observation(self, tool: str, frame_ns: int) -> ToolObservation:
        seen = self._seen.get(tool)
        if seen is None:
            return _NOTHING_YET
        if seen.capture_ns == frame_ns and not seen.bound_ns:
            return seen.observation
        own_ns = None if seen.capture_ns == frame_ns else seen.capture_ns
        return replace(seen.observation, capture_ns=own_ns, stamp_bound_ns=seen.bound_ns)


_NOTHING_YET = ToolObservation(Visibility.NO_DATA, reason="the device has said nothing of this tool yet")


def in_words(error: Exception) -> str:
    """What ended a connection, in one line."""
    if isinstance(error, SurgNavError):
        return error.came
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return words.lower() if words else type(error).__name__
