"""Pose latency from sensor stamp to decoded in another process, beside a bare pyzmq PUB/SUB and pyigtl.

    python benchmarks/unity_bridge/bench_pose_latency.py [--seconds 10] [--rounds 3]

Each system streams the same poses over loopback to a subscriber in a process of its own; the rounds interleave the
systems, so that a busy machine disturbs all of them alike. Both ends read CLOCK_MONOTONIC, which one machine's
processes share.

- surgnav: PosePublisher to PoseReceiver; decoded to checked columns, and in "as objects" to one `ToolPose` for each
  tool. The subscriber is admitted by its token, as in the service; in "all admitted" the publisher asks for none.
- bare pyzmq: the same number of bytes with a stamp; nothing is encoded, decoded or checked.
- pyigtl: one TRANSFORM message for each tool, as in OpenIGTLink; the client is polled every 0.2 ms (its own
  `wait_for_message` sleeps for 10 ms). Messages that the client never returned count as lost.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from typing import Any

import numpy as np
import zmq
from scipy.spatial.transform import Rotation

from geometry.transform import Transform
from unity_bridge.client.__main__ import MonotonicClock
from unity_bridge.client.poses.receiver import PoseReceiver
from unity_bridge.poses.encoder import PoseBatchEncoder, encode_pose_batch
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.transport.admission import AdmissionCheck, Admissions
from unity_bridge.wire.envelope import Header, MessageType, Session, Validity

CLOCK = MonotonicClock()
CONFIGURATIONS = ((5, 100), (30, 200), (5, 1000))
SYSTEMS = ("bare pyzmq", "surgnav", "surgnav, all admitted", "surgnav, sent as bytes", "surgnav, as objects", "pyigtl")
_SECRET = b"of this benchmark"
_STAMP = struct.Struct("<q")
_STAMP_AT = struct.calcsize("<4sBBHHHIQ")  # of the capture time in a message's header
_MADE_BEFORE = 20_000  # batches: more than any run sends
_QUIET_MS = 1500  # the stream is over if nothing has come for this time
_WARM_UP_NS = 1_000_000_000  # stamp of the batches that are sent until the subscriber receives; they are not counted


def tool_states(count: int) -> list[ToolState]:
    """Tools with arbitrary poses and names of usual length."""
    rng = np.random.default_rng(1)
    return [
        ToolState(
            tool=f"instrument_{index}",
            to_frame="reference",
            from_frame=f"instrument_{index}_tip",
            validity=Validity.VALID,
            T_to_from=Transform.from_rotation(
                Rotation.random(rng=rng), rng.normal(0, 200, 3), "reference", f"instrument_{index}_tip"
            ),
            expected_error_mm=0.6,
            registration_id="registration-1",
        )
        for index in range(count)
    ]


# ------------------------------------------------------------------------------------------------------- the publishers


@contextmanager
def surgnav_publisher(tools: int, admits_all: bool = False) -> Iterator[tuple[str, Callable[[int], object]]]:
    """Yields the endpoint and a function that sends one batch, given its sensor stamp."""
    states, session = tool_states(tools), Session(uuid.uuid4().bytes, CLOCK)
    admission = None if admits_all else AdmissionCheck(_SECRET)
    with PosePublisher("tcp://127.0.0.1:*", session, admission=admission) as publisher:
        yield publisher.endpoint, lambda stamp_ns: publisher.publish(states, stamp_ns)


@contextmanager
def bytes_publisher(tools: int) -> Iterator[tuple[str, Callable[[int], object]]]:
    states, session, encoder = tool_states(tools), Session(uuid.uuid4().bytes, CLOCK), PoseBatchEncoder()
    with PosePublisher("tcp://127.0.0.1:*", session, admission=AdmissionCheck(_SECRET)) as publisher:
        made = (
            encoder.encode(session.header(MessageType.POSE_BATCH, number, 0, Validity.VALID), states)
            for number in count(1)
        )
        waiting = deque(bytearray(message) for message in islice(made, _MADE_BEFORE))

        def send(stamp_ns: int) -> None:
            message = waiting.popleft()
            _STAMP.pack_into(message, _STAMP_AT, stamp_ns)
            publisher.send(bytes(message))

        yield publisher.endpoint, send


@contextmanager
def bare_publisher(tools: int) -> Iterator[tuple[str, Callable[[int], object]]]:
    size = len(encode_pose_batch(Header(1, 1, 0, 0, validity=Validity.VALID), tool_states(tools)))
    filler = bytes(size - _STAMP.size)
    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    socket.bind("tcp://127.0.0.1:*")
    yield socket.getsockopt_string(zmq.LAST_ENDPOINT), lambda stamp_ns: socket.send(_STAMP.pack(stamp_ns) + filler)
    context.destroy(linger=0)


@contextmanager
def igtl_publisher(tools: int) -> Iterator[tuple[str, Callable[[int], object]]]:
    import pyigtl

    with zmq.Context() as context, context.socket(zmq.REP) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1")
    matrices = [state.T_to_from.matrix for state in tool_states(tools) if state.T_to_from]
    server = pyigtl.OpenIGTLinkServer(port=port)

    def send(stamp_ns: int) -> None:
        for index, matrix in enumerate(matrices):
            message = pyigtl.TransformMessage(matrix, timestamp=stamp_ns / 1e9, device_name=f"instrument_{index}")
            server.send_message(message, wait=False)

    yield str(port), send
    server.stop()


# ------------------------------------------------------------------------------------------------------ the subscribers


class Announcement:
    """Tells the publisher, once, that its first batch has arrived."""

    def __init__(self) -> None:
        self._made = False

    def is_warm_up(self, stamp_ns: int) -> bool:
        if stamp_ns > _WARM_UP_NS:
            return False
        if not self._made:
            print("hearing", flush=True)
        self._made = True
        return True


def receive_surgnav(endpoint: str, as_objects: bool) -> dict[str, Any]:
    """Receives until the stream is over; returns the latencies in ns of all batches, and the number of tool poses."""
    context = zmq.Context()
    receiver = PoseReceiver(endpoint, context, CLOCK, 10**6, 1024)
    receiver.admit(Admissions(_SECRET, withdraw=print).issue(""))
    latencies: list[int] = []
    tools = 0
    announce = Announcement()
    while receiver.socket.poll(_QUIET_MS if latencies else 20_000):
        receiver.drain()
        for logged in receiver.log.batches:
            if announce.is_warm_up(logged.batch.capture_ns):
                continue
            decoded_ns = logged.decoded_ns
            if as_objects:
                tools += len(logged.batch.tools)
                decoded_ns = CLOCK.now_ns()
            else:
                tools += len(logged.batch.records)
            latencies.append(decoded_ns - logged.batch.capture_ns)
        receiver.log.batches.clear()
    receiver.close()
    context.term()
    return {"latencies_ns": latencies, "messages": tools}


def receive_bare(endpoint: str, tools: int) -> dict[str, Any]:
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(endpoint)
    latencies: list[int] = []
    announce = Announcement()
    while socket.poll(_QUIET_MS if latencies else 20_000):
        (stamp_ns,) = _STAMP.unpack_from(socket.recv())
        if not announce.is_warm_up(stamp_ns):
            latencies.append(CLOCK.now_ns() - stamp_ns)
    context.destroy(linger=0)
    return {"latencies_ns": latencies, "messages": tools * len(latencies)}


def receive_igtl(port: str) -> dict[str, Any]:
    import pyigtl

    client = pyigtl.OpenIGTLinkClient(host="127.0.0.1", port=int(port))
    latencies: list[int] = []
    announce = Announcement()
    heard_ns = CLOCK.now_ns() + 20_000_000_000
    while CLOCK.now_ns() - heard_ns < _QUIET_MS * 1_000_000:
        for message in client.get_latest_messages():
            heard_ns = CLOCK.now_ns()
            stamp_ns = round(message.timestamp * 1e9)
            if not announce.is_warm_up(stamp_ns):
                latencies.append(heard_ns - stamp_ns)
        time.sleep(0.0002)
    client.stop()
    return {"latencies_ns": latencies, "messages": len(latencies)}


def subscribe(system: str, endpoint: str, tools: int) -> None:
    """Main function of the subscriber's process: prints its result as JSON."""
    if system == "bare pyzmq":
        result = receive_bare(endpoint, tools)
    elif system == "pyigtl":
        result = receive_igtl(endpoint)
    else:
        result = receive_surgnav(endpoint, as_objects=system.endswith("objects"))
    print(json.dumps(result))


