"""Random schedules of faults in the simulated room: is anything wrong ever shown as valid, and how soon is it over?

    python benchmarks/live/bench_chaos.py [--schedules 500] [--seed 1]

Service, recorder, OpenIGTLink server, live ultrasound, a client and the device run on this machine, each in a process
of its own; the device is the simulated room, seen over OpenIGTLink through a link that can fail. Each schedule draws
one to three faults, one after the other:

- of processes: SIGKILL of the pose process, the recorder, the OpenIGTLink server, the ultrasound or the device; the
  pose process is stopped and goes on (SIGSTOP, as a laptop that is suspended); the service answers nobody;
- of the device: cut off and refusing, silent, garbage on its link, stamps that jump back or ahead by up to 5 s;
- of the rest: the client loses its network (it ends and another begins), the registration is withdrawn and put back,
  the disk is full (as root, on a memory disk; else it is not drawn).

Before the next fault the stylus and the patient must be valid again.

Counted are readings of the client that show as valid a pose older than the limit, a patient elsewhere than registered
or while the registration was withdrawn, or a tip more than 5 mm from the point that it is held on. Recovery is from the
end of the fault, or from the kill, until stylus and patient are valid again; of a killed device from when it listens.
Poses do not wait for the ultrasound, which loads its network first: how long that takes is said beside.
Of recordings: whether each opens without damage, and how much before a kill is missing.

No rival runs this: the bars are the issue's. The exit code is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from chaos_device import RATE_HZ, FaultyLink, linked_device

from geometry import Transform
from geometry.frames import STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.replay.mcap_messages import McapMessages
from navigation.live.openigtlink.process import LinkProcess
from navigation.live.openigtlink.server import LinkServerSettings
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.service import NavigationService, ServiceConfig
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.tap import device_topic
from navigation.simulation.actions import Touch
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig, simulated_device
from navigation.simulation.optical_tracker import OpticalTrackerSettings
from navigation.simulation.patient import shaft_directions
from navigation.ultrasound.live.process import LiveUltrasound
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.served_room import measured_now
from tests.navigation.ultrasound.live.scanner import Scanner, film, live_config
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.wire.envelope import Validity

CLOCK = MonotonicClock()
LIMIT_NS, WRONG_MM, RECOVERY_BAR_S, LOST_BAR_S, PATIENCE_S = 100_000_000, 5.0, 2.0, 1.0, 60.0
WRITTEN_BYTES = 50_000  # of a file that holds more than its head
POINT_CT_MM = np.array([0.0, -100.0, 0.0])
FAULTS = (
    *("kill poses", "kill recorder", "kill link", "kill ultrasound", "kill device", "stop poses", "silent service"),
    *("cut device", "silent device", "garbage", "clock jump"),
    *("withdraw", "cut network", "full disk"),
)
DISK_BYTES, FILL_BYTES = 3 << 30, 2_900 << 20
JUMP_S = 5.0


def room() -> OperatingRoomConfig:
    bare = OperatingRoom(OperatingRoomConfig(seed=1, centre_ct_mm=np.zeros(3)))
    shaft = shaft_directions(np.array([[0.0, -1.0, 0.0]]), bare.towards_camera_ct)[0]
    seen = OpticalTrackerSettings(dropout_probability=0.0)
    action = Touch(POINT_CT_MM, shaft)
    return OperatingRoomConfig(seed=1, centre_ct_mm=np.zeros(3), action=action, tracker=seen, epoch_ns=CLOCK.now_ns())


@dataclass
class Found:
    """What was seen so far."""

    readings: int = 0
    wrong: list[str] = field(default_factory=list)
    recovery_s: dict[str, list[float]] = field(default_factory=lambda: {fault: [] for fault in FAULTS})
    killed_ns: list[int] = field(default_factory=list)
    ultrasound_s: list[float] = field(default_factory=list)


class Chaos:
    """The room, and a client that looks at every moment."""

    def __init__(
        self,
        service: NavigationService,
        recorder: RecorderProcess,
        truth: OperatingRoom,
        graph: PoseGraph,
        link: FaultyLink,
        server: LinkProcess,
        ultrasound: LiveUltrasound,
        folder: Path,
        rng: np.random.Generator,
    ) -> None:
        self.service, self.recorder, self.graph, self.found = service, recorder, graph, Found()
        self.link, self.server, self.ultrasound, self.folder, self.rng = link, server, ultrasound, folder, rng
        self.tip_mm = truth.T_reference_ct.apply(POINT_CT_MM)
        self.patient_mm = truth.T_reference_ct.translation_mm
        self._restarts, self._is_silent, self._killed_file = 0, False, ""
        self._begun_bytes: dict[str, int] = {}  # of all files before, when one was first seen
        self._join()

    def _join(self) -> None:
        service = self.service
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        self.client = ReferenceClient(endpoints, CLOCK)

    def look(self) -> bool:
        """Whether stylus and patient are shown as valid."""
        if not self._is_silent:
            self.service.poll(1)
            self.recorder.poll()
            self.server.poll()
            self.ultrasound.poll()
            if self.recorder.process.restarts > self._restarts:
                self._restarts = self.recorder.process.restarts
                self.service.tell_recorder()
        self.client.poll(1)
        shown = self.client.newest
        if shown is None:
            return False
        self.found.readings += 1
        tools = shown.tools
        for name, tool in tools.items():
            if tool.validity is Validity.VALID and not 0 <= shown.read_ns - (tool.capture_ns or 0) <= LIMIT_NS:
                self.found.wrong.append(f"{name} is {(shown.read_ns - (tool.capture_ns or 0)) / 1e6:.0f} ms old")
        for name, known_mm in ((STYLUS, self.tip_mm), (PATIENT, self.patient_mm)):
            tool = tools[name]
            if tool.validity is Validity.VALID and tool.pose is not None:
                x, y, z = 1000.0 * np.array(tool.pose.position_m)  # Unity's axes: (-x, z, -y) of ours
                off_mm = float(np.linalg.norm(np.array([-x, -z, y]) - known_mm))
                if off_mm > WRONG_MM:
                    self.found.wrong.append(f"{name} is {off_mm:.1f} mm off")
        return all(tools[name].validity is Validity.VALID for name in (STYLUS, PATIENT))

    def during(self, seconds: float) -> None:
        end_ns = CLOCK.now_ns() + round(seconds * NS_PER_S)
        while CLOCK.now_ns() < end_ns:
            self.look()

    def until(self, condition: Callable[[], bool]) -> None:
        end_ns = CLOCK.now_ns() + round(PATIENCE_S * NS_PER_S)
        while not condition():
            if CLOCK.now_ns() > end_ns:
                raise TimeoutError("stylus and patient were never valid again")

    def fault(self, kind: str, seconds: float) -> None:
        """Makes a fault, ends it, and waits until all is well."""
        faults: dict[str, Callable[[float], None]] = {
            "kill poses": self.kill_poses,
            "kill recorder": self.kill_recorder,
            "kill link": self.kill_link,
            "kill ultrasound": self.kill_ultrasound,
            "kill device": self.kill_device,
            "stop poses": self.stop_poses,
            "silent service": self.be_silent,
            "cut device": self.cut_device,
            "silent device": self.hold_device,
            "garbage": self.send_garbage,
            "clock jump": self.jump,
            "withdraw": self.withdraw,
            "cut network": self.cut_network,
            "full disk": self.fill_disk,
        }
        faults[kind](seconds)
        ended_ns = CLOCK.now_ns()
        self.until(self.look)
        self.found.recovery_s[kind].append((CLOCK.now_ns() - ended_ns) / NS_PER_S)

    def kill_poses(self, _: float) -> None:
        process_id = self.service.pose_process.process_id
        if process_id is not None:
            os.kill(process_id, signal.SIGKILL)
            self.until(lambda: not self.look())

    def stop_poses(self, seconds: float) -> None:
        process_id = self.service.pose_process.process_id
        if process_id is not None:
            os.kill(process_id, signal.SIGSTOP)
            self.during(seconds)
            os.kill(process_id, signal.SIGCONT)

    def kill_recorder(self, _: float) -> None:
        """One that writes: before that, there is nothing to lose."""
        self.until(lambda: self.look() and self.is_recording())
        self._killed_file = "" if self.recorder.state is None else self.recorder.state.file
        if self.recorder.process_id is not None:
            os.kill(self.recorder.process_id, signal.SIGKILL)
            self.found.killed_ns.append(CLOCK.now_ns())
            self.during(0.1)

    def kill_link(self, _: float) -> None:
        if self.server.process_id is not None:
            os.kill(self.server.process_id, signal.SIGKILL)
            self.during(0.1)

    def kill_ultrasound(self, _: float) -> None:
        self.until(lambda: self.look() and self.ultrasound.standing is not None)
        process_id = self.ultrasound.state.process_id
        if process_id is not None:
            os.kill(process_id, signal.SIGKILL)
            killed_ns = CLOCK.now_ns()
            self.until(lambda: self.look() and self.ultrasound.standing is None)
            self.until(lambda: self.look() and self.ultrasound.standing is not None)
            self.found.ultrasound_s.append((CLOCK.now_ns() - killed_ns) / NS_PER_S)

    def kill_device(self, _: float) -> None:
        self.link.kill_device()
        self.until(lambda: not self.look() or self.link.is_up())
        self.until(lambda: self.look() or self.link.is_up())

    def be_silent(self, seconds: float) -> None:
        self._is_silent = True
        self.during(seconds)
        self._is_silent = False

    def cut_device(self, seconds: float) -> None:
        self.link.is_cut = True
        self.during(seconds)
        self.link.is_cut = False

    def hold_device(self, seconds: float) -> None:
        self.link.is_held = True
        self.during(seconds)
        self.link.is_held = False

    def send_garbage(self, _: float) -> None:
        self.link.send_garbage(self.rng.bytes(int(self.rng.integers(1, 400))))
        self.during(0.1)

    def jump(self, _: float) -> None:
        """The device's clock is another from now on."""
        self.link.shift_ns += round(self.rng.uniform(-JUMP_S, JUMP_S) * NS_PER_S)
        self.during(0.05)

    def withdraw(self, seconds: float) -> None:
        self.service.update(PoseGraph(self.graph.tips), "withdrawn")
        self.during(0.2)  # until it has gone through
        valid = self.found.readings
        self.until(lambda: not self.look())
        if self.found.readings - valid > 1:
            self.found.wrong.append("the patient is valid without a registration")
        self.during(seconds)
        self.service.update(self.graph)

    def cut_network(self, seconds: float) -> None:
        self.client.close()
        self.during_alone(seconds)
        self._join()

    def fill_disk(self, seconds: float) -> None:
        path = self.folder / "filling"
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, FILL_BYTES)
        self.during(1.0 + seconds)
        path.unlink()

    def is_recording(self) -> bool:
        """Whether a file is written that is not that of the last kill, and has grown since it was begun."""
        state = self.recorder.state
        if state is None or state.problem or state.file == self._killed_file:
            return False
        before = self._begun_bytes.setdefault(state.file, state.written_bytes)
        return state.written_bytes - before > WRITTEN_BYTES

    def during_alone(self, seconds: float) -> None:
        """Without a client."""
        end_ns = CLOCK.now_ns() + round(seconds * NS_PER_S)
        while CLOCK.now_ns() < end_ns:
            self.service.poll(5)
            self.recorder.poll()
            self.server.poll()


