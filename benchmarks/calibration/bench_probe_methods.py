"""Probe calibration from a stylus tip, crossed wires and a wall: simulated sweeps of the same probes, known truth.

Each case is another probe (pixels of 0.1 by 0.12 mm, 640 x 480) and another sweep. Errors: 1 px in the image, a beam of
0.5 mm, a tracker with 0.15 mm and 0.5 mrad. `white`: each image by itself; `slow`: correlated by 0.8 from image to
image; `heavy`: Student's t with 3 degrees of freedom; `astray`: white, and a fifth of the targets 30 to 120 px off.
`holds` is the share of 95 % ellipsoids, at the image's corners and its middle, that hold the truth, with the standard
error of that share from the spread between cases. N-wires are beside them on a probe of their own, whose phantom lies
where it is said to; their images show nine wires each, the others one target. Times are this process's CPU time.

    python benchmarks/calibration/bench_probe_methods.py [--cases 60] [--images 120]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from calibration.ultrasound_probe.errors import ProbeRefusedError
from calibration.ultrasound_probe.flips import ProbeAxes
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.targets.judging import ProbeImage, TargetSettings
from calibration.ultrasound_probe.wires.n_wire import calibrate_n_wires
from tests.calibration.ultrasound_probe.targets.sweeps import METHODS, SIZE_PX, Noise, Truth, a_probe, calibrate, sweep
from tests.calibration.ultrasound_probe.wires import sweeps as wires

NOISES = {"white": Noise(), "slow": Noise(memory=0.8), "heavy": Noise(heavy=True), "astray": Noise()}
IMAGE = ProbeImage(size_px=SIZE_PX)
# Nothing is refused for its size here: what is measured is whether the expected error is true.
SETTINGS = TargetSettings(maximum_corner_error_mm=50.0)


def held(found: ProbeCalibration, truth: Truth) -> tuple[np.ndarray, float]:
    """Which 95 % ellipsoids at the corners and the middle hold the truth, and the worst corner's error in mm."""
    points = np.vstack([truth.corners_px, truth.corners_px.mean(axis=0)])
    errors = found.image_map.to_probe_mm(points) - truth.to_probe(points)
    covariances = found.image_map.point_covariances_mm2(points)
    squared = np.einsum("ni,nij,nj->n", errors, np.linalg.inv(covariances), errors)
    return squared < chi2.ppf(0.95, 3), float(np.linalg.norm(errors[:4], axis=1).max())


def one(method: str, name: str, seed: int, images: int) -> tuple[ProbeCalibration, Truth] | None:
    """A case: the calibration and its truth; None if it was refused."""
    rng = np.random.default_rng(seed)
    truth = a_probe(rng)
    pixels, poses, tips = sweep(method, truth, images, NOISES[name], rng)
    if name == "astray":
        bad = rng.choice(images, images // 5, replace=False)
        shape = (len(bad), *pixels.shape[1:-1])
        pixels[bad, ..., 1] += rng.choice([-1.0, 1.0], shape) * rng.uniform(30.0, 120.0, shape)
    try:
        return calibrate(method, pixels, poses, tips, IMAGE, SETTINGS), truth
    except ProbeRefusedError:
        return None


def accuracy(cases: int, images: int) -> None:
    """The table of errors."""
    print(f"{cases} cases of {images} images\n")
    print("| target | errors | worst corner, median | 95 % below | expected, median | holds | refused |")
    print("|---|---|---|---|---|---|---|")
    for method in METHODS:
        for name in NOISES:
            results = [one(method, name, seed, images) for seed in range(cases)]
            found = [result for result in results if result is not None]
            shares, errors = zip(*(held(*result) for result in found), strict=True)
            means = np.mean(shares, axis=1)
            expected = np.median([calibration.expected_corner_error_mm for calibration, _ in found])
            print(
                f"| {method} | {name} | {np.median(errors):.2f} mm | {np.percentile(errors, 95):.2f} mm "
                f"| {expected:.2f} mm RMS | {means.mean():.1%} +- {means.std() / np.sqrt(len(means)):.1%} "
                f"| {cases - len(found)} |",
                flush=True,
            )


def beside_n_wires(cases: int, images: int) -> None:
    """The three targets and N-wires on one probe, that of PLUS's fCal phantom, with a beam without thickness."""
    truth = Truth(wires.TRUE_COLUMNS_MM, wires.SIZE_PX)
    noise = Noise(beam_mm=0.0)
    image = ProbeImage(size_px=wires.SIZE_PX)
    errors: dict[str, list[float]] = {}
    for seed in range(cases):
        for method in METHODS:
            rng = np.random.default_rng(seed)
            found = calibrate(method, *sweep(method, truth, images, noise, rng), image, SETTINGS)
            errors.setdefault(method, []).append(held(found, truth)[1])
        at_wires = wires.Noise(pixel_px=noise.pixel, pose_mm=noise.tracker_mm, pose_rad=noise.tracker_rad)
        samples, _ = wires.sweep(np.random.default_rng(seed), images, at_wires)
        n_wire = calibrate_n_wires(samples, wires.fcal_phantom(), wires.T_REFERENCE_PHANTOM, wires.SIZE_PX)
        errors.setdefault("N-wires", []).append(held(n_wire.calibration, truth)[1])
    print(f"\nbeside N-wires: one probe, {cases} cases of {images} images, white errors, a beam without thickness\n")
    print("| target | worst corner, median | 95 % below |\n|---|---|---|")
    for method, values in errors.items():
        print(f"| {method} | {np.median(values):.2f} mm | {np.percentile(values, 95):.2f} mm |", flush=True)


def flips_found(cases: int) -> None:
    """How many images that were mirrored on their way are told, and how many right ones are blamed."""
    told = blamed = 0
    for seed in range(cases):
        rng = np.random.default_rng(seed)
        truth = a_probe(rng)
        pixels, poses, tips = sweep("stylus", truth, 40, Noise(), rng)
        # Sides as a person states them: 20 degrees off.
        sides = truth.columns_mm[:, :2] + 0.035 * rng.standard_normal((3, 2))
        image = ProbeImage(size_px=SIZE_PX, axes=ProbeAxes(sides[:, 0], sides[:, 1]))
        blamed += not calibrate("stylus", pixels, poses, tips, image, SETTINGS).accepted
        flipped = pixels.copy()
        axis = seed % 2
        flipped[:, axis] = SIZE_PX[axis] - 1 - flipped[:, axis]
        told += not calibrate("stylus", flipped, poses, tips, image, SETTINGS).accepted
    print(f"\nmirrored images told: {told} of {cases}; right ones refused: {blamed} of {cases}")


def speed() -> None:
    """CPU time for 2,000 images."""
    print()
    for method in METHODS:
        rng = np.random.default_rng(0)
        case = sweep(method, a_probe(rng), 2000, Noise(), rng)
        calibrate(method, *case, IMAGE, SETTINGS)
        begun = time.process_time()
        calibrate(method, *case, IMAGE, SETTINGS)
        print(f"{method}: 2,000 images in {time.process_time() - begun:.2f} s of CPU time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--images", type=int, default=120)
    asked = parser.parse_args()
    speed()
    flips_found(asked.cases)
    beside_n_wires(asked.cases, asked.images)
    accuracy(asked.cases, asked.images)


if __name__ == "__main__":
    main()