# ------------------------------------------------------------------------------------------------------------- the runs


def warm_up(send: Callable[[int], object], subscriber: subprocess.Popen) -> None:
    """Sends until the subscriber receives, then waits until the queues are empty, so that later losses count."""
    hearing = zmq.Poller()
    hearing.register(subscriber.stdout, zmq.POLLIN)
    while not hearing.poll(20):
        send(_WARM_UP_NS)
    subscriber.stdout.readline()
    time.sleep(0.5)


def run(system: str, tools: int, rate_hz: int, seconds: float) -> tuple[list[int], int]:
    """Streams for `seconds`; returns the latencies in ns and the number of tool poses that did not arrive."""
    publishers = {
        "bare pyzmq": bare_publisher,
        "pyigtl": igtl_publisher,
        "surgnav, sent as bytes": bytes_publisher,
        "surgnav, all admitted": partial(surgnav_publisher, admits_all=True),
    }
    with publishers.get(system, surgnav_publisher)(tools) as (endpoint, send):
        command = [sys.executable, __file__, "--subscribe", system, endpoint, str(tools)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
            warm_up(send, subscriber)
            sent = round(seconds * rate_hz)
            due_ns = CLOCK.now_ns()
            for _ in range(sent):
                due_ns += 1_000_000_000 // rate_hz
                time.sleep(max(0, due_ns - CLOCK.now_ns()) / 1e9)
                send(CLOCK.now_ns())
            output, _ = subscriber.communicate(timeout=60)
    result = json.loads(output)
    return result["latencies_ns"], sent * tools - result["messages"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of streaming, per round and system")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--subscribe", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subscribe:
        subscribe(options.subscribe[0], options.subscribe[1], int(options.subscribe[2]))
        return
    for tools, rate_hz in CONFIGURATIONS:
        latencies: dict[str, list[int]] = {system: [] for system in SYSTEMS}
        lost = dict.fromkeys(SYSTEMS, 0)
        for _ in range(options.rounds):
            for system in SYSTEMS:
                measured, missing = run(system, tools, rate_hz, options.seconds)
                latencies[system] += measured
                lost[system] += missing
        report(tools, rate_hz, latencies, lost, round(options.rounds * options.seconds * rate_hz) * tools)


def report(tools: int, rate_hz: int, latencies: dict[str, list[int]], lost: dict[str, int], sent: int) -> None:
    print(f"\n{tools} tools at {rate_hz} Hz, {sent} tool poses sent; latency in ms, (times bare pyzmq)")
    print(f"{'':22}{'p50':>18}{'p99':>18}{'p99.9':>18}{'lost':>10}")
    bare = np.percentile(latencies["bare pyzmq"], [50, 99, 99.9]) / 1e6
    for system in SYSTEMS:
        values = np.percentile(latencies[system], [50, 99, 99.9]) / 1e6
        cells = "".join(f"{value:10.3f} ({value / base:5.2f})" for value, base in zip(values, bare, strict=True))
        print(f"{system:22}{cells}{100 * lost[system] / sent:9.2f}%")


if __name__ == "__main__":
    main()
