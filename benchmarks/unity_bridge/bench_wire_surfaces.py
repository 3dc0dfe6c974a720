"""Surfaces on the wire: size, rounding error, time for 20 MB, interrupted links, and hostile clients.

    python benchmarks/unity_bridge/bench_wire_surfaces.py [--rounds 7] [--triangles 100000] [--only sizes time ...]

- Sizes: the torso phantom's labels (1.5 mm voxels) become surfaces as in `surgnav reconstruct`. Their sizes as payload
  and compressed are printed beside those of float32 positions with uint32 indices, of these deflated, and of the
  payload deflated. The rounding error is that of an organ stretched to 500 mm, decoded from the compressed bytes. The
  levels of detail are those of the service, with their measured deviations.
- Time: from the first request to the whole surface with a correct hash, between server and reference client in two
  processes over loopback. Beside it a bare DEALER/ROUTER pair moves the same bytes in the same pieces and hashes them,
  without encoding or checks. Both run in turn; the median of the rounds counts.
- Cut: a proxy closes the connection after a quarter of the bytes, three times.
- Hostile: three clients request the largest chunks and manifests and never read, and three more take all that they can
  get, while the reference client pulls.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from geometry.surface import Surface
from unity_bridge.client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.__main__ import MonotonicClock
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.client.surfaces.transfer import PulledSurface
from unity_bridge.client.surfaces.transfer_window import WindowSettings
from unity_bridge.control.server import ControlServer
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.surfaces.compression import decompress_surface, in_wire_order
from unity_bridge.surfaces.levels import EncodedLevel, encode_level
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.surfaces.server import SurfaceServer
from unity_bridge.wire.convention import MM_PER_M, surface_to_unity
from unity_bridge.wire.envelope import NO_SESSION, Session, Validity
from unity_bridge.wire.messages import SurfaceChunkRequest, SurfaceListRequest, Welcome, encode_message

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.unity_bridge.transport.cutting_proxy import CuttingProxy  # as in the functional test

CLOCK = MonotonicClock()
CHUNK_BYTES, CREDIT = 262_144, 8
PATIENCE_NS = 100_000_000_000
LONG_MM = 500.0
PARTS = ("sizes", "time", "cut", "hostile")


# --------------------------------------------------------------------------------------------------------------- sizes


def phantom_surfaces(triangles: int) -> list[Surface]:
    """Surfaces of body, bone, lungs and liver of the torso phantom, from its labels."""
    from reconstruction.network.classes import CLASS_INDEX, STRUCTURES
    from reconstruction.phantom.torso import make_torso_phantom
    from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surfaces_from_labels

    labels = make_torso_phantom(None, np.random.default_rng(1)).labels
    names = {CLASS_INDEX[name]: name for name in STRUCTURES}
    settings = LabelSurfaceSettings(max_triangles=triangles)
    return [found.surface for found in surfaces_from_labels(labels, names, settings).values()]


def measured_error_mm(surface: Surface) -> tuple[float, float]:
    """Largest error of a vertex of the surface stretched to 500 mm and sent compressed, and the bytes per vertex."""
    long = replace(surface, vertices_mm=surface.vertices_mm * (LONG_MM / np.ptp(surface.bounds_mm, axis=0).max()))
    level = encode_level(long, glb=False)
    payload = decompress_surface(level.compressed) if level.compressed else level.payload.data
    decoded = decode_surface(payload).surface
    sent = surface_to_unity(in_wire_order(long))
    error_mm = float(np.linalg.norm(decoded.vertices_m - sent.vertices_m, axis=1).max()) * MM_PER_M
    index_bytes = decoded.triangles.size * (2 if len(decoded.vertices_m) <= 65_535 else 4)
    return error_mm, (len(payload) - index_bytes) / len(decoded.vertices_m)


def quickest_s(work: Callable[[], object], times: int = 5) -> float:
    """The shortest time of several runs, since other work on the machine only adds time."""
    seconds = []
    for _ in range(times):
        began_ns = CLOCK.now_ns()
        work()
        seconds.append((CLOCK.now_ns() - began_ns) / 1e9)
    return min(seconds)


def deflated(data: bytes) -> int:
    return len(zlib.compress(data, 9))


def show_sizes(surfaces: list[Surface]) -> None:
    print("sizes in kB; error in mm on the same shape, 500 mm long; in brackets how many times smaller than the floats")
    heads = ("float32, uint32", "deflated", "payload", "deflated", "compressed", "GLB", "bytes/vertex", "error")
    heads += ("unpacks in ms", "pays below Mbit/s")
    print(f"{'':8}{'triangles':>10}" + "".join(f"{head:>18}" for head in heads))
    for surface in surfaces:
        raw = surface.vertices_mm.astype(np.float32).tobytes() + surface.triangles.astype(np.uint32).tobytes()
        level = encode_level(surface)
        sizes = [len(raw), deflated(raw), len(level.payload.data), deflated(level.payload.data)]
        if level.compressed is None or level.glb is None:
            raise SystemExit(f"'{surface.name}' has no compressed form")
        sizes += [len(level.compressed), len(level.glb)]
        error_mm, per_vertex = measured_error_mm(surface)
        cells = "".join(f"{f'{size / 1e3:.0f} ({len(raw) / size:.1f})':>18}" for size in sizes)
        unpacking_s = quickest_s(lambda level=level: decompress_surface(level.compressed))
        saved_bits = 8.0 * (len(level.payload.data) - len(level.compressed))
        print(
            f"{surface.name:8}{len(surface.triangles):10}{cells}{per_vertex:18.3f}{error_mm:18.4f}"
            f"{unpacking_s * 1e3:18.0f}{saved_bits / unpacking_s / 1e6:18.0f}"
        )


def show_levels(surfaces: list[Surface]) -> None:
    from navigation.live.offered_surfaces import encode_levels

    print("\nlevels as the service makes them, and how long that takes")
    for surface in surfaces:
        began_ns = CLOCK.now_ns()
        levels = [level.describe() for level in encode_levels(surface)]
        seconds = (CLOCK.now_ns() - began_ns) / 1e9
        told = "; ".join(
            f"{level.triangle_count} triangles, {level.compressed_byte_count / 1e3:.0f} kB, off by "
            f"{level.deviation_p95_mm:.2f} mm (95 %), {level.deviation_max_mm:.2f} mm (most)"
            for level in levels[:-1]
        )
        print(f"  {surface.name}: {told}; all levels in {seconds:.1f} s")


# ------------------------------------------------------------------------------------------------------------ transfer


def serve(level: EncodedLevel, port: Any, stop: Any) -> None:
    """Main function of the server's process, which polls as the service does."""
    session, context = Session(uuid.uuid4().bytes, CLOCK), zmq.Context()
    surfaces = SurfaceServer("tcp://127.0.0.1:*", session, context)
    surfaces.offer_levels([level], "approved", "bench")

    def welcome() -> Welcome:
        return Welcome(
            server_name="bench",
            program="bench",
            clock_id=CLOCK.clock_id,
            rate_hz=1.0,
            last_pose_sequence=0,
            registration_id="",
            registration_validity=Validity.LOST,
        )

    control = ControlServer("tcp://127.0.0.1:*", session, context, welcome)
    with PosePublisher("tcp://127.0.0.1:*", session) as poses:
        port.send((poses.endpoint, surfaces.endpoint, control.endpoint))
        poller = zmq.Poller()
        for socket in {*surfaces.sockets, *control.sockets}:
            poller.register(socket, zmq.POLLIN)
        while not stop.is_set():
            poller.poll(5)
            surfaces.poll()
            control.poll()


