"""Many tools at a high rate over OpenIGTLink on loopback: our driver, and pyigtl's client beside it.

    python benchmarks/live/bench_openigtlink.py [--tools 16] [--rate-hz 1000] [--seconds 20]

A sender in a process of its own stamps and sends one TRANSFORM a tool and period (version 3, with PLUS's status, CRC).
Each client reads the same stream for the same time, one after the other, in the order ours, pyigtl, ours:

- ours: the driver as a room opens it; `next_frame` in a loop, as in the pose loop.
- pyigtl: its `OpenIGTLinkClient`; `get_latest_messages` in a loop, which sleeps 1 ms where there is nothing.

Sender and clients go first where the user may have that (navigation.processes.priority), as the pose process does.

Printed for each: messages that were sent and never reached the program (lost), and for what the program got the age,
from the sender's stamp to the frame in hand; both processes read one clock. Bar: ours loses none (exit code 1
otherwise). `overtaken` are those that came when a newer one of the same tool had come too, and so were counted and not
shown: on a quiet machine none.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import socket
import struct
import sys
import time
from multiprocessing.connection import Connection

import numpy as np
import pyigtl
from scipy.spatial.transform import Rotation

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.driver import Device, Role, StampClock, Stamps, Tool
from navigation.devices.openigtlink import DRIVER
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import TransformMatrix
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.processes.priority import going_first

# Poses repeat after so many periods; the number of a message is told from its time.
CYCLE = 500
_STAMP_AT = 34  # of the header's two words of time, which the CRC does not cover


def send(port: Connection, tools: int, rate_hz: float, seconds: float) -> None:
    """Serves one client: sends the stream, reports how many periods there were and how late the sender itself was."""
    packed = [_period(number, tools) for number in range(CYCLE)]
    server = socket.create_server(("127.0.0.1", 0))
    port.send(server.getsockname()[1])
    peer, _ = server.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    start_ns, period_ns, periods = time.monotonic_ns(), round(NS_PER_S / rate_hz), round(seconds * rate_hz)
    stamps_ns = np.zeros(periods, dtype=np.int64)
    for number in range(periods):
        due_ns = start_ns + number * period_ns
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / NS_PER_S)
        data, starts = packed[number % CYCLE]
        stamp_ns = stamps_ns[number] = time.monotonic_ns()
        stamp = struct.pack(">II", *_wire(stamp_ns))
        for at in starts:
            data[at + _STAMP_AT : at + _STAMP_AT + 8] = stamp
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(1 << 16):
        pass
    peer.close()
    port.send(stamps_ns)


def _period(number: int, tools: int) -> tuple[bytearray, list[int]]:
    data, starts = bytearray(), []
    for tool in range(tools):
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_rotvec([0.001 * number, 0.1 * tool, 0.002 * number]).as_matrix()
        matrix[:3, 3] = number, tool, 1000.0
        starts.append(len(data))
        metadata = {"TransformValid": "True", "TransformStatus": "OK"}
        data += pack(Message(TransformMatrix.of(matrix), _name(tool), 1, 3, metadata=metadata))
    return data, starts


def _wire(stamp_ns: int) -> tuple[int, int]:
    seconds, rest_ns = divmod(stamp_ns, NS_PER_S)
    return seconds, (rest_ns << 32) // NS_PER_S


def _name(tool: int) -> str:
    return f"Tool{tool}ToTracker"


class Result:
    """What one client got: of each thing that the program was given, when, and the number that stands in its pose."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.got = 0
        self.overtaken = 0
        self.cpu_s = 0.0

    def ages_ms(self, stamps_ns: np.ndarray) -> np.ndarray:
        """From the sender's stamp to the program's hand; numbers come again, so the newest that can be is meant."""
        ages = []
        for now_ns, number in self.seen:
            same = stamps_ns[number::CYCLE]
            ages.append((now_ns - same[np.searchsorted(same, now_ns) - 1]) / 1e6)
        return np.array(ages)


