"""Surface registration beside its rivals: time, and true error at targets inside the organ, in one run.

There are 100 sweeps of 2,000 points over one side of an organ of 200,000 triangles, with 0.5 mm noise, 10 % outliers 15
mm off, and an initial pose that is 10 mm and 10 degrees off. The true pose is used only to score. What can be prepared
from the CT before the operation (our distance grid, the rivals' trees and normals) is timed on separate lines.

The rivals are VTK's ICP (which 3D Slicer's registration wizard and scikit-surgery use), small_gicp, and Open3D's
point-to-plane ICP with and without Tukey weights. Each gets suitable normals, search distance and iterations.

    python benchmarks/registration/bench_registration.py [--cases 100] [--slow-cases 10]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from geometry import Surface, Transform
from registration import refine_on_surface
from registration.distance.closest_point import ExactDistance
from registration.distance.distance_grid import DistanceGrid
from registration.uncertainty.expected_error import target_errors_mm
from tests.registration.shapes import T_TRUE, displaced, organ, sample

TRIANGLES = 200_000
TARGETS_MM = np.array([[0, 0, 0], [40, 20, 10], [-50, 10, -20], [10, -40, -30], [0, 30, 40]], dtype=float)
# The rivals' search distance: above the outliers' 15 mm, below the largest initial error (10 mm, and 10 degrees at
# 100 mm: about 27 mm).
SEARCH_MM = 20.0
Solver = Callable[[np.ndarray, Transform], Transform]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--slow-cases", type=int, default=10, help="for VTK, which takes seconds each")
    options = parser.parse_args()
    body = _organ()
    targets = body.vertices_mm.mean(axis=0) + TARGETS_MM
    solvers = {
        "surgnav, distance grid": (_ours(_prepared("our distance grid", lambda: DistanceGrid.from_surface(body))), 1),
        "surgnav, exact distances": (_ours(_prepared("our exact distances", lambda: ExactDistance(body))), 1),
        **{name: (solver, 1) for name, solver in _small_gicp(body).items()},
        **{name: (solver, 1) for name, solver in _open3d(body).items()},
        "VTK": (_vtk(body), max(1, options.cases // options.slow_cases)),
    }
    cases = [_case(body, seed) for seed in range(options.cases)]
    for solver, _ in solvers.values():
        solver(*cases[0])  # warm up
    found = {name: _run(solver, cases[::every], targets) for name, (solver, every) in solvers.items()}
    ours_ms = np.median(found["surgnav, distance grid"][0])
    print(
        f"\n{len(body.triangles):,} triangles, 2,000 points, {options.cases} cases; error at the worst of 5 targets\n"
    )
    print(f"{'':28}{'cases':>6}{'time ms':>10}{'ratio':>8}{'median mm':>11}{'worst mm':>10}{'under 1 mm':>12}")
    for name, (times_ms, errors_mm) in found.items():
        median_ms = np.median(times_ms)
        print(
            f"{name:28}{len(errors_mm):>6}{median_ms:>10.1f}{median_ms / ours_ms:>8.1f}{np.median(errors_mm):>11.3f}"
            f"{max(errors_mm):>10.3f}{np.mean(np.array(errors_mm) < 1.0):>12.0%}"
        )
    _torso()


def _organ() -> Surface:
    import fast_simplification

    full = organ(7)
    vertices, triangles = fast_simplification.simplify(
        np.array(full.vertices_mm), np.array(full.triangles), target_count=TRIANGLES
    )
    return Surface(vertices.astype(np.float64), triangles.astype(np.int32), "ct", "organ")


def _case(body: Surface, seed: int) -> tuple[np.ndarray, Transform]:
    """Points ``(2000, 3)`` in reference, and the initial ``T_reference_ct``."""
    rng = np.random.default_rng(seed)
    points = sample(body, 2000, rng, np.array([0.0, 0.0, 1.0])) + 0.5 * rng.normal(size=(2000, 3))
    outliers = rng.random(2000) < 0.1
    points[outliers] += 15.0 * rng.normal(size=(outliers.sum(), 3))
    return T_TRUE.apply(points), displaced(T_TRUE, body, np.deg2rad(10.0), 10.0, rng)


def _run(
    solver: Solver, cases: list[tuple[np.ndarray, Transform]], targets: np.ndarray
) -> tuple[list[float], list[float]]:
    times_ms, errors_mm = [], []
    for points, initial in cases:
        start = time.perf_counter()
        pose = solver(points, initial)
        times_ms.append(1e3 * (time.perf_counter() - start))
        errors_mm.append(float(target_errors_mm(pose, T_TRUE, targets).max()))
    return times_ms, errors_mm


def _prepared(what: str, make: Callable[[], object]) -> object:
    start = time.perf_counter()
    made = make()
    print(f"prepared before the operation: {what}, {time.perf_counter() - start:.2f} s")
    return made


def _ours(field: object) -> Solver:
    return lambda points, initial: refine_on_surface(points, field, initial).T_reference_ct


def _moved(initial: Transform, T_ct_moved: np.ndarray) -> Transform:
    """The pose from a rival's result. Rivals start from the identity, with the points mapped to ct by `initial`."""
    return initial @ Transform(T_ct_moved, "ct", "ct").inverse()


