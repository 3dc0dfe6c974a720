"""Random schedules of faults that overlap, on a simulated clock: is anything wrong ever published as valid?

    python benchmarks/live/bench_chaos_accelerated.py [--schedules 500] [--seed 1]

For the faults that need no process of their own. What takes in observations, learns the device's clock, orders frames,
judges, watches and computes poses is the program's own; simulated are the clock, the device and its link, and when
`ReaderTracker` connects again (by its own `BackOff`). Sockets, processes and the recorder are in `bench_chaos.py`.

Each schedule draws one to three faults that may overlap: the link is cut, holds everything back and then gives it at
once, is late by 0.3 s, or sends garbage; the device is silent; its clock jumps, by up to 5 s or by up to 0.3 s; the
pose process stops at any point of its work, or is killed and the next one begins; the registration is withdrawn and put
back.

The stylus goes round on a circle, so its pose itself tells when it was seen, whatever the stamps say. Counted is what a
client may show as valid (until the next batch, or until the stamp is 100 ms old) that was seen more than 100 ms and
`BEYOND_MS` before, or a patient while none is registered. Recovery is from the end of the last fault.

No rival runs this: the bars are the issue's. The exit code is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from geometry import Transform
from geometry.errors import SurgNavError
from geometry.frames import CT, REFERENCE, STYLUS, TRACKER
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import Device, Role, StampClock, Stamps, Tool
from navigation.devices.kept_clock import KeptClock
from navigation.devices.reader import BackOff, NewestObservations, Received
from navigation.devices.sensor_clock import SensorClock
from navigation.devices.tracker import CONNECTED, ToolObservation, TrackerFrame, Visibility
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.pose_process import RESTARTS
from navigation.live.supervisor import Supervisor, SupervisorSettings
from navigation.live.watches.room_watches import RoomWatches
from registration.record.accepted import AcceptedRegistration
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

MS = 1_000_000
RATE_HZ, LATENCY_MS, JITTER_MS, LATE_MS = 100.0, 2.0, 1.0, 300.0
LIMIT_MS, RECOVERY_BAR_S, PATIENCE_S = 100.0, 2.0, 60.0
BEYOND_MS = 10.0  # by how much the learned clock may be off: what the link's jitter adds to its shortest way
RADIUS_MM, ROUND_S = 80.0, 5.0
FAULTS = ("cut", "held", "silent", "late", "garbage", "far jump", "near jump", "stopped", "killed", "withdrawn")
# From stamps alone a clock that is set back by less than 0.1 s, or by less than a silence lasts, looks like a delay:
# nothing is valid until that is learned, which takes the window of `SensorClock`.
SET_BACK = "set back"
GRAPH = PoseGraph({}, AcceptedRegistration(Transform(np.eye(4), REFERENCE, CT), "r-0001", 1.0, "accept", "Dr Test"))
TOOLS = (REFERENCE, STYLUS)
DEVICE = Device(
    name="linked",
    driver="simulated",
    settings=None,
    stamps=Stamps(StampClock.SENSOR, latency_ms=LATENCY_MS),
    tools=(
        Tool(name=REFERENCE, role=Role.REFERENCE, id="1", settings=None),
        Tool(name=STYLUS, role=Role.STYLUS, id="2", settings=None),
    ),
)


class StoppingClock(VirtualClock):
    """Stops whoever asks for the time: at the call after `calls` more, for `stop_ns`."""

    def __init__(self) -> None:
        super().__init__(10 * NS_PER_S)
        self.calls, self.stop_ns = 0, 0

    def now_ns(self) -> int:
        if self.stop_ns:
            self.calls -= 1
            if self.calls < 0:
                stop_ns, self.stop_ns = self.stop_ns, 0
                self.advance_ns(stop_ns)
        return super().now_ns()


class Link:
    """The device and its link as a tracker: what a `ReaderTracker` would have received by now.

    Attributes:
        faults: those that are on.
        shift_ns: of the device's clock.
        handed_ns: when the newest of what was handed over was seen in truth.
    """

    tools, rate_hz, state = TOOLS, RATE_HZ, CONNECTED

    def __init__(self, clock: StoppingClock, rng: np.random.Generator) -> None:
        self._clock, self._rng, self._back_off = clock, rng, BackOff()
        self.faults: Counter[str] = Counter()
        self.shift_ns = self.handed_ns = 0
        self._made_ns = clock.now_ns()  # the device's next frame
        self._way: deque[tuple[int, int, Received]] = deque()  # arrival, truth and message
        self._arrived_ns = 0
        self._stamps = replace(DEVICE.stamps, kept=KeptClock())
        self.connect()

    def connect(self) -> None:
        """Anew, by a reader that knows of the device's clock what the one before it had learned."""
        self._newest, self._failures, self._retry_ns = NewestObservations(TOOLS), 0, 0
        self._begin()

    def _begin(self) -> None:
        way_ms = LATENCY_MS + (LATE_MS if self.faults["late"] else 0.0)
        self._sensor_clock = SensorClock(self._stamps, round(2 * way_ms * MS), self._clock.now_ns())
        self._newest.begin_connection()
        self._way.clear()
        while self._made_ns <= self._clock.now_ns():  # what was made before is sent to nobody
            self._made_ns += round(NS_PER_S / RATE_HZ)

    def lose(self) -> None:
        """The connection ends; the next attempt comes after a pause."""
        self._way.clear()
        self._failures += 1
        self._retry_ns = self._clock.now_ns() + round(self._back_off.pause_s(self._failures) * NS_PER_S)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        end_ns = self._clock.now_ns() + timeout_ns
        while True:
            now_ns = self._clock.now_ns()
            self._go_on(now_ns)
            if self._newest.is_unread:
                return self._newest.take()
            if now_ns >= end_ns:
                return None
            self._clock.sleep_until_ns(min(end_ns, now_ns + MS))

    def _go_on(self, now_ns: int) -> None:
        if self._retry_ns and now_ns >= self._retry_ns:
            self._retry_ns = 0
            if self.faults["cut"]:
                self.lose()
            else:
                self._begin()
        elif not self._retry_ns and self.faults["cut"]:
            self.lose()
        while self._made_ns <= now_ns:
            if not (self._retry_ns or self.faults["silent"]):
                self._send(self._made_ns)
            self._made_ns += round(NS_PER_S / RATE_HZ)
        try:
            while self._way and self._way[0][0] <= now_ns and not self.faults["held"]:
                _, seen_ns, message = self._way.popleft()
                stamp_ns = self._sensor_clock.capture_ns(message.sensor_ns, now_ns)
                self._newest.put(message, stamp_ns, self._sensor_clock.bound_ns)
                self.handed_ns, self._failures = seen_ns, 0
        except SurgNavError:  # the device's clock was set back
            self.lose()

    def _send(self, seen_ns: int) -> None:
        seen = {
            tool: ToolObservation(Visibility.VISIBLE, Transform(matrix, TRACKER, tool), 0.1)
            for tool, matrix in ((REFERENCE, placed(0.0, 0.0)), (STYLUS, on_circle(seen_ns)))
        }
        way_ms = LATENCY_MS + self._rng.exponential(JITTER_MS) + (LATE_MS if self.faults["late"] else 0.0)
        self._arrived_ns = max(self._arrived_ns, seen_ns + round(way_ms * MS))
        self._way.append((self._arrived_ns, seen_ns, Received(seen, sensor_ns=seen_ns + self.shift_ns)))


