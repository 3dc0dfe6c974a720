"""A sweep beside the live contours: what it costs, and what it does to contours and poses.

    python benchmarks/ultrasound/sweep/bench_sweep.py [--seconds 15] [--rounds 2]

- `surgnav serve` of a phantom's case in a simulated room whose probe scans it (400 x 340 px, 30 images a second, formed
  in the ultrasound process too), with a reference client on this machine: in turn without a sweep and with one.
  Contours decoded a second; from the sensor's stamp to decoded, of contours and of poses; and surfaces that came.
- The sweep's work by itself, in processor time: a frame into the volume (1 mm), and one surface with its levels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.demo.ultrasound.growing import SWEEP_KEYS
from navigation.demo.ultrasound.patient import GEOMETRY, scanned_back
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from navigation.ultrasound.freehand.live_volume import LiveVolume, surface_of
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.pipeline import USABLE, FrameResult
from reconstruction.freehand.settings import CompoundingSettings, Interpolation
from tests.navigation.commands.serving import ADDRESSES, serving
from tests.navigation.commands.ultrasound.simulated_patient_room import ROOM
from tests.navigation.simulation.ultrasound.phantom_case import phantom_case
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.wire.envelope import Validity

CLOCK = MonotonicClock()
LAG_NS = 40_000_000
SWEEP = "ultrasound sweep"


class Phase:
    """What the client was given for some seconds."""

    def __init__(self, client: ReferenceClient, seconds: float) -> None:
        self.contours_ms: list[float] = []
        self.surfaces: dict[str, int] = {}
        begun_ns, batches = CLOCK.now_ns(), len(client.poses.log.batches)
        newest = 0 if client.contours is None else client.contours.frame.number
        while (now_ns := CLOCK.now_ns()) < begun_ns + seconds * NS_PER_S:
            client.poll(5)
            shown = client.contours
            if shown is not None and shown.frame.number > newest:
                newest = shown.frame.number
                self.contours_ms.append((now_ns - shown.frame.shows_ns - LAG_NS) / 1e6)
            for pulled in client.surfaces.surfaces.values():
                if pulled.entry.name == SWEEP:
                    self.surfaces.setdefault(pulled.entry.sha256, pulled.entry.triangle_count)
        self.rate_hz = len(self.contours_ms) / seconds
        taken = client.poses.log.batches[batches:]
        self.poses_ms = [(each.decoded_ns - each.batch.header.capture_ns) / 1e6 for each in taken]

    def line(self, name: str) -> str:
        spread = (np.percentile(each, [50, 99]) for each in (self.contours_ms, self.poses_ms))
        (c50, c99), (p50, p99) = spread
        came = f"{len(self.surfaces)} surfaces, {max(self.surfaces.values(), default=0)} triangles at most"
        return f"{name:14} {self.rate_hz:5.1f}/s {c50:6.0f} {c99:6.0f} ms  {p50:6.1f} {p99:6.1f} ms   {came}"


def beside_contours(seconds: float, rounds: int, folder: Path) -> None:
    case, _ = phantom_case(folder / "case")
    (folder / "or.toml").write_text(ROOM, "utf-8")
    with serving(case, "--room", str(folder / "or.toml"), "--no-record", "--research") as screen:
        screen.wait_for("ultrasound usable, placed in reference")
        poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
        settings = ClientSettings(puller=PullerSettings(allow_suggested=True))
        endpoints = Endpoints(poses=poses, surfaces=surfaces, control=control)
        with ReferenceClient(endpoints, CLOCK, settings) as client:
            client.poll_until(lambda: client.contours is not None, CLOCK.now_ns() + 60 * NS_PER_S)
            Phase(client, 15.0)  # until everything has been loaded
            print("               contours  p50    p99      poses p50   p99")
            for _ in range(rounds):
                print(Phase(client, seconds).line("no sweep"), flush=True)
                client.control.send_event("ultrasound_sweep", name="begin")
                print(Phase(client, seconds).line("sweep"), flush=True)
                client.control.send_event("ultrasound_sweep", name="end")
                Phase(client, 5.0)  # the last surface


def frames(folder: Path) -> Iterator[PlacedFrame]:
    """A spine that is scanned once to and fro."""
    from geometry import Transform

    back = scanned_back(1, folder)
    path = back.path(0.0, 20.0)
    scan = back.scan(path)
    for number, t_s in enumerate(np.arange(0.0, 20.0, 1.0 / 15.0)):
        pixels, place = scan.image(t_s), path.T_ct_probe(t_s)
        result = FrameResult(
            sequence=number,
            capture_ns=number,
            finished_ns=number,
            state=USABLE,
            reason="",
            contours=(),
            pixels=pixels,
        )
        yield PlacedFrame(
            result=result,
            T_probe_image_px=np.linalg.inv(place.matrix) @ path.T_ct_image_px(t_s),
            shows_ns=number,
            validity=Validity.VALID,
            reason="",
            T_reference_probe=Transform(place.matrix, "reference", "probe"),
        )


def by_itself(folder: Path) -> None:
    volume = LiveVolume(GEOMETRY.mask, SWEEP_KEYS.spacing_mm, CompoundingSettings(Interpolation.NEAREST))
    spent_s: list[float] = []
    for frame in frames(folder):
        begun_s = time.process_time()
        volume.add(frame)
        spent_s.append(time.process_time() - begun_s)
    begun_s = time.process_time()
    filled = volume.filled(5)
    filled_s = time.process_time()
    surface = surface_of(filled, SWEEP_KEYS.level, SWEEP)
    encode_levels(surface, LevelSettings(triangle_counts=(4_000,), glb=False))
    done_s = time.process_time()
    shape = " x ".join(map(str, filled.compounded.grid.shape_ijk))
    print(f"a frame of 400 x 340 px into the volume: {1e3 * np.median(spent_s):.1f} ms of a processor (median)")
    print(
        f"a surface of {shape} voxels: holes {filled_s - begun_s:.2f} s, "
        f"surface of {len(surface.triangles)} triangles with its levels {done_s - filled_s:.2f} s of a processor"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        by_itself(Path(name))
        beside_contours(options.seconds, options.rounds, Path(name))


if __name__ == "__main__":
    main()
