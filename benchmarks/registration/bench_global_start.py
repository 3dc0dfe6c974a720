"""Registration of a sweep to a surface without an initial pose, beside Open3D's feature matching, in the same run.

Every sweep has 2,000 points on a random side of a body, with 0.5 mm noise and 10 % outliers 15 mm off, in a random
rotation and a random shift of up to half a metre. A case is correct if the largest error at 20 points of the whole body
is below 2 mm. Refusals are counted separately. A small patch does not determine the pose well: `misled` counts the
cases whose error is above 1.5 times the 95 % length that the registration itself expects.

The rivals match FPFH features of the sweep and of 20,000 points of the surface at 5 mm by RANSAC or by fast global
registration, and refine with Open3D's point-to-plane ICP with Tukey weights. Their normals point away from the sweep's
centre, which is correct for a convex side. What can be prepared before the operation (our distance grid, their features
of the surface) is not counted.

    python benchmarks/registration/bench_global_start.py [--cases 100] [--rival-cases 20] [--patch 0.3]
        [--model-error 0.5] [--data FOLDER] [--alone]

With `--patch`, the sweep covers only that share of the side. With `--model-error`, the surface of the model has that
error in mm (standard deviation along its normals, correlated over 15 mm). `--data` adds the liver, pelvis, left hip, L3
and skin of a real patient; FOLDER is the one that has ct/totalseg_example.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from geometry import Surface, Transform
from registration.distance.distance_grid import DistanceGrid
from registration.surface.global_start import register_from_nothing
from registration.uncertainty.expected_error import PoseUncertainty, expected_tre, target_errors_mm
from tests.registration.shapes import organ, sample, with_model_error
from tests.registration.trials.real_surfaces import real_surface

VOXEL_MM = 5.0
RIGHT_MM = 2.0
OURS = "surgnav"
CORRELATION_MM = 15.0 / np.sqrt(2.0 * np.pi)  # correlation length of the segmentation's error, as the solver assumes it
REAL = ("liver", "pelvis", "hip_left", "vertebra_L3", "skin")
Found = tuple[Transform | None, PoseUncertainty | None]
Solver = Callable[[np.ndarray, int], Found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--rival-cases", type=int, default=20)
    parser.add_argument("--patch", type=float, default=1.0)
    parser.add_argument("--model-error", type=float, default=0.0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--alone", action="store_true", help="without the rivals")
    options = parser.parse_args()
    bodies: dict[str, Surface] = {"organ": organ(7)}
    if options.data:
        bodies |= {name: real_surface(options.data, name) for name in REAL}
    print(
        f"{'body':12}{'triangles':>10}  {'solver':22}{'cases':>6}{'right':>7}{'wrong':>7}{'refused':>9}"
        f"{'misled':>8}{'median mm':>11}{'worst mm':>10}{'time s':>8}{'longest':>9}"
    )
    for name, body in bodies.items():
        cases = [_case(body, seed, options.patch) for seed in range(options.cases)]
        planned = with_model_error(body, options.model_error, CORRELATION_MM, np.random.default_rng(0))
        solvers: dict[str, tuple[Solver, int]] = {OURS: (_ours(planned), options.cases)}
        if not options.alone:
            solvers |= {rival: (solver, options.rival_cases) for rival, solver in _open3d(planned).items()}
        for solver_name, (solver, count) in solvers.items():
            _row(name, body, solver_name, solver, cases[:count])


def _case(body: Surface, seed: int, share: float) -> tuple[np.ndarray, Transform]:
    """Points ``(2000, 3)`` in reference, and the true ``T_reference_ct``."""
    rng = np.random.default_rng(seed)
    points = sample(body, round(2000 / share), rng, rng.normal(size=3))
    away_mm = np.linalg.norm(points - points[rng.integers(len(points))], axis=1)
    points = points[np.argsort(away_mm)[:2000]] if share < 1.0 else points
    points = points + 0.5 * rng.normal(size=(2000, 3))
    outliers = rng.random(2000) < 0.1
    points[outliers] += 15.0 * rng.normal(size=(outliers.sum(), 3))
    truth = Transform.from_rotation(Rotation.random(rng=rng), 500.0 * rng.normal(size=3), "reference", "ct")
    return truth.apply(points), truth


def _row(name: str, body: Surface, solver_name: str, solver: Solver, cases: list[tuple[np.ndarray, Transform]]) -> None:
    targets = body.vertices_mm[:: max(1, len(body.vertices_mm) // 20)]
    times_s, errors_mm, refused, misled = [], [], 0, 0
    solver(cases[0][0], 0)  # warm up
    for seed, (points, truth) in enumerate(cases):
        start = time.perf_counter()
        pose, uncertainty = solver(points, seed)
        times_s.append(time.perf_counter() - start)
        if pose is None:
            refused += 1
            continue
        off_mm = target_errors_mm(pose, truth, targets)
        errors_mm.append(float(off_mm.max()))
        if uncertainty is not None:
            misled += int((off_mm > 1.5 * expected_tre(pose, uncertainty, targets).p95_mm).any())
    right = int(np.sum(np.array(errors_mm) < RIGHT_MM))
    median, worst = (np.median(errors_mm), max(errors_mm)) if errors_mm else (np.nan, np.nan)
    print(
        f"{name:12}{len(body.triangles):>10,}  {solver_name:22}{len(cases):>6}{right:>7}{len(errors_mm) - right:>7}"
        f"{refused:>9}{misled if solver_name == OURS else '-':>8}{median:>11.2f}{worst:>10.2f}"
        f"{np.median(times_s):>8.2f}{max(times_s):>9.2f}",
        flush=True,
    )


def _ours(body: Surface) -> Solver:
    field = DistanceGrid.from_surface(body)

    def solve(points: np.ndarray, seed: int) -> Found:
        found = register_from_nothing(points, body, np.random.default_rng(seed), field=field).registration
        return (None, None) if found is None else (found.T_reference_ct, found.uncertainty)

    return solve


def _open3d(body: Surface) -> dict[str, Solver]:
    import open3d as o3d

    pipeline = o3d.pipelines.registration

    def described(points: np.ndarray, middle: np.ndarray | None) -> tuple[object, object]:
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points)).voxel_down_sample(VOXEL_MM)
        cloud.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=3.0 * VOXEL_MM, max_nn=40))
        if middle is not None:
            cloud.orient_normals_towards_camera_location(middle)
            cloud.normals = o3d.utility.Vector3dVector(-np.asarray(cloud.normals))
        search = o3d.geometry.KDTreeSearchParamHybrid(radius=6.0 * VOXEL_MM, max_nn=150)
        return cloud, pipeline.compute_fpfh_feature(cloud, search)

    surface_points = sample(body, 20_000, np.random.default_rng(0))
    target, target_features = described(surface_points, None)
    full = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array(body.vertices_mm)))
    full.normals = o3d.utility.Vector3dVector(np.array(body.vertex_normals()))
    # The surface has oriented normals: each point takes that of the nearest vertex.
    tree = o3d.geometry.KDTreeFlann(full)
    nearest = [tree.search_knn_vector_3d(point, 1)[1][0] for point in np.asarray(target.points)]
    target.normals = o3d.utility.Vector3dVector(np.asarray(full.normals)[nearest])
    target_features = pipeline.compute_fpfh_feature(
        target, o3d.geometry.KDTreeSearchParamHybrid(radius=6.0 * VOXEL_MM, max_nn=150)
    )
    tukey = pipeline.TransformationEstimationPointToPlane(pipeline.TukeyLoss(k=3.0))

    def matched(kind: str, source: object, features: object, seed: int) -> np.ndarray:
        o3d.utility.random.seed(seed)
        if kind == "FGR":
            option = pipeline.FastGlobalRegistrationOption(
                use_absolute_scale=True, maximum_correspondence_distance=VOXEL_MM, maximum_tuple_count=5000
            )
            return pipeline.registration_fgr_based_on_feature_matching(
                source, target, features, target_features, option
            ).transformation
        return pipeline.registration_ransac_based_on_feature_matching(
            source,
            target,
            features,
            target_features,
            mutual_filter=False,
            max_correspondence_distance=1.5 * VOXEL_MM,
            checkers=[
                pipeline.CorrespondenceCheckerBasedOnEdgeLength(0.9),
                pipeline.CorrespondenceCheckerBasedOnDistance(1.5 * VOXEL_MM),
            ],
            criteria=pipeline.RANSACConvergenceCriteria(400_000, 0.999),
        ).transformation

    def solver(kind: str) -> Solver:
        def solve(points: np.ndarray, seed: int) -> Found:
            source, features = described(points, np.median(points, axis=0))
            coarse = matched(kind, source, features, seed)
            cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
            fine = pipeline.registration_icp(cloud, full, 10.0, coarse, tukey).transformation
            u, _, vt = np.linalg.svd(fine[:3, :3])
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = u @ vt, fine[:3, 3]
            return Transform(matrix, "ct", "reference").inverse(), None

        return solve

    return {f"Open3D, FPFH + {kind}": solver(kind) for kind in ("RANSAC", "FGR")}


if __name__ == "__main__":
    main()
