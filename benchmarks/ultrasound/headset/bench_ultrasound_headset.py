"""From the stamp of an ultrasound image to its contours decoded in the C# client, the finding included, beside poses.

    python benchmarks/ultrasound/headset/bench_ultrasound_headset.py [--seconds 8] [--rounds 2] [--model bone ...]

The service of `surgnav serve` with its pose process (3 tools at 100 Hz) and its ultrasound process, which takes
simulated images at 30 a second, finds contours by each model, places them and gives them to the C# client in .NET 8.
The headset is a machine of its own in an operating room: here its program goes first, as the poses do. In interleaved
rounds: poses alone; images taken and contours found by each model. `made` is the share of the 30 frames that reached
the client; forming an image costs the ultrasound process some of its time, which a scanner does not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.demo.ultrasound.patient import TRUE_LAG_MS, ScannedBack, scanned_back
from navigation.demo.ultrasound.probe import calibrated_probe
from navigation.live.pose_graph import PoseGraph
from navigation.live.pose_mirror import mirror_address
from navigation.live.service import NavigationService, ServiceConfig
from navigation.processes.priority import POSES, going_first
from navigation.simulation.operating_room import simulated_device
from navigation.ultrasound.live.outgoing import ClientAccess
from navigation.ultrasound.live.process import LiveConfig, LiveUltrasound
from navigation.ultrasound.placing import ProbeInForce
from navigation.user_folders import cache_directory
from scripts.csharp.build import Runtime, run_command
from scripts.csharp.headset import build_headset
from scripts.csharp.toolchain import ensure_toolchain

CLOCK = MonotonicClock()
RATE_HZ, PERIOD_S, ALONE = 30, 20.0, "poses alone"
TIME = "2026-11-27T09:00:00+00:00"


def run(model: str, seconds: float, back: ScannedBack, probe: ProbeInForce, folder: Path) -> dict[str, Any]:
    """One round: the client's report."""
    device = simulated_device(back.scanned(back.path(CLOCK.now_ns() / NS_PER_S, PERIOD_S)))
    with mirror_address(True) as poses, ExitStack() as stack:
        config = ServiceConfig(devices=(device,), rate_hz=100.0, graph=PoseGraph({}, None), pose_mirror=poses)
        service, ultrasound = NavigationService(config), None
        if model != ALONE:
            session_id, secret = service.ultrasound_access
            access = ClientAccess(
                endpoint="tcp://127.0.0.1:*", session_id=session_id, admission_secret=secret, security=None
            )
            live = LiveConfig(
                device=device,
                probe=probe,
                T_probe_tip=None,
                model=model,
                cache=cache_directory() / "engines",
                access=access,
            )
            ultrasound = stack.enter_context(closing(LiveUltrasound(live, poses, CLOCK)))
        stack.enter_context(service)
        settle(service, ultrasound)
        return watch(service, ultrasound, seconds, folder / "report.json")


def settle(service: NavigationService, ultrasound: LiveUltrasound | None) -> None:
    """Until frames come: an engine compiles first."""
    while ultrasound is not None and (ultrasound.standing is None or ultrasound.standing.used < RATE_HZ):
        serve(service, ultrasound)
        service.ultrasound_port = ultrasound.port


def serve(service: NavigationService, ultrasound: LiveUltrasound | None) -> None:
    service.poll(5)
    if ultrasound is not None:
        ultrasound.poll()


def watch(service: NavigationService, ultrasound: LiveUltrasound | None, seconds: float, file: Path) -> dict[str, Any]:
    """What the C# client has decoded in so many seconds."""
    tools = ensure_toolchain()
    command = [*run_command(build_headset(tools), tools, Runtime.DOTNET), "--duration", str(seconds)]
    command += ["--poses", service.pose_endpoint, "--surfaces", service.surfaces.endpoint]
    command += ["--control", service.control.endpoint, "--report", str(file)]
    command += [] if ultrasound is None else ["--ultrasound", "contours"]
    with going_first(niceness=POSES):
        client = subprocess.Popen(command, start_new_session=True)
    with suppress(OSError):  # as `keep_to_itself`, which a program in C# cannot call
        Path(f"/proc/{client.pid}/autogroup").write_text(str(POSES), encoding="ascii")
    with client:
        while client.poll() is None:
            serve(service, ultrasound)
    return dict(json.loads(file.read_text("utf-8")))


def row(way: str, reports: list[dict[str, Any]], alone_ms: float, seconds: float) -> str:
    """The median of the rounds."""
    poses = {name: float(np.median([each[name] for each in reports])) for name in ("latency_p50_ms", "latency_p99_ms")}
    text = f"{way:20}{poses['latency_p50_ms']:10.2f}{poses['latency_p99_ms']:10.2f}"
    text += f"{poses['latency_p99_ms'] / alone_ms:13.2f}{sum(each['poses_lost'] for each in reports):12}"
    if way == ALONE:
        return text
    contours = [each["ultrasound"]["contours"] for each in reports]
    # The client counts from the instant that an image shows, which lies before its stamp by the lag.
    p50, p99 = (float(np.median([each[name] for each in contours])) + TRUE_LAG_MS for name in poses)
    made = np.median([each["received"] for each in contours]) / (RATE_HZ * seconds)
    return f"{text}{p50:13.1f}{p99:8.1f}{100.0 * made:7.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", nargs="+", default=["bone", "nerve_vessel_tiny", "nerve_vessel"])
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in (ALONE, *options.model)}
    with tempfile.TemporaryDirectory() as name:
        back = scanned_back(1, Path(name))
        probe = calibrated_probe(back, Path(name) / "rack", TIME)
        loads = [os.getloadavg()[0]]
        for _ in range(options.rounds):
            for way, reports in found.items():
                reports.append(run(way, options.seconds, back, probe, Path(name)))
                time.sleep(0.2)
        loads.append(os.getloadavg()[0])
    print(f"load average before and after: {loads[0]:.1f}, {loads[1]:.1f}")
    print(f"{'ms, median of rounds':20}{'pose p50':>10}{'pose p99':>10}{'times alone':>13}{'lost poses':>12}", end="")
    print(f"{'contour p50':>13}{'p99':>8}{'made':>9}")
    alone_ms = float(np.median([each["latency_p99_ms"] for each in found[ALONE]]))
    for way, reports in found.items():
        print(row(way, reports, alone_ms, options.seconds))


if __name__ == "__main__":
    main()
