"""The Unity package's transport beside a bare pyzmq subscriber: latency of poses, and a surface encrypted by CURVE.

    python benchmarks/unity_bridge/bench_csharp_client.py [--seconds 10]

- latency: one XPUB sends stamped batches of the size of 30 tools at 200 Hz to all subscribers at once, each in a
  process of its own: bare pyzmq, the C# transport in .NET 8, and the same in Mono; without keys and with them. All
  processes read CLOCK_MONOTONIC. Nothing is decoded.
- surface: 20 MB in chunks of 256 KiB through CURVE, as fast as the subscriber takes them; pyzmq uses libsodium.
"""

from __future__ import annotations

import argparse
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.csharp.build import Build, Runtime, compile_csharp, run_command, write_facade
from scripts.csharp.standard import mono_twin
from scripts.csharp.toolchain import Toolchain, ensure_toolchain
from unity_bridge.transport.keys import KeyPair

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH_BYTES = 2700  # 30 tools and their names
RATE_HZ = 200
SURFACE_BYTES = 20 * 2**20
CHUNK_BYTES = 2**18

BARE = """
import struct, sys, time, zmq
kind, endpoint, count, server = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
socket = zmq.Context().socket(zmq.SUB)
if server:
    public, secret = zmq.curve_keypair()
    socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = server[0].encode(), public, secret
socket.rcvhwm = 0
socket.subscribe(b"")
socket.connect(endpoint)
if kind == "latency":
    found = []
    while len(found) < count:
        message = socket.recv()
        found.append(time.monotonic_ns() - struct.unpack_from("<q", message)[0])
    print(*found, sep="\\n")
else:
    begin = 0.0
    while count > 0:
        count -= len(socket.recv())
        begin = begin or time.monotonic()
    print(time.monotonic() - begin)
"""


def build(tools: Toolchain, folder: Path) -> Path:
    """Compiles the package's core and the program that is timed, for both runtimes; returns the program's path."""
    core = folder / "SurgNav.Core.dll"
    sources = REPOSITORY / "unity_bridge" / "unity" / "Runtime" / "Core"
    compile_csharp(Build(sources=[sources], target=core, standard=True), tools)
    write_facade(mono_twin(core).parent, tools)
    probe = [REPOSITORY / "tests" / "csharp" / "transport_probe"]
    target = folder / "TransportProbe.dll"
    return compile_csharp(Build(sources=probe, target=target, references=[core], program=True, standard=True), tools)


def server(keys: KeyPair | None) -> tuple[zmq.Socket[bytes], str]:
    socket = zmq.Context.instance().socket(zmq.XPUB)
    socket.set_hwm(0)
    if keys is not None:
        socket.curve_server, socket.curve_secretkey = True, keys.secret.encode()
    socket.setsockopt(zmq.XPUB_VERBOSE, 1)
    socket.bind("tcp://127.0.0.1:*")
    return socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)


def subscribers(commands: dict[str, list[str]], arguments: list[str]) -> dict[str, subprocess.Popen[str]]:
    return {
        name: subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
        for name, command in commands.items()
    }


def latencies_ms(commands: dict[str, list[str]], keys: KeyPair | None, seconds: float) -> dict[str, list[float]]:
    socket, endpoint = server(keys)
    count = round(seconds * RATE_HZ)
    running = subscribers(commands, ["latency", endpoint, str(count), *([keys.public] if keys else [])])
    for _ in running:
        socket.recv()
    padding = bytes(BATCH_BYTES - 8)
    due_s = time.monotonic()
    for _ in range(count):
        due_s += 1.0 / RATE_HZ
        time.sleep(max(0.0, due_s - time.monotonic()))
        socket.send(struct.pack("<q", time.monotonic_ns()) + padding)
    found = {name: sorted(int(line) * 1e-6 for line in run.communicate()[0].split()) for name, run in running.items()}
    socket.close(linger=0)
    return found


def surface_s(command: list[str], keys: KeyPair) -> float:
    socket, endpoint = server(keys)
    (run,) = subscribers({"": command}, ["surface", endpoint, str(SURFACE_BYTES), keys.public]).values()
    socket.recv()
    chunk = bytes(CHUNK_BYTES)
    for _ in range(SURFACE_BYTES // CHUNK_BYTES):
        socket.send(chunk)
    seconds = float(run.communicate()[0])
    socket.close(linger=0)
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=10.0)
    seconds = options.parse_args().seconds
    tools = ensure_toolchain()
    with tempfile.TemporaryDirectory() as folder:
        probe = build(tools, Path(folder))
        systems = {
            "bare pyzmq": [sys.executable, "-c", BARE],
            "C#, .NET 8": run_command(probe, tools, Runtime.DOTNET),
            "C#, Mono": run_command(probe, tools, Runtime.MONO),
        }
        for what, keys in (("without keys", None), ("CURVE", KeyPair.new())):
            tell_latencies(what, latencies_ms(systems, keys, seconds))
        keys = KeyPair.new()
        times = {name: statistics.median(surface_s(each, keys) for _ in range(3)) for name, each in systems.items()}
    for name, taken in times.items():
        ratio = taken / times["bare pyzmq"]
        print(f"surface of 20 MiB, CURVE  {name:12} {taken * 1e3:8.0f} ms  {ratio:5.2f} times bare")


def tell_latencies(what: str, found: dict[str, list[float]]) -> None:
    bare = statistics.median(found["bare pyzmq"])
    for name, values in found.items():
        median, late = statistics.median(values), values[int(0.99 * len(values))]
        print(
            f"latency, {what:12}  {name:12} p50 {median:6.3f} ms  {median / bare:5.2f} times bare  p99 {late:6.2f} ms"
        )


if __name__ == "__main__":
    main()
