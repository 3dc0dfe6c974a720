"""How much memory a hostile client can make a server use, and how long another client waits, beside bare pyzmq.

    python benchmarks/unity_bridge/bench_hostile_clients.py [--seconds 2]

Each server runs in a process of its own. A good client requests the time continuously (a good subscriber receives a
batch every 5 ms), while one attacker on loopback acts as listed below, without keys. `Grown` is the largest increase of
the server's resident memory. The bare servers are those of a tutorial: a ROUTER with ZMQ_MAXMSGSIZE and high water
marks at their defaults that answers each message, and a PUB that publishes. A server that has grown by 1,500 MB is
stopped.

- frames: one endless message with frames of 60 kB.
- unread: requests as fast as possible, without reading any answer.
- silent: as many TCP connections as the attacker can open, which send nothing.
- subscriptions: one after the other, each to a different prefix of 100 bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket as sockets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq

from unity_bridge import ControlServer, PosePublisher
from unity_bridge.client.__main__ import MonotonicClock
from unity_bridge.wire.envelope import NO_SESSION, Session, Validity
from unity_bridge.wire.messages import ClockRequest, Hello, Welcome, encode_message

CLOCK = MonotonicClock()
ATTACKS = {"frames": "requests", "unread": "requests", "silent": "requests", "subscriptions": "poses"}
_MOST_MB = 1500.0
_READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
_MONITORED = ("VmRSS:",)


# -------------------------------------------------------------------------------------------------------------- servers
def serve(kind: str) -> None:
    """Runs one server until standard input ends; prints its endpoint first."""
    {"surgnav requests": _serve_control, "bare requests": _serve_bare, "surgnav poses": _serve_poses}.get(
        kind, _serve_bare_poses
    )()


def _until_told() -> Iterator[None]:
    os.set_blocking(0, False)
    while True:
        with contextlib.suppress(BlockingIOError):
            if not os.read(0, 1):
                return
        yield


def _serve_control() -> None:
    session = Session(bytes(16), CLOCK)
    state = Welcome(
        server_name="bench",
        program="bench",
        clock_id=CLOCK.clock_id,
        rate_hz=200.0,
        last_pose_sequence=0,
        registration_id="",
        registration_validity=Validity.LOST,
    )
    with zmq.Context() as context:
        server = ControlServer("tcp://127.0.0.1:*", session, context, lambda: state)
        sys.stdout.write(server.endpoint + "\n")
        sys.stdout.flush()
        for _ in _until_told():
            server.poll(5)
        server.close()


def _serve_bare() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        router.bind("tcp://127.0.0.1:*")
        sys.stdout.write(router.getsockopt_string(zmq.LAST_ENDPOINT) + "\n")
        sys.stdout.flush()
        for _ in _until_told():
            router.poll(5)
            for _ in range(64):
                with contextlib.suppress(zmq.Again):
                    identity, *frames = router.recv_multipart(zmq.DONTWAIT)
                    router.send_multipart([identity, frames[-1]], zmq.DONTWAIT)


def _serve_poses() -> None:
    with PosePublisher("tcp://127.0.0.1:*", Session(bytes(16), CLOCK)) as publisher:
        sys.stdout.write(publisher.endpoint + "\n")
        sys.stdout.flush()
        for _ in _until_told():
            publisher.publish([], CLOCK.now_ns())
            time.sleep(0.005)


def _serve_bare_poses() -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
        publisher.linger = 0
        publisher.bind("tcp://127.0.0.1:*")
        sys.stdout.write(publisher.getsockopt_string(zmq.LAST_ENDPOINT) + "\n")
        sys.stdout.flush()
        for _ in _until_told():
            publisher.send(bytes(200), zmq.DONTWAIT)
            time.sleep(0.005)


# ------------------------------------------------------------------------------------------------------------ attackers
def attack(kind: str, endpoint: str) -> None:
    """Runs one attack until it is killed."""
    {"frames": _endless_frames, "unread": _unread, "silent": _silent, "subscriptions": _subscribe}[kind](endpoint)


def _endless_frames(endpoint: str) -> None:
    frame = b"\x03" + (60_000).to_bytes(8, "big") + bytes(60_000)  # flags 3: a long frame, with more frames to follow
    while True:
        with contextlib.suppress(OSError), sockets.create_connection(_address(endpoint)) as raw:
            raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48) + b"\x04" + bytes([len(_READY)]) + _READY)
            heard = b""
            while b"ROUTER" not in heard:
                heard += raw.recv(4096) or b"ROUTER"
            while True:
                raw.sendall(frame)


def _unread(endpoint: str) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.rcvhwm = 1
        dealer.setsockopt(zmq.RCVBUF, 4096)
        dealer.connect(endpoint)
        session, sequence = Session(NO_SESSION, CLOCK), 1
        dealer.send(encode_message(Hello(client_name="attacker", program="x" * 900), session, sequence))
        while True:
            sequence += 1
            dealer.send(encode_message(Hello(client_name="attacker", program="x" * 900), session, sequence))


def _silent(endpoint: str) -> None:
    held = []
    while True:
        try:
            held.append(sockets.create_connection(_address(endpoint), timeout=1.0))
        except OSError:
            time.sleep(0.01)
            del held[: len(held) // 2]


def _subscribe(endpoint: str) -> None:
    with zmq.Context() as context, context.socket(zmq.XSUB) as subscriber:
        subscriber.sndhwm = 0
        subscriber.connect(endpoint)
        while True:
            for _ in range(1000):
                subscriber.send(b"\x01" + os.urandom(100))
            time.sleep(0.005)


def _address(endpoint: str) -> tuple[str, int]:
    host, port = endpoint.removeprefix("tcp://").split(":")
    return host, int(port)


# ------------------------------------------------------------------------------------------------------------ measuring
def measure(system: str, kind: str, seconds: float) -> str:
    """Measures one row: how much the server grew, and how long the good client waited."""
    command = [sys.executable, __file__]
    served = ATTACKS[kind]
    with subprocess.Popen(
        [*command, "--serve", f"{system} {served}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip()
        with good_client(served, endpoint) as ask:
            for _ in range(50):
                ask()
            before = _resident_mb(server.pid)
            with subprocess.Popen([*command, "--attack", kind, endpoint], stderr=subprocess.DEVNULL) as attacker:
                waited, most = _watch(ask, server.pid, before, seconds)
                attacker.kill()
        server.kill()
    p50, worst = statistics.median(waited) * 1e3, max(waited) * 1e3
    stopped = " (stopped)" if most - before >= _MOST_MB else ""
    return f"| {kind} | {system} | {most - before:.0f}{stopped} | {p50:.1f} | {worst:.0f} | {len(waited)} |"


def _watch(ask: Callable[[], None], pid: int, before: float, seconds: float) -> tuple[list[float], float]:
    waited, most, end = [], before, time.monotonic() + seconds
    while time.monotonic() < end and most - before < _MOST_MB:
        start = time.monotonic()
        ask()
        waited.append(time.monotonic() - start)
        most = max(most, _resident_mb(pid))
        time.sleep(0.002)
    return waited, most


@contextlib.contextmanager
def good_client(served: str, endpoint: str) -> Iterator[Callable[[], None]]:
    """Yields a function that requests and waits for the answer, or waits for the next batch; for 2 s at most."""
    session = Session(NO_SESSION, CLOCK)
    with zmq.Context() as context, context.socket(zmq.SUB if served == "poses" else zmq.DEALER) as socket:
        socket.linger = 0
        if served == "poses":
            socket.subscribe(b"")
        socket.connect(endpoint)
        sequence = 0

        def ask() -> None:
            nonlocal sequence
            if served != "poses":
                sequence += 1
                message = ClockRequest(client_sent_ns=1) if sequence > 1 else Hello(client_name="good", program="good")
                socket.send(encode_message(message, session, sequence))
            if socket.poll(2000):
                socket.recv()

        ask()
        yield ask


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(_MONITORED):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--serve")
    parser.add_argument("--attack", nargs=2)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    if options.attack:
        attack(*options.attack)
        return
    print("| attack | server | grown, MB | good client: p50, ms | longest, ms | answers |\n|---|---|---|---|---|---|")
    for kind in ATTACKS:
        for system in ("bare", "surgnav"):
            print(measure(system, kind, options.seconds), flush=True)


if __name__ == "__main__":
    main()
