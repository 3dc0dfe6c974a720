"""From the driver's callback to published: what the pose loop itself adds, and what it takes of a core.

    python benchmarks/live/bench_added_latency.py [--seconds 20] [--tools 16] [--rate-hz 1000]

The real loop (timelines, supervisor, poses relative to the reference with their covariances, encoder, socket) with a
driver that makes its frames beforehand and stamps each as it hands it over; a subscriber in a process of its own reads
everything. The loop is started as `surgnav serve` starts it, before other programs where the user may, and in `real
time` as with `--real-time`. `loaded` has a process beside it that computes without pause, as ultrasound inference does,
and one that sends surfaces of 1 MB over TCP as fast as they go. Rival: a bare pyzmq PUB, started in the same way, at
the same rate with as many bytes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import uuid
from collections.abc import Callable

import numpy as np
import zmq
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, REFERENCE, TRACKER
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.tracker import CONNECTED, ToolObservation, TrackerFrame, Visibility
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.supervisor import Supervisor
from navigation.processes.priority import ask_for_real_time, going_first, keep_to_itself, scheduling_of
from registration.record.accepted import AcceptedRegistration, RegistrationUncertainty
from unity_bridge.client.poses.receiver import PoseReceiver
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.wire.envelope import Session

CLOCK = MonotonicClock()
CONTEXT = multiprocessing.get_context("spawn")
_MADE = 200  # frames that the driver repeats, each with its own stamp


class Callbacks:
    """A driver that hands over a frame when one is due, stamped in that moment; it counts those it was too late for."""

    def __init__(self, tools: int, rate_hz: float) -> None:
        rng = np.random.default_rng(1)
        self.tools = (REFERENCE, *(f"instrument_{number}" for number in range(tools - 1)))
        self.rate_hz, self.state, self.missed = rate_hz, CONNECTED, 0
        self._period_ns, self._sequence = round(NS_PER_S / rate_hz), 0
        noise = np.diag([1e-6] * 3 + [0.01] * 3)
        places = {tool: (Rotation.random(rng=rng), rng.normal([0, 0, 1500], 100.0)) for tool in self.tools}
        self._frames = []
        for _ in range(_MADE):
            moved = {tool: (turn, place + rng.normal(scale=0.1, size=3)) for tool, (turn, place) in places.items()}
            self._frames.append(
                {
                    tool: ToolObservation(
                        Visibility.VISIBLE, Transform.from_rotation(*at, TRACKER, tool), 0.1, covariance=noise
                    )
                    for tool, at in moved.items()
                }
            )

    def start(self) -> None:
        self._due_ns = CLOCK.now_ns() + self._period_ns

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        now_ns = CLOCK.now_ns()
        if self._due_ns - now_ns > timeout_ns:
            CLOCK.sleep_until_ns(now_ns + timeout_ns)
            return None
        missed = max(0, now_ns - self._due_ns) // self._period_ns
        self.missed += missed
        self._sequence += 1 + missed
        CLOCK.sleep_until_ns(self._due_ns)
        self._due_ns += (1 + missed) * self._period_ns
        return TrackerFrame(self._sequence, CLOCK.now_ns(), self._frames[self._sequence % _MADE])


def graph(driver: Callbacks) -> PoseGraph:
    tips = {
        tool: CalibratedTip(Transform.from_rotation(Rotation.identity(), [0, -160, 0], tool, f"{tool}_tip"), 0.3)
        for tool in driver.tools[1:]
    }
    known = RegistrationUncertainty(np.diag([1e-6] * 3 + [0.04] * 3 + [1e-6]), np.zeros(3))
    pose = Transform(np.eye(4), REFERENCE, CT)
    return PoseGraph(tips, AcceptedRegistration(pose, "r", 1.0, "accept", "Dr Test", known))


def our_loop(tools: int, rate_hz: float, seconds: float, stop: object, results: object) -> None:
    """Main function of the pose process: publishes for `seconds`, and reports latencies, losses and CPU time."""
    keep_to_itself()
    driver = Callbacks(tools, rate_hz)
    with PosePublisher("tcp://127.0.0.1:*", Session(uuid.uuid4().bytes, CLOCK)) as publisher:
        results.put(publisher.endpoint)
        while publisher.subscriber_count == 0:
            publisher.poll()
            time.sleep(0.01)
        latencies: list[int] = []

        def note(states: object, capture_ns: int) -> None:
            latencies.append(CLOCK.now_ns() - capture_ns)

        loop = PoseLoop(driver, graph(driver), Supervisor(driver.tools), publisher, CLOCK, after=note)
        driver.start()
        for _ in range(500):
            loop.step()
        latencies.clear()
        driver.missed, begun_s, cpu_s = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - begun_s < seconds:
            loop.step()
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
        results.put((latencies, driver.missed, cpu_s / took_s, publisher.last_sequence))
        stop.wait(10.0)


def bare(tools: int, rate_hz: float, seconds: float, stop: object, results: object) -> None:
    keep_to_itself()
    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    socket.bind("tcp://127.0.0.1:*")
    results.put(socket.getsockopt_string(zmq.LAST_ENDPOINT))
    time.sleep(1.0)
    filler, latencies = bytes(84 * tools + 500), []
    period_ns = round(NS_PER_S / rate_hz)
    due_ns, begun_s, cpu_s, missed = CLOCK.now_ns() + period_ns, time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun_s < seconds:
        CLOCK.sleep_until_ns(due_ns)
        called_ns = CLOCK.now_ns()
        missed += (called_ns - due_ns) // period_ns
        due_ns += (1 + (called_ns - due_ns) // period_ns) * period_ns
        socket.send(filler)
        latencies.append(CLOCK.now_ns() - called_ns)
    took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
    results.put((latencies, missed, cpu_s / took_s, len(latencies)))
    stop.wait(10.0)
    context.destroy(linger=0)


def subscribe(endpoint: str, stop: object, results: object) -> None:
    context = zmq.Context()
    receiver = PoseReceiver(endpoint, context, CLOCK, 0, 4096)
    while not stop.is_set():
        receiver.socket.poll(50)
        receiver.drain()
    receiver.drain()
    results.put((receiver.log.received, receiver.log.lost))


def compute(stop: object) -> None:
    """As inference: matrix products without pause, on one thread."""
    matrix = np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32)
    while not stop.is_set():
        matrix = np.tanh(matrix @ matrix * 0.01)


def surfaces(stop: object) -> None:
    """1 MB after 1 MB to oneself over TCP."""
    context = zmq.Context()
    out, into = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    out.setsockopt(zmq.SNDHWM, 2)
    into.connect(f"tcp://127.0.0.1:{out.bind_to_random_port('tcp://127.0.0.1')}")
    block = bytes(1_000_000)
    while not stop.is_set():
        out.send(block)
        into.recv()
    context.destroy(linger=0)


def measure(
    who: Callable[..., None], arguments: argparse.Namespace, loads: list[Callable[..., None]], real_time: bool
) -> str:
    stop, results, heard = CONTEXT.Event(), CONTEXT.Queue(), CONTEXT.Queue()
    settings = arguments.tools, arguments.rate_hz, arguments.seconds
    processes = [CONTEXT.Process(target=load, args=(stop,), daemon=True) for load in loads]
    for process in processes:
        process.start()
    processes.append(CONTEXT.Process(target=who, args=(*settings, stop, results), daemon=True))
    with going_first():
        processes[-1].start()
    process_id = processes[-1].pid or 0
    if real_time:
        ask_for_real_time(process_id)
    endpoint = results.get(timeout=60)
    scheduling = scheduling_of(process_id)
    if who is our_loop:
        processes.append(CONTEXT.Process(target=subscribe, args=(endpoint, stop, heard), daemon=True))
        processes[-1].start()
    latencies, missed, cores, sent = results.get(timeout=60 + arguments.seconds)
    time.sleep(0.5)
    stop.set()
    received, lost = heard.get(timeout=60) if who is our_loop else (sent, 0)
    for process in processes:
        process.join(20)
    p50, p99, p999 = np.percentile(np.array(latencies) / 1e6, [50.0, 99.0, 99.9])
    return (
        f"p50 {p50:.3f} ms, p99 {p99:.3f}, p99.9 {p999:.3f}; {len(latencies)} batches, {missed} callbacks "
        f"not made in time, {lost} of {received + lost} lost on the way; {cores:.2f} cores; "
        f"{scheduling.words if scheduling else 'it has ended'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--tools", type=int, default=16)
    parser.add_argument("--rate-hz", type=float, default=1000.0)
    arguments = parser.parse_args()
    load = [compute, surfaces]
    for name, loads, real_time in (("alone", [], False), ("loaded", load, False), ("loaded, real time", load, True)):
        for rival, who in (("surgnav", our_loop), ("bare pyzmq", bare)):
            print(f"{name:18s} {rival:11s} {measure(who, arguments, loads, real_time)}", flush=True)


if __name__ == "__main__":
    main()
