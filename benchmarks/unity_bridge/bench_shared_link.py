"""Pose latency while a 20 MB surface is sent over a link of 200 Mbit/s, beside poses and surface on one socket.

    sudo python benchmarks/unity_bridge/bench_shared_link.py [--mbit 200] [--rounds 3]

Makes a network namespace, shapes its loopback with a token bucket (`tc`, package iproute2; MTU 1500, a buffer of 50 ms
as in a switch or an access point), and runs server and client in it: 30 tools at 200 Hz, and a surface of 20 MB that
the client pulls meanwhile. Both ends read CLOCK_MONOTONIC. Only poses received during the transfer are counted.

- surgnav: one process for poses, one for surfaces and control, as in the service; with the reference client.
- one shared socket: the same batches and bytes through one PUB socket, the surface in pieces of 256 KiB, as in bridges
  with one stream for everything.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import zmq
from bench_pose_latency import tool_states

from geometry.surface import Surface
from unity_bridge.client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.__main__ import MonotonicClock
from unity_bridge.control.server import ControlServer
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.surfaces.payload import encode_surface
from unity_bridge.surfaces.server import SurfaceServer
from unity_bridge.wire.envelope import MessageType, Session, Validity
from unity_bridge.wire.messages import Welcome

CLOCK = MonotonicClock()
NAMESPACE = "surgnav-bench"
TOOLS, RATE_HZ = 30, 200
PIECE_BYTES = 262_144
SURFACE_ROWS = 745  # as many columns; 12 bytes for each vertex and each of twice as many triangles make 20 MB
SYSTEMS = ("surgnav", "one shared socket")


def organ() -> Surface:
    """A bumpy closed surface with a payload of 20 MB."""
    n = SURFACE_ROWS
    theta, phi = np.meshgrid(np.linspace(0.05, np.pi - 0.05, n), np.linspace(0, 2 * np.pi, n, endpoint=False))
    direction = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    radius_mm = 120.0 * (1.0 + 0.2 * direction[..., 0] ** 3 + 0.05 * np.sin(9 * phi) * np.sin(theta))
    index = np.arange(n * n).reshape(n, n)
    below, right, across = index[:, 1:], np.roll(index, -1, axis=0)[:, :-1], np.roll(index, -1, axis=0)[:, 1:]
    corners = [(index[:, :-1], below, right), (right, below, across)]
    triangles = np.concatenate([np.stack([each.ravel() for each in part], axis=1) for part in corners])
    vertices_mm = (direction * radius_mm[..., None]).reshape(-1, 3)
    return Surface(vertices_mm, triangles.astype(np.int32), "ct", "organ")


def at_rate(send: Callable[[], object], stopped: Callable[[], bool]) -> None:
    due_ns = CLOCK.now_ns()
    while not stopped():
        due_ns += 1_000_000_000 // RATE_HZ
        time.sleep(max(0, due_ns - CLOCK.now_ns()) / 1e9)
        send()


# ------------------------------------------------------------------------------------------------------------- surgnav


def publish_poses(session_id: bytes, port: Any, stop: Any) -> None:
    """Main function of the pose process."""
    states = tool_states(TOOLS)
    with PosePublisher("tcp://127.0.0.1:*", Session(session_id, CLOCK)) as publisher:
        port.send(publisher.endpoint)
        at_rate(lambda: publisher.publish(states, CLOCK.now_ns()), stop.is_set)


def serve_surfaces(session_id: bytes, port: Any, stop: Any) -> None:
    """Main function of the process with the two ROUTER sockets."""
    session, context = Session(session_id, CLOCK), zmq.Context()
    surfaces = SurfaceServer("tcp://127.0.0.1:*", session, context)
    control = ControlServer("tcp://127.0.0.1:*", session, context, lambda: welcome(surfaces))
    surfaces.offer(encode_surface(organ()), "approved", "bench")
    poller = zmq.Poller()
    poller.register(surfaces.socket, zmq.POLLIN)
    poller.register(control.socket, zmq.POLLIN)
    port.send((surfaces.endpoint, control.endpoint))
    while not stop.is_set():
        poller.poll(5)
        surfaces.poll()
        control.poll()


def welcome(surfaces: SurfaceServer) -> Welcome:
    return Welcome(
        server_name="bench",
        program="bench",
        clock_id=CLOCK.clock_id,
        rate_hz=float(RATE_HZ),
        last_pose_sequence=0,
        registration_id="registration-1",
        registration_validity=Validity.VALID,
        tools=(),
        surfaces=surfaces.hashes,
    )


def run_surgnav() -> tuple[list[int], float]:
    """Latencies in ns of the poses during the transfer, and its duration in s."""
    spawning = multiprocessing.get_context("spawn")
    stop, session_id = spawning.Event(), uuid.uuid4().bytes
    pipes = [spawning.Pipe() for _ in range(2)]
    targets = (publish_poses, serve_surfaces)
    processes = [
        spawning.Process(target=target, args=(session_id, pipe[1], stop), daemon=True)
        for target, pipe in zip(targets, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    poses, (surfaces, control) = pipes[0][0].recv(), pipes[1][0].recv()
    time.sleep(0.5)
    endpoints = Endpoints(poses=poses, surfaces=surfaces, control=control)
    with ReferenceClient(endpoints, CLOCK, ClientSettings()) as client:
        client.poll_until(lambda: client.surfaces.bytes_received > 0, CLOCK.now_ns() + 60_000_000_000)
        began_ns = CLOCK.now_ns()
        client.poll_until(lambda: client.surfaces.is_done, began_ns + 60_000_000_000)
        ended_ns = CLOCK.now_ns()
        if not client.surfaces.surfaces:
            raise SystemExit(f"the surface did not arrive: {client.surfaces.last_refusal}")
        kept = [each for each in client.poses.log.batches if began_ns <= each.received_ns <= ended_ns]
        latencies = [each.decoded_ns - each.batch.capture_ns for each in kept]
    stop.set()
    for process in processes:
        process.join(10)
    return latencies, (ended_ns - began_ns) / 1e9


# --------------------------------------------------------------------------------------------------- one shared socket


def publish_everything(port: Any, stop: Any) -> None:
    states, session = tool_states(TOOLS), Session(uuid.uuid4().bytes, CLOCK)
    data = encode_surface(organ()).data
    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    socket.setsockopt(zmq.SNDHWM, 0)
    port.send(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    sent = 0

    def send() -> None:
        nonlocal sent
        sent += 1
        if sent == RATE_HZ:  # the surface follows after one second of poses
            for start in range(0, len(data), PIECE_BYTES):
                socket.send(b"S" + data[start : start + PIECE_BYTES], copy=False)
        header = session.header(MessageType.POSE_BATCH, sent, CLOCK.now_ns())
        socket.send(b"P" + encode_pose_batch(replace(header, validity=Validity.VALID), states))

    at_rate(send, stop.is_set)
    context.destroy(linger=0)


def run_shared() -> tuple[list[int], float]:
    spawning = multiprocessing.get_context("spawn")
    stop, (ours, theirs) = spawning.Event(), spawning.Pipe()
    process = spawning.Process(target=publish_everything, args=(theirs, stop), daemon=True)
    process.start()
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.connect(ours.recv())
    decoder, latencies, got, began_ns, size = PoseBatchDecoder(), [], 0, 0, len(encode_surface(organ()).data)
    while got < size:
        message = socket.recv()
        now_ns = CLOCK.now_ns()
        if message[:1] == b"S":
            began_ns = began_ns or now_ns
            got += len(message) - 1
        elif began_ns:
            latencies.append(CLOCK.now_ns() - decoder.decode(message[1:]).capture_ns)
    seconds = (CLOCK.now_ns() - began_ns) / 1e9
    # The poses that waited behind the surface arrive after it.
    arrived_ns = CLOCK.now_ns()
    while True:
        batch = decoder.decode(socket.recv()[1:])
        if batch.capture_ns > arrived_ns:
            break
        latencies.append(CLOCK.now_ns() - batch.capture_ns)
    stop.set()
    process.join(10)
    context.destroy(linger=0)
    return latencies, seconds


# ------------------------------------------------------------------------------------------------------------ the runs


def in_namespace(arguments: list[str], mbit: float) -> int:
    """Runs this script again in the namespace whose loopback is shaped; returns the exit code."""
    if os.geteuid() != 0:
        raise SystemExit(
            "making a network namespace needs root: sudo python benchmarks/unity_bridge/bench_shared_link.py"
        )
    inside = ["ip", "netns", "exec", NAMESPACE]
    shape = f"dev lo root tbf rate {mbit:g}mbit burst 32kb latency 50ms"
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "mtu", "1500", "up"], check=True)
        subprocess.run([*inside, "tc", "qdisc", "add", *shape.split()], check=True)
        return subprocess.run([*inside, sys.executable, __file__, "--inside", *arguments], check=False).returncode
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mbit", type=float, default=200.0, help="of the shaped link")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        sys.exit(in_namespace(sys.argv[1:], options.mbit))
    runs = {"surgnav": run_surgnav, "one shared socket": run_shared}
    latencies: dict[str, list[int]] = {system: [] for system in SYSTEMS}
    seconds: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    for _ in range(options.rounds):
        for system in SYSTEMS:
            measured, took_s = runs[system]()
            latencies[system] += measured
            seconds[system].append(took_s)
    report(options, latencies, seconds)


def report(options: argparse.Namespace, latencies: dict[str, list[int]], seconds: dict[str, list[float]]) -> None:
    rows = {
        system: dict(zip(("p50", "p99", "max"), np.percentile(latencies[system], [50, 99, 100]) / 1e6, strict=True))
        | {"poses": len(latencies[system]), "surface_s": float(np.median(seconds[system]))}
        for system in SYSTEMS
    }
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{TOOLS} tools at {RATE_HZ} Hz while 20 MB stream over {options.mbit:g} Mbit/s; latency in ms")
    print(f"{'':20}{'p50':>10}{'p99':>10}{'max':>10}{'poses':>8}{'surface, s':>12}")
    for system, row in rows.items():
        print(
            f"{system:20}{row['p50']:10.2f}{row['p99']:10.2f}{row['max']:10.2f}{row['poses']:8}{row['surface_s']:12.2f}"
        )


if __name__ == "__main__":
    main()