def placed(x_mm: float, y_mm: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = x_mm, y_mm, 1500.0
    return matrix


def on_circle(seen_ns: int) -> np.ndarray:
    phase = 2.0 * np.pi * (seen_ns / NS_PER_S) / ROUND_S
    return placed(RADIUS_MM * np.cos(phase), RADIUS_MM * np.sin(phase))


def age_on_circle_ms(pose: Transform, now_ns: int) -> float:
    """How long ago the stylus was there; known up to whole rounds."""
    phase = np.arctan2(pose.translation_mm[1], pose.translation_mm[0]) / (2.0 * np.pi)
    age_s = ((now_ns / NS_PER_S) / ROUND_S - phase) % 1.0 * ROUND_S
    return 1e3 * (age_s - ROUND_S if age_s > 0.99 * ROUND_S else age_s)


@dataclass
class Client:
    """Takes the batches, and judges as a client does what it may show until the next."""

    clock: StoppingClock
    link: Link
    wrong: list[str] = field(default_factory=list)
    batches: int = 0
    oldest_ms: float = 0.0
    is_registered: bool = True
    is_valid: bool = False
    _shown: list[tuple[str, int, int]] = field(default_factory=list)  # valid ones: the stamp, and when it was seen

    def publish(self, tools: Sequence[ToolState], capture_ns: int, *_: object) -> int:
        now_ns = self.clock.now_ns()
        self.look(now_ns)
        self.batches += 1
        self._shown = []
        for state in tools:
            if state.validity is not Validity.VALID:
                continue
            seen_ns = self.link.handed_ns
            if state.tool == STYLUS and state.T_to_from is not None:
                seen_ns = now_ns - round(age_on_circle_ms(state.T_to_from, now_ns) * MS)
            if state.tool == PATIENT and not self.is_registered:
                self.wrong.append("a patient that is not registered")
            self._shown.append((state.tool, capture_ns if state.capture_ns is None else state.capture_ns, seen_ns))
        self.look(now_ns)
        self.is_valid = {STYLUS, PATIENT} <= {tool for tool, *_ in self._shown}
        return self.batches

    def look(self, now_ns: int) -> None:
        """At the last moment at which these may be shown as valid."""
        for tool, stamp_ns, seen_ns in self._shown:
            age_ms = (min(now_ns, stamp_ns + round(LIMIT_MS * MS)) - seen_ns) / MS
            self.oldest_ms = max(self.oldest_ms, age_ms)
            if age_ms > LIMIT_MS + BEYOND_MS:
                self.wrong.append(f"{tool} was seen {age_ms:.0f} ms before")


class Room:
    """The loop, which is made anew when it is killed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.clock = rng, StoppingClock()
        self.link = Link(self.clock, rng)
        self.client = Client(self.clock, self.link)
        self.is_set_back = False
        self._begin()

    def _begin(self) -> None:
        settings = SupervisorSettings()
        self._watches = RoomWatches((DEVICE,), GRAPH, settings)
        graph = GRAPH if self.client.is_registered else PoseGraph()
        self.loop = PoseLoop(self.link, graph, Supervisor(TOOLS, settings, self._watches.all), self.client, self.clock)

    def begin(self, fault: str, seconds: float) -> None:
        if fault in ("far jump", "near jump"):
            jump_s = self.rng.uniform(-1.0, 1.0) * (5.0 if fault == "far jump" else 0.3)
            self.link.shift_ns += round(jump_s * NS_PER_S)
            self.is_set_back |= jump_s < 0.0
        elif fault == "garbage":
            self.link.lose()
        elif fault == "stopped":
            self.clock.calls, self.clock.stop_ns = int(self.rng.integers(0, 12)), round(seconds * NS_PER_S)
        elif fault == "killed":
            held = self._watches.held
            self.clock.advance_ns(round(RESTARTS.first_pause_s * NS_PER_S))
            self.link.connect()
            self._begin()
            self._watches.hold(held)
        elif fault == "withdrawn":
            self.client.is_registered, self.loop.graph = False, PoseGraph()
        self.link.faults[fault] += 1

    def end(self, fault: str) -> None:
        self.link.faults[fault] -= 1
        if fault == "withdrawn" and not self.link.faults[fault]:
            self.client.is_registered, self.loop.graph = True, GRAPH

    def during(self, schedule: list[tuple[str, float, float]]) -> tuple[str, float]:
        """Plays faults, each with its begin and its end in s; the last one, and the recovery in s."""
        begun_ns, self.is_set_back = self.clock.now_ns(), False
        due = sorted([(each[1], True, each) for each in schedule] + [(each[2], False, each) for each in schedule])
        for at_s, is_begin, (fault, from_s, to_s) in due:
            while self.clock.now_ns() < begun_ns + round(at_s * NS_PER_S):
                self.loop.step()
            if is_begin:
                self.begin(fault, to_s - from_s)
            else:
                self.end(fault)
        ended_ns = self.clock.now_ns()
        self.loop.step()
        while not self.client.is_valid:
            self.loop.step()
            if self.clock.now_ns() - ended_ns > PATIENCE_S * NS_PER_S:
                break
        return SET_BACK if self.is_set_back else due[-1][2][0], (self.clock.now_ns() - ended_ns) / NS_PER_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, begun_s = np.random.default_rng(asked.seed), time.perf_counter()
    room, recovery_s = Room(rng), {fault: list[float]() for fault in (*FAULTS, SET_BACK)}
    began_ns = room.clock.now_ns()
    for _ in range(asked.schedules):
        schedule = []
        for fault in rng.choice(FAULTS, size=rng.integers(1, 4)):
            from_s, lasts_s = rng.uniform(0.1, 2.0), rng.uniform(0.1, 1.5) if rng.random() < 0.8 else rng.uniform(2, 8)
            schedule.append((str(fault), float(from_s), float(from_s + lasts_s)))
        last, seconds = room.during(schedule)
        recovery_s[last].append(seconds)
    simulated_s = (room.clock.now_ns() - began_ns) / NS_PER_S
    client = room.client
    print(
        f"{asked.schedules} schedules, {client.batches} batches, {simulated_s / 60:.0f} simulated minutes "
        f"in {(time.perf_counter() - begun_s) / 60:.1f}"
    )
    print(f"wrong and valid: {len(client.wrong)} {client.wrong[:5]}; the oldest valid one {client.oldest_ms:.1f} ms")
    slow = 0
    print(f"by the last fault of a schedule; {SET_BACK!r} is any in which the device's clock was set back:")
    for fault, each in recovery_s.items():
        if each:
            over = sum(one > RECOVERY_BAR_S for one in each)
            slow += over
            print(
                f"{fault:>10}: {len(each):4d} times, valid again after {np.median(each):.2f} s (median), "
                f"{max(each):.2f} s at most, {over} times over {RECOVERY_BAR_S:g} s"
            )
    return int(bool(client.wrong) or slow > 0)


if __name__ == "__main__":
    sys.exit(main())