def ours(port: int, tools: int, rate_hz: float, seconds: float) -> Result:
    """Our driver; of a frame the newest tool counts."""
    names = [f"tool_{tool}" for tool in range(tools)]
    settings = LinkSettings(host="127.0.0.1", port=port, rate_hz=rate_hz)
    seen = tuple(
        Tool(name=name, role=Role.INSTRUMENT, id=_name(tool), settings=None) for tool, name in enumerate(names)
    )
    device = Device(name="bench", driver="openigtlink", settings=settings, stamps=Stamps(StampClock.SENSOR), tools=seen)
    tracker = DRIVER.open(device, MonotonicClock())
    result, begun_s = Result(), time.process_time()
    tracker.start()
    deadline = time.monotonic() + 3.0 * seconds + 60.0
    while time.monotonic() < deadline:
        frame = tracker.next_frame(50_000_000)
        if frame is not None:
            now_ns = time.monotonic_ns()
            newest = next(seen.T_tracker_tool for seen in frame.tools.values() if seen.capture_ns is None)
            assert newest is not None, "every tool that was sent is valid"
            result.seen.append((now_ns, int(newest.translation_mm[0])))
        elif tracker.state.reason.startswith("a connection that the device has closed"):
            break
    tracker.stop()
    counts = tracker.state.frames
    result.cpu_s = time.process_time() - begun_s
    result.got = sum(counts.of_tools.values())
    result.overtaken = counts.unread
    return result


def theirs(port: int, tools: int, rate_hz: float, seconds: float) -> Result:
    """pyigtl's client; each message that it hands out counts."""
    result, begun_s = Result(), time.process_time()
    client = pyigtl.OpenIGTLinkClient("127.0.0.1", port)
    quiet_s, last = 0.0, time.monotonic()
    while quiet_s < 2.0 or not result.got:
        messages = client.get_latest_messages()
        now_ns = time.monotonic_ns()
        if messages:
            last = now_ns / NS_PER_S
            result.got += len(messages)
            result.seen += [(now_ns, int(message.matrix[0, 3])) for message in messages]
        else:
            time.sleep(0.001)
        quiet_s = now_ns / NS_PER_S - last
    result.cpu_s = time.process_time() - begun_s
    client.stop()
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=int, default=16)
    parser.add_argument("--rate-hz", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    with going_first() as is_first:
        return compare(asked, is_first)


def compare(asked: argparse.Namespace, is_first: bool) -> int:
    """Prints the table; returns the exit code."""
    print(
        f"{asked.tools} tools at {asked.rate_hz:g} Hz for {asked.seconds:g} s; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, priority raised: {'yes' if is_first else 'no'}"
    )
    print("client  sent      lost            ages ms: p50 / p99 / max   overtaken  CPU      sender took")
    lost_by_us = 0
    for name, client in (("ours", ours), ("pyigtl", theirs), ("ours", ours)):
        here, there = mp.Pipe()
        sender = mp.get_context("spawn").Process(target=send, args=(there, asked.tools, asked.rate_hz, asked.seconds))
        sender.start()
        result = client(here.recv(), asked.tools, asked.rate_hz, asked.seconds)
        stamps_ns = here.recv()
        sender.join()
        sent = len(stamps_ns) * asked.tools
        lost = sent - result.got
        lost_by_us += lost if client is ours else 0
        ages_ms = result.ages_ms(stamps_ns)
        p50, p99, most = (float(np.percentile(ages_ms, share)) for share in (50, 99, 100))
        took_s = (stamps_ns[-1] - stamps_ns[0]) / NS_PER_S
        print(
            f"{name:7s} {sent:8d} {lost:8d} ({100.0 * lost / sent:5.2f} %)  {p50:6.2f} / {p99:7.2f} / {most:7.2f}"
            f"      {result.overtaken:8d}  {result.cpu_s:5.1f} s  {took_s:.1f} s"
        )
    return 1 if lost_by_us else 0


if __name__ == "__main__":
    sys.exit(main())
