"""How soon the live motion check notices a mirrored image, a wrong lag and another depth, and whether it errs.

Formed images of tissue that stands still, 20 s at 30 a second, for several motions of the probe and seeds; poses at 125
a second with 0.1 mm and 0.5 mrad of noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry import Transform
from geometry.frames import PROBE, REFERENCE
from navigation.simulation.ultrasound.formation import UltrasoundSimulator
from navigation.simulation.ultrasound.tissue import BLOOD, FAT, MUSCLE, TissueGrid
from navigation.ultrasound.live.motion_check import MotionCheck
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from tests.navigation.ultrasound.live.probes import MS, probe_in_force, told
from tests.navigation.ultrasound.results import result

PIXEL_MM, SIZE, RATE_HZ, POSE_MS = 0.25, 200, 30, 8
LAG_MS = -50
GEOMETRY = ScanGeometry.linear((SIZE, SIZE), (PIXEL_MM, PIXEL_MM), width_mm=45.0, depth_mm=48.0)
BOX_MM = np.array([[-45.0, -45.0, -2.0], [45.0, 45.0, 60.0]])
COLUMNS_MM = np.array([[PIXEL_MM, 0.0, -PIXEL_MM * GEOMETRY.face_px[0]], [0.0, 0.0, 0.0], [0.0, PIXEL_MM, 0.0]])
# Amplitudes in mm and rates in Hz: sideways, in depth, across the plane.
MOTIONS = {
    "hand": ((6.0, 2.0, 5.0), (0.45, 0.31, 0.37)),
    "slow": ((8.0, 2.0, 6.0), (0.12, 0.09, 0.10)),
    "sweep": ((1.0, 0.5, 8.0), (0.20, 0.10, 0.15)),
}
Pixels = np.ndarray
FAULTS: dict[str, tuple[int, Callable[[Pixels], Pixels]]] = {
    "none": (0, lambda image: image),
    "lag +100 ms": (100, lambda image: image),
    "lag -100 ms": (-100, lambda image: image),
    "mirrored": (0, lambda image: image[:, ::-1]),
    "depth x 1.3": (0, lambda image: enlarged(image, 1.3)),
}


def enlarged(image: Pixels, scale: float) -> Pixels:
    rows = (np.arange(SIZE) / scale).astype(int)
    columns = (0.5 * SIZE + (np.arange(SIZE) - 0.5 * SIZE) / scale).astype(int)
    return image[rows][:, columns]


def pose(t_s: float, motion: str, seed: int) -> Transform:
    sizes, rates = MOTIONS[motion]
    phases = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, (2, 3))
    turn = 2.0 * np.pi * np.array(rates) * t_s
    x, z, y = np.array(sizes) * (np.sin(turn + phases[0]) + 0.3 * np.sin(2.3 * turn + phases[1]))
    tilt = Rotation.from_rotvec(np.deg2rad(3.0) * np.sin(turn + phases[1]))
    return Transform.from_rotation(tilt, [x, y, 2.0 + z], REFERENCE, PROBE)


def film(motion: str, seed: int, seconds: float) -> list[Pixels]:
    vessel = {
        FAT: lambda p: p[:, 2] - 8.0 - np.sin(p[:, 0] / 6.0),
        BLOOD: lambda p: np.hypot(p[:, 0] - 5.0, p[:, 2] - 25.0) - 4.0,
    }
    simulator = UltrasoundSimulator(TissueGrid.of_shapes(vessel, MUSCLE, BOX_MM), GEOMETRY, seed=seed)
    images = []
    for number in range(round(seconds * RATE_HZ)):
        placed, plane = pose(number / RATE_HZ, motion, seed), np.eye(4)
        plane[:3, :2] = placed.rotation_matrix @ COLUMNS_MM[:, :2]
        plane[:3, 3] = placed.apply(COLUMNS_MM[:, 2][None])[0]
        images.append(simulator.image(plane, number))
    return images


def noticed(images: list[Pixels], motion: str, seed: int, fault: str) -> tuple[float | None, str, float]:
    """Seconds until a doubt that stays to the end, its words, and ms a frame."""
    off_ms, alter = FAULTS[fault]
    image_map = ImageToProbe(COLUMNS_MM, np.diag([1e-7] * 6 + [0.02] * 3))
    probe = replace(probe_in_force(), image_map=image_map, size_px=(SIZE, SIZE), lag_s=LAG_MS / 1e3)
    timeline, rng = PlacingTimeline(probe), np.random.default_rng(seed)
    check, tracked, since, spent_s = MotionCheck(timeline), 0, None, 0.0
    for number, image in enumerate(images):
        capture_ns = round(number / RATE_HZ * 1e9) + (2_000 - LAG_MS + off_ms) * MS
        while (tracked * POSE_MS + 2_000) * MS <= capture_ns:
            turned = Rotation.from_rotvec(rng.normal(0.0, 5e-4, 3))
            noise = Transform.from_rotation(turned, rng.normal(0.0, 0.1, 3), PROBE, PROBE)
            seen = pose(tracked * POSE_MS / 1e3, motion, seed) @ noise
            timeline.note([told((tracked * POSE_MS + 2_000) * MS, pose=seen)])
            tracked += 1
        frame = result(number, capture_ns, pixels=np.ascontiguousarray(alter(image)))
        begun_s = perf_counter()
        check.take(frame)
        spent_s += perf_counter() - begun_s
        since = (since or number / RATE_HZ) if check.doubt else None
    return since, check.said, 1e3 * spent_s / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    for motion in MOTIONS:
        films = [film(motion, seed, asked.seconds) for seed in range(asked.seeds)]
        for fault in FAULTS:
            runs = [noticed(images, motion, seed, fault) for seed, images in enumerate(films)]
            times_s = [since for since, _, _ in runs if since is not None]
            after = f"after {np.median(times_s):.1f} s (longest {max(times_s):.1f})" if times_s else ""
            spent_ms = np.median([each for _, _, each in runs])
            print(f"{motion:6} {fault:12} doubted in {len(times_s)} of {len(runs)} {after}; {spent_ms:.1f} ms a frame")
            print(f"       {runs[0][1]}")


if __name__ == "__main__":
    main()
