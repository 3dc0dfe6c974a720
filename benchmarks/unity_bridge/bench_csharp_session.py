"""The Unity package's C# client, in .NET 8 and in Mono, beside a bare pyzmq subscriber and the Python client.

    python benchmarks/unity_bridge/bench_csharp_session.py [--seconds 10] [--rounds 3] [--megabytes 20]

- Poses: latency of 30 tools at 200 Hz over loopback, from the sensor's stamp to decoded in another process, as in
  bench_pose_latency.py, in interleaved rounds; the part of it that the server takes to encode and send; and the
  garbage that the client's pose thread leaves to the collector.
- A surface of 20 MB, plain and compressed: time from the first request to the last byte, and from there to ready for
  upload (unpacked, every index checked, bounds computed). Its hash is computed while it is received.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_pose_latency import CLOCK, bare_publisher, surgnav_publisher, warm_up

from geometry.surface import Surface
from unity_bridge.surfaces.levels import encode_level

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.csharp.build import Runtime, run_command
from scripts.csharp.headset import build_headset
from scripts.csharp.toolchain import ensure_toolchain
from tests.unity_bridge.harness import Server
from tests.unity_bridge.strategies import bumpy_sphere

TOOLS, RATE_HZ = 30, 200
SYSTEMS = ("bare pyzmq", "surgnav", "C#, .NET 8", "C#, Mono")
RUNTIMES = {"C#, .NET 8": Runtime.DOTNET, "C#, Mono": Runtime.MONO}


def headset(system: str) -> list[str]:
    tools = ensure_toolchain()
    return run_command(build_headset(tools), tools, RUNTIMES[system])


def run_poses(system: str, seconds: float) -> dict[str, Any]:
    """Streams for `seconds`; returns what the subscriber measured."""
    publisher = bare_publisher if system == "bare pyzmq" else surgnav_publisher
    count = round(seconds * RATE_HZ)
    sending_ns: list[int] = []
    with publisher(TOOLS) as (endpoint, send):
        if system in RUNTIMES:
            command = [*headset(system), "measure", endpoint, str(count)]
        else:
            python = [sys.executable, str(Path(__file__).with_name("bench_pose_latency.py"))]
            command = [*python, "--subscribe", system, endpoint, str(TOOLS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
            warm_up(send, subscriber)
            due_ns = CLOCK.now_ns()
            for _ in range(count):
                due_ns += 1_000_000_000 // RATE_HZ
                time.sleep(max(0, due_ns - CLOCK.now_ns()) / 1e9)
                stamp_ns = CLOCK.now_ns()
                send(stamp_ns)
                sending_ns.append(CLOCK.now_ns() - stamp_ns)
            output, _ = subscriber.communicate(timeout=60)
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result | {"lost": count * TOOLS - result["messages"], "sending_ns": sending_ns}


def poses(seconds: float, rounds: int) -> None:
    found: dict[str, list[dict[str, Any]]] = {system: [] for system in SYSTEMS}
    for _ in range(rounds):
        for system in SYSTEMS:
            found[system].append(run_poses(system, seconds))
    print(f"{TOOLS} tools at {RATE_HZ} Hz; latency in ms, (times bare pyzmq)")
    print(f"{'':14}{'p50':>18}{'p99':>18}{'of it, server':>16}{'lost':>8}{'pose thread, bytes':>20}{'collections':>13}")
    bare = None
    for system, runs in found.items():
        values = np.percentile(np.concatenate([run["latencies_ns"] for run in runs]), [50, 99]) / 1e6
        bare = values if bare is None else bare
        cells = "".join(f"{value:10.3f} ({value / base:5.2f})" for value, base in zip(values, bare, strict=True))
        garbage = [str(sum(run[key] for run in runs)) if key in runs[0] else "" for key in _GARBAGE]
        sent = np.median(np.concatenate([run["sending_ns"] for run in runs])) / 1e6
        lost = sum(run["lost"] for run in runs)
        print(f"{system:14}{cells}{sent:16.3f}{lost:8}{garbage[0]:>20}{garbage[1]:>13}")


_GARBAGE = ("pose_thread_bytes", "collections")


def surface_of(megabytes: float) -> Surface:
    """A bumpy sphere with a payload of about `megabytes`: each vertex takes 12 bytes, its two triangles 24."""
    side = round((megabytes * 1e6 / 36.0) ** 0.5)
    return bumpy_sphere(rows=side, columns=side)


def run_surface(command: list[str], form: str, level: Any) -> dict[str, Any]:
    """Pulls the surface with one client; returns the client's report."""
    server = Server()
    server.surfaces.offer_levels([level], "approved", "Dr. A. Example")
    where = server.endpoints
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        more = ["--poses", where.poses, "--surfaces", where.surfaces, "--control", where.control, "--form", form]
        with subprocess.Popen([*command, *more, "--duration", "0.2", "--report", str(file)]) as client:
            due_ns = CLOCK.now_ns()
            while client.poll() is None:
                if CLOCK.now_ns() > due_ns:
                    server.publish()
                    due_ns = CLOCK.now_ns() + 10_000_000
                server.serve(1)
        server.close()
        (came,) = json.loads(file.read_text("utf-8"))["surface_levels"]
    found: dict[str, Any] = came
    return found


def surfaces(megabytes: float, rounds: int) -> None:
    level = encode_level(surface_of(megabytes), glb=False)
    packed = len(level.compressed or b"") / 1e6
    print(
        f"\nA surface of {len(level.payload.data) / 1e6:.1f} MB, compressed {packed:.1f} MB; ms, the median of {rounds}"
    )
    print(f"{'':28}{'request to last byte':>22}{'last byte to ready':>20}{'in all':>10}")
    for system in ("surgnav", *RUNTIMES):
        command = headset(system) if system in RUNTIMES else [sys.executable, "-m", "unity_bridge.client"]
        for form in ("raw", "compressed"):
            runs = [run_surface(command, form, level) for _ in range(rounds)]
            came = np.median([run["seconds"] for run in runs]) * 1e3
            unpacked = np.median([run.get("unpack_seconds", np.nan) for run in runs]) * 1e3
            print(f"{system + ', ' + form:28}{came:22.1f}{unpacked:20.1f}{came + unpacked:10.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of poses, per round and system")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=20.0, help="of the surface")
    options = parser.parse_args()
    for system in RUNTIMES:
        headset(system)  # compiled before anything is measured
    poses(options.seconds, options.rounds)
    surfaces(options.megabytes, options.rounds)


if __name__ == "__main__":
    main()
