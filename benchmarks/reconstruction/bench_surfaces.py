"""Eight structures from labels to simplified surfaces, beside 3D Slicer's method: time and true error, in one run.

The labels (512 x 512 x 400 voxels of 1 mm) hold spheres, ellipsoids, tori, a thin plate and a rod, whose true surfaces
are known by formula.

Ours is `surfaces_from_labels`: cropping, smoothing within the voxels, and fast-simplification with a measured error.
Slicer's is, for each structure, discrete flying edges on the whole grid, windowed sinc smoothing (with its default of
0.5), and decimation to the same number of triangles by ``vtkQuadricDecimation`` and by ``vtkDecimatePro``, without a
measured error. Both sides run in turn, several times; the shortest time of each stage counts, since other work on the
machine only adds time.

    python benchmarks/reconstruction/bench_surfaces.py [--scale 1.0] [--max-triangles 12000] [--repeats 3]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation
from slicers_smoothing import slicers_smoothing

from geometry import Surface, Volume
from reconstruction.surfaces import simplification
from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surface_from_labels, surfaces_from_labels

Distance = Callable[[Any], Any]
STAGES = ("contour", "smooth", "quadric", "pro")
TURN = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the grid and of every shape")
    parser.add_argument("--max-triangles", type=int, default=12_000, help="per structure")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    shapes = _shapes(options.scale)
    labels, truths = _labels(shapes, options.scale)
    names = {value: name for value, (name, _) in enumerate(shapes, start=1)}
    _warm_up()

    settings = LabelSurfaceSettings(max_triangles=options.max_triangles)
    measuring_s = _clocked_measuring()
    made: dict[str, Any] = {}
    ours_s, runs = [], []
    for _ in range(options.repeats):
        measuring_s.append(0.0)
        ours_s.append(_timed(lambda: made.update(surfaces_from_labels(labels, names, settings))))
        runs.append({stage: [] for stage in STAGES})
        rivals: dict[str, dict[str, Surface]] = {"quadric": {}, "pro": {}}
        for value, name in names.items():
            wish = len(made[name].surface.triangles)
            for kind, surface in _slicers_way(labels, value, name, wish, runs[-1]).items():
                rivals[kind][name] = surface
    seconds = {stage: min(sum(run[stage]) for run in runs) for stage in STAGES}
    full = sum(one.simplification.triangles_before for one in made.values() if one.simplification)
    print(f"grid {labels.shape_ijk}, {len(names)} structures, {full:,} triangles before simplifying\n")
    best = int(np.argmin(ours_s))
    _report(made, (ours_s[best], measuring_s[best]), rivals, seconds, truths)


def _shapes(scale: float) -> list[tuple[str, Distance]]:
    def sphere(radius: float) -> Distance:
        return lambda p: np.linalg.norm(p, axis=-1) - radius * scale

    def ellipsoid(*axes: float) -> Distance:
        scaled = np.array(axes) * scale

        def distance(p: Any) -> Any:  # a first-order approximation, whose error at the surface is of second order
            q = p @ TURN / scaled
            norm = np.maximum(np.linalg.norm(q, axis=-1), 1e-6)
            return (norm - 1.0) * norm / np.maximum(np.linalg.norm(q / scaled, axis=-1), 1e-9)

        return distance

    def torus(ring: float, tube: float) -> Distance:
        def distance(p: Any) -> Any:
            q = p @ TURN
            return np.hypot(np.hypot(q[..., 0], q[..., 1]) - ring * scale, q[..., 2]) - tube * scale

        return distance

    def plate(half: tuple[float, float], thickness_mm: float) -> Distance:
        inner = np.array([half[0] * scale - thickness_mm / 2, half[1] * scale - thickness_mm / 2, 0.0])

        def distance(p: Any) -> Any:
            beyond = np.abs(p @ TURN) - inner
            return np.linalg.norm(np.maximum(beyond, 0.0), axis=-1) - thickness_mm / 2

        return distance

    return [
        ("sphere", sphere(60.0)),
        ("ellipsoid", ellipsoid(85.0, 55.0, 62.0)),
        ("torus", torus(60.0, 22.0)),
        ("thin plate", plate((75.0, 70.0), 3.0)),
        ("small sphere", sphere(8.0)),
        ("second ellipsoid", ellipsoid(45.0, 80.0, 50.0)),
        ("thin torus", torus(75.0, 7.0)),
        ("rod", plate((80.0, 12.0), 20.0 * scale)),
    ]


def _labels(shapes: list[tuple[str, Distance]], scale: float) -> tuple[Volume, dict[str, Distance]]:
    """Labels with one shape in each of 2 x 2 x 2 cells, none centred on a voxel; and the distance functions by name."""
    shape_ijk = [round(n * scale / 2) * 2 for n in (512, 512, 400)]
    affine = np.eye(4)
    affine[:3, 3] = (-250.0, -240.0, -900.0)
    voxels = np.zeros(shape_ijk[::-1], dtype=np.uint8)
    truths = {}
    rng = np.random.default_rng(7)
    cell = np.array(shape_ijk) // 2
    for value, (name, distance) in enumerate(shapes, start=1):
        first = np.array([(value - 1) >> axis & 1 for axis in range(3)]) * cell
        centre = first + (cell - 1) / 2 + rng.uniform(-0.5, 0.5, 3)
        for k in range(first[2], first[2] + cell[2]):  # slice by slice: 30 MB instead of 1 GB
            j, i = np.indices((cell[1], cell[0]))
            points = np.stack([i + first[0], j + first[1], np.full_like(i, k)], axis=-1) - centre
            part = voxels[k, first[1] : first[1] + cell[1], first[0] : first[0] + cell[0]]
            part[distance(points) < 0.0] = value
        truths[name] = lambda p, d=distance, c=centre + affine[:3, 3]: d(p - c)
    return Volume(voxels, affine), truths


def _warm_up() -> None:
    """Runs both sides once, so that neither is timed with its imports."""
    voxels = np.zeros((24, 24, 24), dtype=np.uint8)
    voxels[4:20, 4:20, 4:20] = 1
    small = Volume(voxels, np.eye(4))
    surface_from_labels(small, 1, "box", LabelSurfaceSettings(max_triangles=1000))
    _slicers_way(small, 1, "box", 1000, {stage: [] for stage in STAGES})


def _slicers_way(
    labels: Volume, value: int, name: str, wish: int, seconds: dict[str, list[float]]
) -> dict[str, Surface]:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkDecimatePro, vtkQuadricDecimation

    image = vtkImageData()
    image.SetDimensions(*labels.shape_ijk)
    image.SetOrigin(*labels.origin_mm)
    image.GetPointData().SetScalars(numpy_to_vtk(labels.voxels.reshape(-1), deep=False))
    contour, smooth = slicers_smoothing(image, value)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    seconds["contour"].append(_timed(contour.Update))
    seconds["smooth"].append(_timed(smooth.Update))
    reduction = 1.0 - wish / contour.GetOutput().GetNumberOfPolys()
    pro = vtkDecimatePro()
    pro.SetFeatureAngle(60.0)
    pro.SplittingOff()
    pro.PreserveTopologyOn()
    pro.SetMaximumError(1.0)
    surfaces = {}
    for kind, decimate in (("quadric", vtkQuadricDecimation()), ("pro", pro)):
        decimate.SetInputConnection(smooth.GetOutputPort())
        decimate.SetTargetReduction(reduction)
        seconds[kind].append(_timed(decimate.Update))
        surfaces[kind] = _surface(decimate.GetOutput(), name)
    return surfaces


def _surface(mesh: Any, name: str) -> Surface:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64), triangles, "ct", name)


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _p95_mm(truth: Distance, surface: Surface) -> float:
    """95th percentile of the true error at 50,000 points, uniform over the area.

    Vertices would not be: after simplification most of them lie at rims.
    """
    rng = np.random.default_rng(1)
    a, b, c = surface.vertices_mm[surface.triangles].transpose(1, 0, 2)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = rng.choice(len(areas), 50_000, p=areas / areas.sum())
    u, v = rng.random((2, 50_000, 1))
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    points = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    return float(np.percentile(np.abs(truth(points)), 95))


def _clocked_measuring() -> list[float]:
    """A list whose last item adds up the time for measuring the error of simplification, a step that Slicer lacks."""
    clocked: list[float] = []
    measure = simplification.surface_distance

    def clock(first: Surface, second: Surface) -> Any:
        start = time.perf_counter()
        distance = measure(first, second)
        clocked[-1] += time.perf_counter() - start
        return distance

    simplification.surface_distance = clock
    return clocked


def _report(made: Any, ours_s: tuple[float, float], rivals: Any, seconds: Any, truths: dict[str, Distance]) -> None:
    print(f"{'':18}{'triangles':>10} | {'p95 error mm: ours':>18} {'Slicer quadric':>15} {'Slicer pro':>11} "
          f"| {'watertight: ours':>16} {'quadric':>8} {'pro':>6}")  # fmt: skip
    errors = []
    for name, one in made.items():
        surfaces = (one.surface, rivals["quadric"][name], rivals["pro"][name])
        row = [_p95_mm(truths[name], surface) for surface in surfaces]
        errors.append(row)
        tight = [surface.is_watertight for surface in surfaces]
        print(f"{name:18}{len(one.surface.triangles):10,} | {row[0]:18.3f} {row[1]:15.3f} {row[2]:11.3f} "
              f"| {tight[0]!s:>16} {tight[1]!s:>8} {tight[2]!s:>6}")  # fmt: skip
    mean = np.mean(errors, axis=0)
    print(f"{'mean':28} | {mean[0]:18.3f} {mean[1]:15.3f} {mean[2]:11.3f}\n")
    all_s, measuring_s = ours_s
    print(f"ours    {all_s:6.2f} s, of which {measuring_s:.2f} s measure the error of simplifying")
    for kind in ("quadric", "pro"):
        total = seconds["contour"] + seconds["smooth"] + seconds[kind]
        print(f"Slicer  {total:6.2f} s = contour {seconds['contour']:.2f} + sinc {seconds['smooth']:.2f} + {kind} "
              f"{seconds[kind]:.2f}: {total / all_s:.1f} times as long as ours, {total / (all_s - measuring_s):.1f} "
              "times without measuring, which it does not do")  # fmt: skip
    print(f"peak memory of the whole run {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
