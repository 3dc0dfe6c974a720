"""Error of a client's estimate of the server's clock over a link with jitter, beside two common estimators.

    python benchmarks/unity_bridge/bench_clock_exchange.py [--runs 20] [--seconds 4]

The real control server and the real client's control link run in a process each. Between them a relay delays every
message in each direction, keeping their order, as TCP over a network with jitter does. (`tc`'s netem is not in every
kernel; a relay runs everywhere.) The server's clock is CLOCK_MONOTONIC, and the client's is the same plus a shift that
is new in every run, so that the true offset is known to this script and to nothing else. Each run is a new client that
has exchanged times for some seconds.

- surgnav: the client's offset and its stated bound (`unity_bridge.client.clock_offset`).
- shortest round trip: the offset of the exchange with the shortest round trip, as in NTP's clock filter.
- mean: the mean offset over all exchanges, which has no bound.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import zmq

from unity_bridge.client.clock_offset import ClockExchange
from unity_bridge.client.control_link import ControlLink, ControlSettings
from unity_bridge.control.server import ControlServer
from unity_bridge.wire.envelope import NO_SESSION, Session, Validity
from unity_bridge.wire.messages import Hello, Welcome

# Delay in ms of each message, to the server and back.
Delays = Callable[[np.random.Generator], float]
LINKS: dict[str, tuple[Delays, Delays]] = {
    "20 ms, uniform +-5": (lambda rng: rng.uniform(15, 25), lambda rng: rng.uniform(15, 25)),
    "20 ms, normal, sd 2": (lambda rng: rng.normal(20, 2), lambda rng: rng.normal(20, 2)),
    "20 ms, normal, sd 5": (lambda rng: rng.normal(20, 5), lambda rng: rng.normal(20, 5)),
    "15 ms + exponential 5": (lambda rng: 15 + rng.exponential(5), lambda rng: 15 + rng.exponential(5)),
    "there 15-25, back 20-40": (lambda rng: rng.uniform(15, 25), lambda rng: rng.uniform(20, 40)),
}


class ShiftedClock:
    """CLOCK_MONOTONIC plus a constant, under a `clock_id` of its own."""

    def __init__(self, name: str, shift_ns: int) -> None:
        self.clock_id, self._shift_ns = name, shift_ns

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._shift_ns


class RecordingExchange(ClockExchange):
    """Keeps all exchanges for the other estimators."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[int, int]] = []  # offset at the middle of the exchange, and round trip, in ns

    def add(self, client_sent_ns: int, server_received_ns: int, server_sent_ns: int, client_received_ns: int) -> None:
        super().add(client_sent_ns, server_received_ns, server_sent_ns, client_received_ns)
        middle_ns = ((server_received_ns - client_sent_ns) + (server_sent_ns - client_received_ns)) // 2
        round_trip_ns = client_received_ns - client_sent_ns - (server_sent_ns - server_received_ns)
        self.all.append((middle_ns, round_trip_ns))


def serve() -> None:
    """Main function of the server's process: prints its endpoint, and answers until it is killed."""
    session = Session(uuid.uuid4().bytes, ShiftedClock("server", 0))
    control = ControlServer("tcp://127.0.0.1:*", session, zmq.Context(), _welcome)
    print(control.endpoint, flush=True)
    poller = zmq.Poller()
    for socket in control.sockets:
        poller.register(socket, zmq.POLLIN)
    while True:
        poller.poll(5)
        control.poll()


def _welcome() -> Welcome:
    return Welcome(
        server_name="bench",
        program="bench",
        clock_id="server",
        rate_hz=100.0,
        last_pose_sequence=0,
        registration_id="",
        registration_validity=Validity.VALID,
        tools=(),
        surfaces=(),
    )


def exchange(endpoint: str, seconds: float, rng: np.random.Generator) -> dict[str, Any]:
    """Runs a new client; returns the errors in ns of the three estimators, and the bound that ours states."""
    shift_ns = int(rng.integers(-(10**12), 10**12))
    clock = ShiftedClock("client", shift_ns)
    link = ControlLink(
        endpoint,
        zmq.Context.instance(),
        Session(NO_SESSION, clock),
        Hello(client_name="bench", program="bench", stream=uuid.uuid4().hex),
        ControlSettings(),
    )
    recorded = link._exchange = RecordingExchange()  # replaced only to record the exchanges
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        link.tick()
        link.watch.poll()
        if link.socket.poll(2):
            link.drain()
    best = link.measured_offset
    link.close()
    if best is None:
        raise SystemExit("no exchange at all")
    offsets_ns = np.array(recorded.all, dtype=np.int64)
    return {
        "exchanges": len(offsets_ns),
        "surgnav": best.offset_ns + shift_ns,
        "bound": best.error_ns,
        "shortest round trip": int(offsets_ns[offsets_ns[:, 1].argmin(), 0]) + shift_ns,
        "mean": int(offsets_ns[:, 0].mean()) + shift_ns,
    }


async def relay(target: str, delays: tuple[Delays, Delays], seed: int) -> None:
    """Main function of the relay's process: prints its endpoint, and forwards with delays until it is killed."""
    rng = np.random.default_rng(seed)
    host, port = target.removeprefix("tcp://").split(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Delays) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due_s, data = await waiting.get()
                await asyncio.sleep(due_s - time.monotonic())
                writer.write(data)

        delivering = asyncio.create_task(deliver())
        while data := await reader.read(65_536):
            waiting.put_nowait((time.monotonic() + max(0.0, delay(rng)) / 1e3, data))
        delivering.cancel()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pass_on(reader, there_writer, delays[0]), pass_on(there_reader, writer, delays[1]))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    print(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def program(*arguments: str) -> Iterator[str]:
    """Runs this script in another process while the block runs; yields the endpoint that it prints."""
    with subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="new clients for each link")
    parser.add_argument("--seconds", type=float, default=4.0, help="that each of them exchanges")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--relay", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    elif options.relay:
        asyncio.run(relay(options.relay[0], LINKS[options.relay[1]], options.seed))
    else:
        print(f"{options.runs} clients a link, {options.seconds:g} s each; error of the offset in ms, median / worst\n")
        print(f"{'delay, each way':25}{'surgnav':>16}{'bound':>8}{'holds':>8}{'shortest trip':>16}{'mean':>16}")
        rng = np.random.default_rng(options.seed)
        with program("--serve") as server:
            for name in LINKS:
                with program("--relay", server, name, "--seed", str(options.seed)) as endpoint:
                    _report(name, [exchange(endpoint, options.seconds, rng) for _ in range(options.runs)])


def _report(name: str, runs: list[dict[str, Any]]) -> None:
    errors = {key: np.abs([run[key] for run in runs]) / 1e6 for key in ("surgnav", "shortest round trip", "mean")}
    bounds = np.array([run["bound"] for run in runs]) / 1e6
    cells = [f"{np.median(each):.2f} / {each.max():.2f}" for each in errors.values()]
    holds = f"{np.mean(errors['surgnav'] <= bounds):.0%}"
    print(f"{name:25}{cells[0]:>16}{np.median(bounds):>8.1f}{holds:>8}{cells[1]:>16}{cells[2]:>16}", flush=True)


if __name__ == "__main__":
    main()