@contextmanager
def folder_of_recordings() -> Iterator[tuple[Path, bool]]:
    """A folder, on a memory disk of its own where that is allowed; and whether it is."""
    with tempfile.TemporaryDirectory() as name:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", name], capture_output=True, check=False
        )
        try:
            yield Path(name), mounted.returncode == 0
        finally:
            if mounted.returncode == 0:
                subprocess.run(["umount", name], check=True)


def recordings(folder: Path, killed_ns: list[int], epoch_ns: int) -> tuple[int, int, list[float]]:
    """Files, those that are damaged, and for each kill how much before it is missing, in s."""
    damaged, ends = 0, []
    files = sorted(folder.glob("*.mcap"))
    for path in files:
        messages = McapMessages(path)
        times = [message.time_ns for message in messages if message.topic == "/wire/poses"]
        damaged += bool(messages.faults)
        ends.append(max(times, default=0) - epoch_ns)
    missing = [min((kill - end for end in ends if end <= kill), default=np.inf) / NS_PER_S for kill in killed_ns]
    return len(files), damaged, missing


@contextmanager
def mirror() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="surgnav-") as name:
        yield f"ipc://{name}/mirror"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    config, rng = room(), np.random.default_rng(asked.seed)
    truth = OperatingRoom(config)
    tip = np.eye(4)
    tip[:3, 3] = truth.tip_stylus_mm
    simulated, load, epoch_ns = simulated_device(config), os.getloadavg()[0], time.time_ns() - CLOCK.now_ns()
    with folder_of_recordings() as (folder, is_own_disk), FaultyLink(simulated) as link, mirror() as address:
        device, T_stylus_tip = linked_device(simulated, link.port), Transform(tip, STYLUS, "stylus_tip")
        evidence = measured_now((device,), T_stylus_tip, 0.2)
        accepted = AcceptedRegistration(truth.T_reference_ct, "r-0001", 1.0, "accept", "Dr Test", evidence=evidence)
        graph = PoseGraph({STYLUS: CalibratedTip(T_stylus_tip, 0.2)}, accepted)
        serving = ServiceConfig(
            devices=(device,), rate_hz=RATE_HZ, graph=graph, start_timeout_s=180.0, pose_mirror=address
        )
        ids = {device_topic(device.name): {tool.name: tool.id for tool in device.tools}}
        with (
            closing(RecorderProcess(RecorderConfig(folder=folder, tool_ids=ids))) as recorder,
            NavigationService(replace(serving, recorder=recorder.address), print) as service,
            closing(LinkProcess(LinkServerSettings(port=0), address, CLOCK)) as server,
            closing(Scanner(film(), f"{address}-probe")) as scanner,
            closing(LiveUltrasound(live_config(scanner.port, folder), f"{address}-probe", CLOCK)) as ultrasound,
        ):
            chaos = Chaos(service, recorder, truth, graph, link, server, ultrasound, folder, rng)
            chaos.until(chaos.look)
            drawn = FAULTS if is_own_disk else FAULTS[:-1]
            for number in range(asked.schedules):
                for kind in rng.choice(drawn, size=rng.integers(1, 4)):
                    chaos.during(float(rng.uniform(0.1, 1.0)))
                    chaos.fault(str(kind), float(rng.uniform(0.1, 1.5)))
                if (number + 1) % 20 == 0:
                    print(f"{number + 1} schedules, {len(chaos.found.wrong)} wrong", file=sys.stderr, flush=True)
            chaos.client.close()
            service.stop()
        n_files, damaged, missing = recordings(folder, chaos.found.killed_ns, epoch_ns)
    return report(asked.schedules, chaos.found, n_files, damaged, missing, load)


def report(schedules: int, found: Found, n_files: int, damaged: int, missing: list[float], load: float) -> int:
    print(f"{schedules} schedules, {found.readings} readings of the client, load before {load:.1f}")
    print(f"wrong and valid: {len(found.wrong)} {found.wrong[:5]}")
    slow = 0
    for kind, seconds in found.recovery_s.items():
        if seconds:
            over = sum(each > RECOVERY_BAR_S for each in seconds)
            slow += over
            print(
                f"{kind:>15}: {len(seconds):4d} times, valid again after {np.median(seconds):.2f} s (median), "
                f"{max(seconds):.2f} s at most, {over} times over {RECOVERY_BAR_S:g} s"
            )
    if found.ultrasound_s:
        print(f"a killed ultrasound was back after {np.median(found.ultrasound_s):.1f} s (median)")
    lost = f"{max(missing):.2f} s at most missing before a kill" if missing else "none was killed"
    print(f"{n_files} recordings, {damaged} damaged, {lost}")
    return int(bool(found.wrong) or slow > 0 or damaged > 0 or max(missing, default=0.0) > LOST_BAR_S)


if __name__ == "__main__":
    sys.exit(main())
