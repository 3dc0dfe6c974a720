"""Does anything grow, drift or get lost over a day? A day of frames on a simulated clock, or hours of real processes.

    python benchmarks/live/bench_soak.py [--hours 24] [--rate-hz 20] [--tools 4]    a day, as fast as frames go
    python benchmarks/live/bench_soak.py --real 3600                                an hour: service, recorder, client

Accelerated: the real loop (timelines, supervisor, watches, graph, encoder, guidance, socket) in this process and the
real receiver of a client, which takes every batch; the driver repeats frames that were made beforehand, hides tools now
and then, and the registration is renewed every ten minutes of the simulated day.

Real: `NavigationService` with the simulated room at 100 Hz, recorder, OpenIGTLink server and a client that selects
another target every two seconds; all processes are measured.

Memory is the resident size of each process. From the end of the first tenth to the end it must not grow by more than
2 %, and file descriptors and threads not at all. No rival runs this: the bars are the issue's. The exit code is 1 if
one is missed.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import zmq
from scipy.spatial.transform import Rotation

from case.case import Case, MadeBy
from geometry import Transform
from geometry.frames import CT, REFERENCE, STYLUS, TRACKER
from navigation.clock import NS_PER_S, MonotonicClock, VirtualClock
from navigation.devices.driver import Device, Role, StampClock, Stamps, Tool
from navigation.devices.tracker import CONNECTED, ToolObservation, TrackerFrame, Visibility
from navigation.guidance.new_plan import GuidanceSetup
from navigation.guidance.publish import GuidancePublisher
from navigation.headset.event_handler import HeadsetEventSettings
from navigation.live.openigtlink.process import LinkProcess
from navigation.live.openigtlink.server import LinkServerSettings
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.service import NavigationService
from navigation.live.supervisor import Supervisor, SupervisorSettings
from navigation.live.watches.room_watches import RoomWatches
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.tap import device_topic
from navigation.simulation.operating_room import OperatingRoom
from registration.record.accepted import AcceptedRegistration, RegistrationUncertainty
from tests.navigation.guidance.harness import plan
from tests.navigation.live.served_room import measured_now, registered, room_config, service_config
from unity_bridge.client.poses.receiver import PoseReceiver
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.wire.envelope import Session

GROWTH_BAR = 0.02
TENTHS = 10
_MADE = 200
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Repeated:
    """A driver that hands over a frame for every period of a simulated clock."""

    def __init__(self, tools: int, rate_hz: float, clock: VirtualClock) -> None:
        rng = np.random.default_rng(1)
        self.tools = (REFERENCE, STYLUS, *(f"instrument_{number}" for number in range(tools - 2)))
        self.rate_hz, self.state = rate_hz, CONNECTED
        self._clock, self._period_ns, self._sequence = clock, round(NS_PER_S / rate_hz), 0
        noise = np.diag([1e-6] * 3 + [0.01] * 3)
        places = {tool: (Rotation.random(rng=rng), rng.normal([0, 0, 1500], 100.0)) for tool in self.tools}
        self._frames = []
        for number in range(_MADE):
            seen = {}
            for tool, (turn, place) in places.items():
                pose = Transform.from_rotation(turn, place + rng.normal(scale=0.02, size=3), TRACKER, tool)
                is_hidden = tool != REFERENCE and number % 50 == 49
                seen[tool] = (
                    ToolObservation(Visibility.OCCLUDED)
                    if is_hidden
                    else ToolObservation(Visibility.VISIBLE, pose, 0.1, covariance=noise)
                )
            self._frames.append(seen)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        self._sequence += 1
        self._clock.sleep_until_ns(self._sequence * self._period_ns)
        return TrackerFrame(self._sequence, self._clock.now_ns(), self._frames[self._sequence % _MADE])


def resident_mb(process_id: int) -> float:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * _PAGE / 1e6


def descriptors(process_id: int) -> int:
    return len(list(Path(f"/proc/{process_id}/fd").iterdir()))


def threads(process_id: int) -> int:
    return len(list(Path(f"/proc/{process_id}/task").iterdir()))


class Measured:
    """What was measured of each process at the end of each tenth."""

    def __init__(self) -> None:
        self.of: dict[str, list[tuple[float, int, int]]] = {}

    def take(self, processes: dict[str, int | None]) -> None:
        gc.collect()
        for name, process_id in processes.items():
            if process_id is not None:
                row = resident_mb(process_id), descriptors(process_id), threads(process_id)
                self.of.setdefault(name, []).append(row)

    def report(self) -> bool:
        """Prints the growth of each; returns whether a bar was missed."""
        missed = False
        for name, rows in self.of.items():
            (first_mb, first_files, first_threads), (mb, files, running) = rows[0], rows[-1]
            growth = mb / first_mb - 1.0
            grew = growth > GROWTH_BAR or files > first_files or running > first_threads
            missed |= grew
            print(
                f"{name:>18}: {first_mb:.1f} MB after the first tenth, {mb:.1f} at the end ({100 * growth:+.2f} %); "
                f"descriptors {first_files}, {files}; threads {first_threads}, {running}{'  MISSED' if grew else ''}"
            )
        return missed


def accelerated(hours: float, rate_hz: float, tools: int) -> bool:
    """Returns whether a bar was missed."""
    clock, real = VirtualClock(), MonotonicClock()
    driver = Repeated(tools, rate_hz, clock)
    roles = {REFERENCE: Role.REFERENCE, STYLUS: Role.STYLUS}
    device = Device(
        name="repeated",
        driver="simulated",
        settings=None,
        stamps=Stamps(StampClock.SENSOR),
        tools=tuple(Tool(name=n, role=roles.get(n, Role.INSTRUMENT), id=n, settings=None) for n in driver.tools),
    )
    tip = Transform.from_rotation(Rotation.identity(), [0, -160, 0], STYLUS, f"{STYLUS}_tip")
    known = RegistrationUncertainty(np.diag([1e-6] * 3 + [0.04] * 3 + [1e-6]), np.zeros(3))
    evidence = measured_now((device,), tip, 0.3)
    graphs = [
        PoseGraph(
            {STYLUS: CalibratedTip(tip, 0.3, 0.03 * np.eye(3))},
            AcceptedRegistration(
                Transform(np.eye(4), REFERENCE, CT), f"r{n}", 1.0, "accept", "Dr Test", known, evidence=evidence
            ),
        )
        for n in range(2)
    ]
    settings = SupervisorSettings()
    watches = RoomWatches((device,), graphs[0], settings)
    measured, rates = Measured(), []
    session, setup = Session(uuid.uuid4().bytes, clock), GuidanceSetup(plan=plan(), tools={STYLUS: False})
    with PosePublisher("tcp://127.0.0.1:*", session) as publisher, zmq.Context() as context:
        receiver = PoseReceiver(publisher.endpoint, context, real, 0, 4096)
        while publisher.subscriber_count == 0:
            publisher.poll()
        guidance = GuidancePublisher(setup, session, publisher.send)
        loop = PoseLoop(
            driver, graphs[0], Supervisor(driver.tools, settings, watches.all), publisher, clock, after=guidance.after
        )
        steps, renew = round(hours * 3600 * rate_hz / TENTHS), round(600 * rate_hz)
        for tenth in range(TENTHS):
            begun_s = time.perf_counter()
            for step in range(steps):
                if step % renew == 0:
                    loop.graph = graphs[(step // renew) % 2]
                    watches.follow(loop.graph)
                loop.step()
                receiver.drain()
            rates.append(steps / (time.perf_counter() - begun_s))
            measured.take({"loop and client": os.getpid()})
            print(f"{(tenth + 1) * hours / TENTHS:.1f} h, {rates[-1]:.0f} frames a second", file=sys.stderr, flush=True)
        end_s = time.perf_counter() + 2.0
        while receiver.log.last_sequence < publisher.last_sequence and time.perf_counter() < end_s:
            receiver.drain()
        lost = publisher.last_sequence - receiver.log.received
        print(
            f"{hours:g} h of {tools} tools at {rate_hz:g} Hz: {publisher.last_sequence} batches and "
            f"{receiver.guidance.received} of guidance, {lost} lost, {receiver.refused} refused; "
            f"{min(rates):.0f} to {max(rates):.0f} frames a second from tenth to tenth (a shared machine)"
        )
        receiver.close()
    return measured.report() or lost > 0 or receiver.refused > 0


def real_time(seconds: float) -> bool:
    """Returns whether a bar was missed."""
    clock, measured, config = MonotonicClock(), Measured(), room_config()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Case.create(folder / "case", "soak", "2026-11-27T10:00:00+00:00") as case:
            made_by = MadeBy.surgnav("2026-11-27T10:00:00+00:00")
            case.add_markups("targets", {"a": np.zeros(3), "b": np.ones(3)}, made_by, (), kind="plan")
        (folder / "recordings").mkdir()
        serving = replace(
            service_config(registered(OperatingRoom(replace(config, epoch_ns=clock.now_ns())))),
            pose_mirror=f"ipc://{name}/mirror",
            headset_events=HeadsetEventSettings(case=folder / "case", deciders=frozenset()),
        )
        ids = {device_topic(d.name): {tool.name: tool.id for tool in d.tools} for d in serving.devices}
        with (
            closing(RecorderProcess(RecorderConfig(folder=folder / "recordings", tool_ids=ids))) as recorder,
            NavigationService(replace(serving, recorder=recorder.address), print) as service,
            closing(LinkProcess(LinkServerSettings(port=0), serving.pose_mirror, clock)) as link,
        ):
            endpoints = Endpoints(
                poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
            )
            with ReferenceClient(endpoints, clock) as client:
                return _watch(client, service, recorder, link, seconds, measured)


def _watch(
    client: ReferenceClient,
    service: NavigationService,
    recorder: RecorderProcess,
    link: LinkProcess,
    seconds: float,
    measured: Measured,
) -> bool:
    begun_s, sent, rates = time.perf_counter(), 0, []
    asked_s, tenth, before = begun_s, 0, 0
    while (elapsed_s := time.perf_counter() - begun_s) < seconds:
        service.poll(2)
        recorder.poll()
        link.poll()
        client.poll(2)
        client.control.events.take_events()
        if client.is_ready and time.perf_counter() - asked_s > 2.0:
            asked_s = time.perf_counter()
            client.control.send_event("select_target", name="ab"[sent % 2])
            sent += 1
        if elapsed_s > (tenth + 1) * seconds / TENTHS:
            tenth += 1
            rates.append((client.poses.log.received - before) / (seconds / TENTHS))
            before = client.poses.log.received
            measured.take(
                {
                    "service and client": os.getpid(),
                    "pose process": service.pose_process.process_id,
                    "recorder": recorder.process_id,
                    "OpenIGTLink server": link.process_id,
                }
            )
            client.poses.log.batches.clear()
    log, open_events = client.poses.log, len(client.control.events.unanswered)
    lost = "no word" if recorder.state is None else str(recorder.state.lost)
    print(
        f"{seconds:g} s: {log.received} batches, {log.lost} lost; {sent} events, {open_events} without an answer; "
        f"{min(rates):.2f} to {max(rates):.2f} batches a second from tenth to tenth; "
        f"the recorder lost {lost}"
    )
    return measured.report() or log.lost > 0 or open_events > 1 or lost != "0"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rate-hz", type=float, default=20.0)
    parser.add_argument("--tools", type=int, default=4)
    parser.add_argument("--real", type=float, metavar="SECONDS", help="real processes for so long, instead")
    asked = parser.parse_args()
    missed = accelerated(asked.hours, asked.rate_hz, asked.tools) if asked.real is None else real_time(asked.real)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
