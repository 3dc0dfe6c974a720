"""Live ultrasound on the wire to the Unity package's C# client, and what it does to poses beside it.

    python benchmarks/ultrasound/bench_ultrasound_wire.py [--seconds 10] [--rounds 2]

Three programs on this machine: the server of poses (5 tools at 100 Hz), the ultrasound process (30 frames a second of
640 x 480 px, four contours of 100 vertices, placed in the CT), and the C# client in .NET 8. In interleaved rounds, each
with the priorities of `surgnav serve` (poses before ultrasound before other programs, the headset's program as poses,
since it has a machine of its own) and without any:

- poses alone; with contours; with contours and images, a JPEG of each frame; and with a second client besides that
  takes images at 2 a second;
- of contours and images: from the stamp of the frame, when its contours are ready, to decoded in the client. What
  finding the contours takes comes on top (bench_ultrasound_busy.py);
- of the slow client: how many images it got, and how old each was at the moment when it had it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from navigation.processes.priority import POSES, ULTRASOUND, going_first, keep_to_itself
from scripts.csharp.build import Runtime, run_command
from scripts.csharp.headset import build_headset
from scripts.csharp.toolchain import ensure_toolchain
from tests.unity_bridge.harness import CLOCK, Server, encode_jpeg
from unity_bridge.client.ultrasound_link import UltrasoundConnection
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.ultrasound.placed import PlacedImage, contour, placing_fields
from unity_bridge.ultrasound.server import UltrasoundServer
from unity_bridge.wire.envelope import NO_SESSION, Session
from unity_bridge.wire.messages import UltrasoundFrame

RATE_HZ, POSE_PERIOD_NS = 30, 10_000_000
WIDTH, HEIGHT, CONTOURS, VERTICES = 640, 480, 4, 100
SLOW_S = 0.5
WAYS = ("poses alone", "contours", "contours and images", "and a slow client")


def speckle(rng: np.random.Generator) -> np.ndarray:
    """Grey values with the grain of ultrasound: Rayleigh noise that is a few pixels wide."""
    noise = np.abs(rng.normal(size=(HEIGHT // 2, WIDTH // 4)) + 1j * rng.normal(size=(HEIGHT // 2, WIDTH // 4)))
    return np.kron(np.clip(60.0 * noise, 0, 255), np.ones((2, 4))).astype(np.uint8)


def serve_ultrasound(session_id: str, secret: str, niceness: str) -> None:
    """The ultrasound process: prints its port, then offers frames until its input ends."""
    os.setpriority(os.PRIO_PROCESS, 0, int(niceness))
    keep_to_itself()
    rng = np.random.default_rng(7)
    pictures = [speckle(rng) for _ in range(8)]
    angles = np.linspace(0.0, 2.0 * np.pi, VERTICES, endpoint=False)
    with zmq.Context() as context:
        server = UltrasoundServer(
            "tcp://127.0.0.1:*",
            Session(bytes.fromhex(session_id), CLOCK),
            context,
            encode_jpeg,
            AdmissionCheck(bytes.fromhex(secret)),
        )
        print(server.endpoint.rpartition(":")[2], flush=True)
        number, due_ns = 0, CLOCK.now_ns()
        while True:
            number, due_ns = number + 1, due_ns + 1_000_000_000 // RATE_HZ
            while (left_ns := due_ns - CLOCK.now_ns()) > 0:
                server.poll(max(1, left_ns // 1_000_000))
            circles = [
                contour(
                    "vessel", np.column_stack([100 * n + 40 * np.cos(angles), 200 + 40 * np.sin(angles)]), closed=True
                )
                for n in range(1, CONTOURS + 1)
            ]
            server.offer(frame(number, circles), pictures[number % len(pictures)])


def frame(number: int, contours: list[Any]) -> UltrasoundFrame:
    return UltrasoundFrame(
        number=number,
        shows_ns=CLOCK.now_ns(),
        source="the benchmark",
        state="usable",
        width_px=WIDTH,
        height_px=HEIGHT,
        contours=tuple(contours),
        **placing_fields(PlacedImage("ct", np.diag([0.1, 0.1, 0.1, 1.0]), 1.5)),
    )


class SlowClient:
    """Takes an image every half a second, and notes how old it is then."""

    def __init__(self, port: int, token: bytes) -> None:
        self._context = zmq.Context()
        session = Session(NO_SESSION, CLOCK)
        self._link = UltrasoundConnection(f"tcp://127.0.0.1:{port}", self._context, session, None, images=True)
        self._token, self._due_ns = token, CLOCK.now_ns()
        self.ages_ms: list[float] = []

    def look(self) -> None:
        before = self._link.received
        self._link.drain()
        if self._link.received > before:
            self.ages_ms.append((CLOCK.now_ns() - self._link.newest.shows_ns) / 1e6)
        if CLOCK.now_ns() >= self._due_ns:
            self._due_ns += round(SLOW_S * 1e9)
            self._link.ask(self._token)

    def close(self) -> None:
        self._link.close()
        self._context.destroy(linger=0)


def run_apart(way: str, seconds: float, goes_first: bool) -> dict[str, Any]:
    """One round in a process of its own, whose priority counts beside all other programs."""
    words = [sys.executable, __file__, "--round", way, str(seconds), str(int(goes_first))]
    with going_first(goes_first, POSES):
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(way: str, seconds: float, goes_first: bool) -> dict[str, Any]:
    """One round: the client's report, and the slow client's ages."""
    tools = ensure_toolchain()
    server, slow, process = Server(), None, None
    if way != "poses alone":
        words = [server.session.session_id.hex(), server.secret.hex(), str(ULTRASOUND if goes_first else 0)]
        command = [sys.executable, __file__, "--serve", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        server.ultrasound_port = int(process.stdout.readline())
        if way == WAYS[3]:
            slow = SlowClient(server.ultrasound_port, server.admissions.issue(""))
    reads = [] if way == WAYS[0] else ["--ultrasound", "contours" if way == WAYS[1] else "images"]
    where = server.endpoints
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        command = [*run_command(build_headset(tools), tools, Runtime.DOTNET), "--duration", str(seconds), *reads]
        command += ["--poses", where.poses, "--surfaces", where.surfaces, "--control", where.control]
        with subprocess.Popen([*command, "--report", str(file)]) as client:
            due_ns = CLOCK.now_ns()
            while client.poll() is None:
                due_ns += POSE_PERIOD_NS
                server.publish()
                while (left_ns := due_ns - CLOCK.now_ns()) > 0:
                    server.serve(max(1, left_ns // 2_000_000))
                    if slow is not None:
                        slow.look()
        report = json.loads(file.read_text("utf-8"))
    for each in (slow, server):
        if each is not None:
            each.close()
    if process is not None:
        process.kill()
        process.wait()
    return report | {"slow_ages_ms": [] if slow is None else slow.ages_ms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--round", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve_ultrasound(*options.serve)
    if options.round:
        keep_to_itself()
        way, seconds, goes_first = options.round
        print(json.dumps(run(way, float(seconds), goes_first == "1")))
        return
    ways = [(way, goes_first) for goes_first in (True, False) for way in WAYS]
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            found[way].append(run_apart(way[0], options.seconds, way[1]))
            time.sleep(0.2)
    print(f"load average {os.getloadavg()[0]:.1f}")
    for goes_first in (True, False):
        show({way: found[way, goes_first] for way in WAYS}, goes_first, options.seconds)


def show(found: dict[str, list[dict[str, Any]]], goes_first: bool, seconds: float) -> None:
    """One table."""
    print(f"{'with priorities' if goes_first else 'without priorities':26}{'pose p50':>10}{'pose p99':>10}", end="")
    print(f"{'times alone':>13}{'contour p50':>13}{'p99':>8}{'image p50':>11}{'p99':>8}", end="")
    print(f"{'contours/s':>12}{'images/s':>10}{'lost poses':>12}")
    alone = np.median([each["latency_p99_ms"] for each in found[WAYS[0]]])
    for way, reports in found.items():
        print(row(way, reports, float(alone), seconds))
    ages = np.array([age for each in found[WAYS[3]] for age in each["slow_ages_ms"]])
    print(f"slow client: {len(ages)} images; age on arrival: median {np.median(ages):.1f}, largest {ages.max():.1f} ms")


def row(way: str, reports: list[dict[str, Any]], alone: float, seconds: float) -> str:
    def median(*path: str) -> float:
        values = []
        for report in reports:
            value: Any = report
            for name in path:
                value = value[name]
            values.append(np.nan if value is None else float(value))
        return float(np.median(values))

    p99 = median("latency_p99_ms")
    cells = f"{way:26}{median('latency_p50_ms'):10.2f}{p99:10.2f}{p99 / alone:13.2f}"
    for kind, width in (("contours", 13), ("images", 11)):
        p50_ms, p99_ms = (median("ultrasound", kind, name) for name in ("latency_p50_ms", "latency_p99_ms"))
        cells += f"{p50_ms:{width}.2f}{p99_ms:8.2f}"
    rates = [median("ultrasound", kind, "received") / seconds for kind in ("contours", "images")]
    return cells + f"{rates[0]:12.1f}{rates[1]:10.1f}{sum(each['poses_lost'] for each in reports):12}"


if __name__ == "__main__":
    main()