def serve_bare(data: bytes, port: Any, stop: Any) -> None:
    """Main function of a process with a ROUTER that answers an offset with the bytes there."""
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    port.send(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    while not stop.is_set():
        if socket.poll(5):
            identity, offset = socket.recv_multipart()
            at = int(offset)
            socket.send_multipart([identity, data[at : at + CHUNK_BYTES]])


@contextmanager
def process(target: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """Runs `target` in another process while the block runs; yields the endpoints that it sends."""
    spawning = multiprocessing.get_context("spawn")
    stop, (ours, theirs) = spawning.Event(), spawning.Pipe()
    child = spawning.Process(target=target, args=(*arguments, theirs, stop), daemon=True)
    child.start()
    try:
        yield ours.recv()
    finally:
        stop.set()
        child.join(10)


def pull(where: tuple[str, str, str], settings: PullerSettings) -> tuple[PulledSurface, ReferenceClient]:
    """Pulls everything with the reference client; returns the surface and the closed client."""
    endpoints = Endpoints(poses=where[0], surfaces=where[1], control=where[2])
    with ReferenceClient(endpoints, CLOCK, ClientSettings(puller=settings)) as client:
        if not client.poll_until(lambda: client.surfaces.is_done, CLOCK.now_ns() + PATIENCE_NS):
            raise SystemExit(f"the surface did not arrive: {client.surfaces.last_refusal}")
        (pulled,) = client.surfaces.surfaces.values()
        return pulled, client


def pull_bare(endpoint: str, size: int, sha256: str) -> float:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.connect(endpoint)
        digest, data, asked, began_ns = hashlib.sha256(), bytearray(), 0, CLOCK.now_ns()
        while len(data) < size:
            while asked < size and asked - len(data) < CREDIT * CHUNK_BYTES:
                socket.send(b"%d" % asked)
                asked += CHUNK_BYTES
            piece = socket.recv()
            digest.update(piece)
            data += piece
        if digest.hexdigest() != sha256:
            raise SystemExit("the bare pair lost something")
        return (CLOCK.now_ns() - began_ns) / 1e9


def median_ms(seconds: list[float]) -> str:
    return f"{np.median(seconds) * 1e3:8.1f} (from {min(seconds) * 1e3:.1f} to {max(seconds) * 1e3:.1f})"


def show_time(level: EncodedLevel, rounds: int) -> None:
    payload = level.payload
    ours: dict[str, list[float]] = {"raw": [], "compressed": []}
    bare, unpacking = [], []
    with process(serve, level) as where, process(serve_bare, payload.data) as endpoint:
        for _ in range(rounds):
            bare.append(pull_bare(endpoint, len(payload.data), payload.sha256))
            for form, seconds in ours.items():
                pulled, _ = pull(where, PullerSettings(form=form))
                seconds.append(pulled.seconds)
                began_ns = CLOCK.now_ns()
                if pulled.data != payload.data:
                    raise SystemExit("another surface arrived")
                if form == "compressed":
                    unpacking.append((CLOCK.now_ns() - began_ns) / 1e9)
    size = len(payload.data)
    print(f"\n{size / 1e6:.1f} MB over loopback, ms, median of {rounds} rounds")
    print(f"  bare DEALER/ROUTER       {median_ms(bare)}")
    ratio = np.median(ours["raw"]) / np.median(bare)
    print(f"  surgnav                  {median_ms(ours['raw'])}, {ratio:.2f} times bare")
    print(f"  surgnav, compressed      {median_ms(ours['compressed'])}, and to unpack {median_ms(unpacking)}")


def show_cut(level: EncodedLevel) -> None:
    print("\na link that is cut three times, MB")
    for form, data in (("raw", level.payload.data), ("compressed", level.compressed or b"")):
        window = WindowSettings(max_bytes=len(data) // 16)
        with process(serve, level) as (poses, surfaces, control):
            proxy = CuttingProxy(surfaces, [len(data) // 4] * 3)
            pulled, client = pull((poses, proxy.endpoint, control), PullerSettings(form=form, window=window))
            proxy.close()
        twice, lost = client.surfaces.bytes_taken - len(data), proxy.bytes_down - client.surfaces.bytes_taken
        print(
            f"  {form:11} {len(data) / 1e6:6.2f}, cut {proxy.cuts} times: came twice {twice / 1e6:.2f}, lost under way "
            f"(with all heads) {lost / 1e6:.2f}, window {window.max_bytes / 1e6:.2f}; {pulled.seconds:.1f} s"
        )


# ------------------------------------------------------------------------------------------------------------- hostile


def harass(endpoint: str, sha256: str, readers: int, deaf: int, port: Any, stop: Any) -> None:
    """Clients that request as fast as they can: `readers` of them read the answers, `deaf` of them do not."""
    session, sequence = Session(NO_SESSION, CLOCK), 0
    sockets = []
    for number in range(readers + deaf):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        options = {zmq.LINGER: 0, zmq.SNDHWM: 32, zmq.RCVHWM: 1 if number >= readers else 64}
        for option, value in options.items():
            socket.setsockopt(option, value)
        socket.connect(endpoint)
        sockets.append(socket)
    port.send("ready")
    while not stop.is_set():
        sequence += 1
        wish = SurfaceChunkRequest(sha256=sha256, offset=0, length=2**31) if sequence % 4 else SurfaceListRequest()
        message = encode_message(wish, session, sequence)
        sent = 0
        for number, socket in enumerate(sockets):
            try:
                socket.send(message, zmq.DONTWAIT)
                sent += 1
            except zmq.Again:
                pass
            while number < readers and socket.poll(0):
                socket.recv()
                sent += 1
        if not sent:
            time.sleep(0.001)


def spin(port: Any, stop: Any) -> None:
    """A process that keeps a core busy and sends nothing, to tell the cost of a busy machine from that of requests."""
    port.send("ready")
    while not stop.is_set():
        for _ in range(1000):
            pass


def show_hostile(level: EncodedLevel, rounds: int) -> None:
    print(f"\n{len(level.payload.data) / 1e6:.1f} MB while others misbehave, ms")
    raw = PullerSettings(form="raw")
    with process(serve, level) as where:
        sha256 = level.payload.sha256
        neighbours: dict[str, tuple[Any, ...]] = {
            "one that only computes": (spin,),
            "three that never read": (harass, where[1], sha256, 0, 3),
            "three that take all they can": (harass, where[1], sha256, 3, 0),
        }
        print(f"  {'alone':30}{median_ms([pull(where, raw)[0].seconds for _ in range(rounds)])}")
        for name, neighbour in neighbours.items():
            with process(*neighbour):
                time.sleep(1.0)
                seconds = [pull(where, raw)[0].seconds for _ in range(rounds)]
            print(f"  {name:30}{median_ms(seconds)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--triangles", type=int, default=100_000, help="of each of the phantom's surfaces, at most")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    if "sizes" in options.only:
        surfaces = phantom_surfaces(options.triangles)
        show_sizes(surfaces)
        show_levels(surfaces)
    if set(options.only) - {"sizes"}:
        from bench_shared_link import organ

        level = encode_level(organ(), glb=False)
        print(f"\n{os.cpu_count()} cores")
        if "time" in options.only:
            show_time(level, options.rounds)
        if "cut" in options.only:
            show_cut(level)
        if "hostile" in options.only:
            show_hostile(level, options.rounds)


if __name__ == "__main__":
    main()