def _rigid(matrix: np.ndarray) -> np.ndarray:
    """The matrix with its nearest rotation, since some rivals return single precision."""
    u, _, vt = np.linalg.svd(matrix[:3, :3])
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = u @ vt, matrix[:3, 3]
    return result


def _small_gicp(body: Surface) -> dict[str, Solver]:
    import small_gicp

    def prepare() -> tuple[object, object]:
        return small_gicp.preprocess_points(body.vertices_mm, downsampling_resolution=1.0, num_threads=2)

    target, tree = _prepared("small_gicp's target", prepare)

    def solver(kind: str) -> Solver:
        def solve(points: np.ndarray, initial: Transform) -> Transform:
            source, _ = small_gicp.preprocess_points(
                initial.inverse().apply(points), downsampling_resolution=0.25, num_threads=2
            )
            found = small_gicp.align(
                target,
                source,
                tree,
                registration_type=kind,
                max_correspondence_distance=SEARCH_MM,
                num_threads=2,
                max_iterations=60,
            )
            return _moved(initial, _rigid(found.T_target_source))

        return solve

    return {f"small_gicp, {kind}": solver(kind) for kind in ("PLANE_ICP", "GICP")}


def _open3d(body: Surface) -> dict[str, Solver]:
    import open3d as o3d

    pipeline = o3d.pipelines.registration
    target = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array(body.vertices_mm)))
    target.normals = o3d.utility.Vector3dVector(np.array(body.vertex_normals()))

    def solver(kernel: object) -> Solver:
        estimation = pipeline.TransformationEstimationPointToPlane(*([] if kernel is None else [kernel]))
        criteria = pipeline.ICPConvergenceCriteria(max_iteration=60)

        def solve(points: np.ndarray, initial: Transform) -> Transform:
            source = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array(initial.inverse().apply(points))))
            found = pipeline.registration_icp(source, target, SEARCH_MM, np.eye(4), estimation, criteria)
            return _moved(initial, _rigid(np.asarray(found.transformation)))

        return solve

    return {"Open3D, point to plane": solver(None), "Open3D, with Tukey": solver(pipeline.TukeyLoss(k=3.0))}


def _vtk(body: Surface) -> Solver:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkIterativeClosestPointTransform, vtkPolyData

    def polydata(points: np.ndarray, triangles: np.ndarray | None = None) -> vtkPolyData:
        data, places = vtkPolyData(), vtkPoints()
        places.SetData(numpy_to_vtk(np.ascontiguousarray(points), deep=True))
        data.SetPoints(places)
        if triangles is not None:
            cells = vtkCellArray()
            ids = triangles.astype(np.int64).ravel()
            offsets = np.arange(0, triangles.size + 1, 3)
            cells.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(ids, deep=True))
            data.SetPolys(cells)
        return data

    target = polydata(body.vertices_mm, body.triangles)

    def solve(points: np.ndarray, initial: Transform) -> Transform:
        icp = vtkIterativeClosestPointTransform()
        icp.SetSource(polydata(initial.inverse().apply(points)))
        icp.SetTarget(target)
        icp.GetLandmarkTransform().SetModeToRigidBody()
        icp.SetMaximumNumberOfLandmarks(2000)
        icp.SetMaximumNumberOfIterations(100)
        icp.SetMaximumMeanDistance(0.001)
        icp.CheckMeanDistanceOn()
        icp.Modified()
        icp.Update()
        matrix = icp.GetMatrix()
        return _moved(initial, np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)]))

    return solve


def _torso() -> None:
    """Times building and loading the distance field of a torso's skin at 2 mm."""
    import tempfile

    torso = _torso_surface()
    start = time.perf_counter()
    grid = DistanceGrid.from_surface(torso)
    built_s = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "torso.grid"
        grid.save(path)
        start = time.perf_counter()
        DistanceGrid.load(path, torso)
        loaded_s = time.perf_counter() - start
        size_mb = path.stat().st_size / 1e6
    extent = " x ".join(f"{edge:.0f}" for edge in np.ptp(torso.bounds_mm, axis=0))
    print(
        f"\ndistance field of a torso ({extent} mm, {len(torso.triangles):,} triangles) at {grid.spacing_mm:g} mm: "
        f"built in {built_s:.2f} s, {grid.node_count:,} nodes, {size_mb:.0f} MB, loaded in {loaded_s:.2f} s"
    )


def _torso_surface() -> Surface:
    """The skin of the torso phantom at 1.5 mm: everything denser than air, filled; the triangles are not simplified."""
    from scipy.ndimage import binary_fill_holes

    from geometry import Volume
    from reconstruction.phantom.torso import make_torso_phantom
    from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surface_from_labels

    scan = make_torso_phantom(None, np.random.default_rng(0)).ct
    inside = np.stack([binary_fill_holes(plane) for plane in scan.voxels > -400]).astype(np.uint8)
    settings = LabelSurfaceSettings(max_triangles=200_000)
    return surface_from_labels(Volume(inside, scan.affine, scan.frame), 1, "skin", settings).surface


if __name__ == "__main__":
    main()
