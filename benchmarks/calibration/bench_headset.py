"""Headset to tracker, simulated: the error at a target beside OpenCV's methods, and what it was said to be.

    python benchmarks/calibration/bench_headset.py --cases 1000

Three ways. *points*: six points touched with the stylus; the hand is off by 1 to 3 mm RMS, along the line of sight 1 to
3 times as much as across it. *marker*: a cube that both see at ten places; the headset is off by 0.5 to 2 mm and 0.3 to
1 degree per axis at each place, the same in all frames there, in depth 2.5 times as much; a tenth of the places by 15
mm more. *worn*: a marker on the headset, for 20 s; its own pose drifts in its world by 1 to 3 mm and 0.1 to 0.3
degrees, slowly.

OpenCV has rigid points (`estimateAffine3D` with a rotation enforced, its RANSAC), and hand-eye
(`calibrateRobotWorldHandEye`, two methods; `calibrateHandEye`, five, which leave the other transform to the caller: the
mean over all pairs here). They get the same places, or 40 pairs of poses, and no way to say that the marker is one and
the same. 95 % of the errors should be inside the expected 95 %: of the length, and of the ellipsoid.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from scipy.special import fdtri

from calibration.hand_eye.model import Pairs
from calibration.hand_eye.opencv_methods import OpenCvMethod, solve_with_opencv
from calibration.headset.alignment import HeadsetToTracker
from calibration.headset.places import pair, places_of
from calibration.headset.shared_marker import MarkerSettings, align_by_shared_marker
from calibration.headset.touches import TouchSettings, align_by_touches
from calibration.headset.worn_marker import align_by_worn_marker
from calibration.streams import PoseStream
from geometry import Transform
from geometry.errors import SurgNavError
from tests.calibration.headset.harness import (
    TARGET_HEADSET_MM,
    marker_streams,
    touch_errors_mm,
    touches,
    truth,
    worn_streams,
)

WIDE = TouchSettings(maximum_error_p95_mm=1e3, maximum_residual_rms_mm=1e3)


class Table:
    """Errors at the target by method, and whether ours were inside what was expected."""

    def __init__(self) -> None:
        self.errors_mm: dict[str, list[float]] = {}
        self.inside: list[tuple[bool, bool]] = []
        self.refused: dict[str, int] = {}
        self.seconds: list[float] = []

    def add(self, method: str, true: Transform, matrix: np.ndarray | None) -> None:
        point = np.append(true.inverse().apply(TARGET_HEADSET_MM), 1.0)
        error = np.inf if matrix is None else float(np.linalg.norm((matrix @ point)[:3] - TARGET_HEADSET_MM))
        self.errors_mm.setdefault(method, []).append(error)

    def add_ours(self, true: Transform, found: HeadsetToTracker) -> None:
        target = true.inverse().apply(TARGET_HEADSET_MM)
        off = found.T_headset_tracker.apply(target) - TARGET_HEADSET_MM
        covariance = found.covariance_at_mm2(target)[0]
        in_ellipsoid = off @ np.linalg.solve(covariance, off) / 3.0 <= fdtri(3.0, min(found.degrees, 1e6), 0.95)
        self.inside.append((bool(np.linalg.norm(off) <= found.expected_p95_mm(target)[0]), bool(in_ellipsoid)))
        self.add("surgnav", true, found.T_headset_tracker.matrix)

    def show(self, way: str) -> None:
        print(f"\n{way}: {len(self.inside)} cases, {sum(self.refused.values())} refused")
        for reason, count in sorted(self.refused.items(), key=lambda item: -item[1])[:3]:
            print(f"  {count} x {reason}")
        print(f"{'error at the target, mm':34s} {'median':>8s} {'p95':>8s}")
        for method, errors in self.errors_mm.items():
            print(f"{method:34s} {np.median(errors):8.2f} {np.percentile(errors, 95):8.2f}")
        length, ellipsoid = np.mean(self.inside, axis=0)
        print(f"inside the expected 95 %: {length:.1%} by length, {ellipsoid:.1%} in the ellipsoid")
        print(f"time: median {1e3 * np.median(self.seconds):.0f} ms, longest {1e3 * max(self.seconds):.0f} ms")


def timed(table: Table, true: Transform, align: Callable[[], HeadsetToTracker]) -> bool:
    begun = time.process_time()
    try:
        found = align()
    except SurgNavError as error:
        kind = f"{type(error).__name__}: {error.came[:60]}"
        table.refused[kind] = table.refused.get(kind, 0) + 1
        return False
    table.seconds.append(time.process_time() - begun)
    table.add_ours(true, found)
    return True


def points(rng: np.random.Generator, cases: int) -> Table:
    table = Table()
    for _ in range(cases):
        true = truth(rng)
        made = touches(true, touch_errors_mm(rng, 6, rng.uniform(1.0, 3.0), rng.uniform(1.0, 3.0)))
        if not timed(table, true, lambda made=made: align_by_touches(made, settings=WIDE)):
            continue
        tips, shown = (np.stack([getattr(t, name) for t in made]) for name in ("tip_tracker_mm", "shown_headset_mm"))
        affine, scale = cv2.estimateAffine3D(tips, shown, force_rotation=True)
        scaled = np.vstack([affine, [0, 0, 0, 1]])  # Umeyama's: with a scale, which it returns beside the rotation
        scaled[:3, :3] *= scale
        table.add("OpenCV estimateAffine3D, rotation", true, scaled)
        _, affine, _ = cv2.estimateAffine3D(tips, shown, ransacThreshold=6.0)
        table.add(
            "OpenCV estimateAffine3D, RANSAC", true, None if affine is None else np.vstack([affine, [0, 0, 0, 1]])
        )
    return table


def marker(rng: np.random.Generator, cases: int) -> Table:
    table, settings = Table(), MarkerSettings(maximum_error_p95_mm=1e3)
    for _ in range(cases):
        true = truth(rng)
        shift_mm, turn_deg = rng.uniform(0.5, 2.0), rng.uniform(0.3, 1.0)
        streams = marker_streams(
            true, rng, 10, shift_mm, turn_deg, rng.uniform(-0.08, 0.08), depth_ratio=2.5, wrong_share=0.1
        )
        if not timed(table, true, lambda s=streams: align_by_shared_marker(*s, anchor="a", settings=settings)):
            continue
        places = places_of(pair(*streams), settings.place_step_mm, settings.place_step_rad)
        add_rivals(table, true, places.tracker, places.headset)
        table.add("mean of the places' poses", true, mean_pose(places.headset @ np.linalg.inv(places.tracker)))
    return table


def worn(rng: np.random.Generator, cases: int) -> Table:
    table = Table()
    for _ in range(cases):
        true = truth(rng)
        streams = worn_streams(true, rng)
        if not timed(table, true, lambda s=streams: align_by_worn_marker(*s, anchor="a")):
            continue
        paired = pair_at_offset(*streams)
        add_rivals(table, true, *paired)
    return table


def pair_at_offset(tracker: PoseStream, headset: PoseStream) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of the nearest times: what a caller of OpenCV has."""
    nearest = np.clip(np.searchsorted(tracker.time_s, headset.time_s), 0, len(tracker) - 1)
    return tracker.poses[nearest], headset.poses


def add_rivals(table: Table, true: Transform, tracker: np.ndarray, headset: np.ndarray) -> None:
    for method in OpenCvMethod:
        try:
            _, z = solve_with_opencv(Pairs(tracker, headset), method)
        except (SurgNavError, cv2.error):
            table.add(f"OpenCV {method.value}", true, None)
            continue
        table.add(f"OpenCV {method.value}", true, np.linalg.inv(z))


def mean_pose(matrices: np.ndarray) -> np.ndarray:
    mean = np.eye(4)
    left, _, right = np.linalg.svd(matrices[:, :3, :3].sum(axis=0))
    mean[:3, :3] = left @ right
    mean[:3, 3] = matrices[:, :3, 3].mean(axis=0)
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", default="points,marker,worn")
    asked = parser.parse_args()
    for way in asked.ways.split(","):
        {"points": points, "marker": marker, "worn": worn}[way](np.random.default_rng(asked.seed), asked.cases).show(
            way
        )


if __name__ == "__main__":
    main()
