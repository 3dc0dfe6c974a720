"""Pivot calibration beside its rivals: algebraic one-step, sphere fit and RANSAC of scikit-surgerycalibration.

Usage, from the repository root:

    pip install --no-deps --target RIVALS scikit-surgerycalibration
    python benchmarks/calibration/bench_pivot.py --rivals RIVALS [--data ../shared/data] [--trials 60]

Without the rivals' folder only ours runs, beside "told": least squares with all directions alike, on the poses that are
not astray, which no method is told in an operating room. Simulated: RMS tip error in mm over the trials, the same poses
for every method. Recorded: the 1,151 poses of UCL's course MPHY0026, whose tip nobody knows. Times are CPU times of
this process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration import PoseStream, calibrate_pivot
from calibration.errors import PivotRefusedError
from calibration.pivot.equations import Equations, Metric
from calibration.pivot.pivot import PivotSettings

TIP_MM, PIVOT_MM = np.array([3.0, -5.0, -160.0]), np.array([120.0, -80.0, -1500.0])
# The stylus tip of PlusToolkit's test of its pivot calibration, and its tolerance.
PLUS_TIP_MM, PLUS_TOLERANCE_MM = np.array([210.019, -0.170, 0.046]), 0.5
COUNT = 150
# RANSAC's threshold where the noise is known, three of its standard deviations in depth, and on the recording.
THRESHOLD_MM, RECORDED_THRESHOLD_MM = 1.5, 2.0
Method = Callable[[np.ndarray], np.ndarray]


def rocked(rng: np.random.Generator, count: int = COUNT, tip_mm: np.ndarray = TIP_MM) -> np.ndarray:
    """Poses of a stylus rocked by 25 degrees by a hand, without noise."""
    phase = np.linspace(0.0, 25.0, count) + rng.uniform(0.0, 6.0)
    angles = 25.0 * np.column_stack([np.sin(phase), np.cos(1.3 * phase), 1.5 * np.sin(0.7 * phase)])
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    poses[:, :3, 3] = PIVOT_MM - poses[:, :3, :3] @ tip_mm
    return poses


def alike(rng: np.random.Generator, count: int) -> np.ndarray:
    return 0.25 * rng.normal(size=(count, 3))


def depth(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.array([0.15, 0.15, 0.45]) * rng.normal(size=(count, 3))


def in_time(rng: np.random.Generator, count: int) -> np.ndarray:
    """Each error is nine tenths of the one before."""
    noise, fresh = np.zeros((count, 3)), depth(rng, count)
    for at in range(1, count):
        noise[at] = 0.9 * noise[at - 1] + np.sqrt(1.0 - 0.81) * fresh[at]
    return noise


def heavy_tails(rng: np.random.Generator, count: int) -> np.ndarray:
    return 0.15 * rng.standard_t(3, size=(count, 3))


def wild(poses: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    poses[chosen, :3, 3] += rng.normal(scale=30.0, size=(len(chosen), 3))


def slipped(poses: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    way = rng.normal(size=(len(chosen), 3))
    poses[chosen, :3, 3] += rng.uniform(1.0, 6.0, (len(chosen), 1)) * way / np.linalg.norm(way, axis=1)[:, None]


def elsewhere(poses: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    """The tip stood in another dimple for one stretch of time."""
    start = int(rng.integers(len(poses) - len(chosen) + 1))
    poses[start : start + len(chosen), :3, 3] += [5.0, 2.0, 3.0]


def turned(poses: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    turns = Rotation.from_rotvec(rng.normal(scale=0.1, size=(len(chosen), 3)))
    poses[chosen, :3, :3] = turns.as_matrix() @ poses[chosen, :3, :3]


def ours(poses: np.ndarray) -> np.ndarray:
    settings = PivotSettings(maximum_rejected_fraction=0.7, maximum_residual_rms_mm=10.0, maximum_tip_error_rms_mm=10.0)
    stream = PoseStream("tracker", "stylus", np.arange(len(poses)) / 20.0, poses, 0, "bench")
    return calibrate_pivot(stream, settings).tip_stylus_mm


def least_squares(poses: np.ndarray) -> np.ndarray:
    return Equations(poses[:, :3, :3], poses[:, :3, 3]).solve(np.ones(len(poses)), Metric.isotropic())[:3]


def rivals(folder: Path | None) -> dict[str, Method]:
    """The methods of scikit-surgerycalibration, by its own code."""
    if folder is None or not (folder / "sksurgerycalibration").is_dir():
        print("no rivals: pip install --no-deps --target RIVALS scikit-surgerycalibration, then --rivals RIVALS\n")
        return {}
    sys.path.insert(0, str(folder))
    from sksurgerycalibration.algorithms import pivot

    def quietly(method: Callable[..., tuple], *options: object) -> Method:
        def run(poses: np.ndarray) -> np.ndarray:
            with contextlib.redirect_stdout(io.StringIO()):
                return np.asarray(method(poses, *options)[0]).ravel()

        return run

    return {
        "algebraic": quietly(pivot.pivot_calibration_aos),
        "sphere fit": quietly(pivot.pivot_calibration_sphere_fit),
        "RANSAC": quietly(pivot.pivot_calibration_with_ransac, 30, THRESHOLD_MM, 0.25),
    }


def simulated(methods: dict[str, Method], trials: int) -> None:
    print(
        f"RMS tip error in mm, {trials} trials of {COUNT} poses each; ours over the best rival, without any over told"
    )
    print(
        f"{'noise':12}{'astray':>7} {'how':10}"
        + "".join(f"{name:>12}" for name in (*methods, "told"))
        + f"{'ratio':>8}"
    )
    for share in (0.0, 0.2, 0.5):
        for noise in (alike, depth, in_time, heavy_tails) if share < 0.5 else (depth,):
            for astray in (wild, slipped, elsewhere, turned) if share else (wild,):
                squared: dict[str, list[float]] = {name: [] for name in (*methods, "told")}
                for trial in range(trials):
                    rng = np.random.default_rng(trial)
                    random.seed(trial)
                    poses = rocked(rng)
                    poses[:, :3, 3] += noise(rng, COUNT)
                    right = poses.copy()
                    astray(poses, rng.permutation(COUNT)[: int(share * COUNT)], rng)
                    right = right[(right == poses).all(axis=(1, 2))]
                    squared["told"].append(float(np.sum((least_squares(right) - TIP_MM) ** 2)))
                    for name, method in methods.items():
                        squared[name].append(float(np.sum((method(poses) - TIP_MM) ** 2)))
                rms = {name: float(np.sqrt(np.mean(each))) for name, each in squared.items()}
                best = min((rms[name] for name in methods if name != "ours"), default=rms["told"])
                row = f"{noise.__name__:12}{share:7.0%} {astray.__name__ if share else '':10}"
                print(
                    row + "".join(f"{value:12.3f}" for value in rms.values()) + f"{rms['ours'] / best:8.2f}", flush=True
                )


def plus(methods: dict[str, Method], trials: int) -> None:
    print(f"\nPlusToolkit's tip {PLUS_TIP_MM}, 200 poses, 5 % of them wild: largest error in mm of {trials} trials")
    worst = dict.fromkeys(methods, 0.0)
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        poses = rocked(rng, 200, PLUS_TIP_MM)
        poses[:, :3, 3] += depth(rng, 200)
        wild(poses, rng.permutation(200)[:10], rng)
        for name, method in methods.items():
            worst[name] = max(worst[name], float(np.linalg.norm(method(poses) - PLUS_TIP_MM)))
    print("  ".join(f"{name} {value:.2f}" for name, value in worst.items()) + f"; allowed {PLUS_TOLERANCE_MM}")


def read_recorded(data: Path) -> PoseStream | None:
    path = data / "tracking" / "mphy0026" / "pivot_poses.tar.gz"
    if not path.is_file():
        return None
    with tarfile.open(path) as archive:
        names = sorted(name for name in archive.getnames() if name.endswith(".txt"))
        poses = np.stack([np.loadtxt(archive.extractfile(name)) for name in names])
    u, _, vt = np.linalg.svd(poses[:, :3, :3])
    poses[:, :3, :3] = u @ vt
    times_s = np.array([int(Path(name).stem) for name in names]) / 1e9
    return PoseStream("tracker", "stylus", times_s - times_s[0], poses, 0, "mphy0026")


def recorded(methods: dict[str, Method], data: Path) -> None:
    stream = read_recorded(data)
    if stream is None:
        print("\nno recording: --data FOLDER that holds tracking/mphy0026")
        return
    print(f"\nMPHY0026, {len(stream)} poses: tip in mm; poses within {RECORDED_THRESHOLD_MM:g} mm, and their RMS in mm")
    random.seed(0)
    if "RANSAC" in methods:
        from sksurgerycalibration.algorithms import pivot

        def run(poses: np.ndarray) -> np.ndarray:
            with contextlib.redirect_stdout(io.StringIO()):
                found = pivot.pivot_calibration_with_ransac(poses, 100, RECORDED_THRESHOLD_MM, 0.25)
            return np.asarray(found[0]).ravel()

        methods = {**methods, "RANSAC": run}
    for name, method in methods.items():
        tip = method(stream.poses)
        seen = stream.poses[:, :3, :3] @ tip + stream.poses[:, :3, 3]
        off = np.linalg.norm(seen - np.median(seen, axis=0), axis=1)
        near = off < RECORDED_THRESHOLD_MM
        rms = np.sqrt(np.mean(off[near] ** 2))
        print(f"{name:12} ({tip[0]:7.2f}, {tip[1]:7.2f}, {tip[2]:6.2f})  {near.sum():5d}  {rms:.2f}")
    try:
        calibrate_pivot(stream)
    except PivotRefusedError as error:
        print(f"ours says: {error}")
    settings = PivotSettings(maximum_residual_rms_mm=5.0, maximum_tip_error_rms_mm=5.0)
    found = calibrate_pivot(stream, settings)
    print(
        f"forced: {found.n_used} used, residual {found.residual_rms_mm:.2f} mm RMS, tip known to "
        f"{found.expected_tip_error_rms_mm:.2f} mm RMS; {found.n_rejected} outliers by index:"
    )
    print("  " + " ".join(str(each.index) for each in found.outliers))


def timed(methods: dict[str, Method]) -> None:
    rng = np.random.default_rng(0)
    poses = rocked(rng, 2000)
    poses[:, :3, 3] += depth(rng, 2000)
    wild(poses, rng.permutation(2000)[:400], rng)
    print("\n2,000 poses, 20 % astray, ms of CPU time, the least of five:", end=" ")
    for name, method in methods.items():
        took = []
        for _ in range(5 if name != "RANSAC" else 1):
            begun = time.process_time()
            method(poses)
            took.append(1e3 * (time.process_time() - begun))
        print(f"{name} {min(took):.1f}", end="  ")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rivals", type=Path, help="folder that scikit-surgerycalibration was installed into")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--trials", type=int, default=60)
    given = parser.parse_args()
    methods: dict[str, Method] = {"ours": ours, **rivals(given.rivals)}
    simulated(methods, given.trials)
    plus(methods, given.trials)
    recorded(methods, given.data)
    timed(methods)


if __name__ == "__main__":
    main()
