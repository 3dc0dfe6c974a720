"""Surfaces from probabilities beside 3D Slicer's surfaces from labels: time and true error, in one run.

The eight structures of the torso phantom have true surfaces that are known by formula. Ours: flying edges on each
structure's cropped probability field, then fast-simplification with a measured error. Slicer's: discrete flying edges
on the structure's label, windowed sinc smoothing, and quadric decimation to the same number of triangles.

    python benchmarks/reconstruction/bench_probability_surfaces.py [--spacing 1.0]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import erf
from slicers_smoothing import slicers_smoothing

from geometry import Surface, Volume
from reconstruction.phantom.anatomy import build_anatomy
from reconstruction.phantom.shapes import FAR_MM, signed_distance_mm
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface
from reconstruction.surfaces.simplification import simplify_surface

NAMES = ("lung", "liver", "bone", "aorta", "vena_cava", "kidneys", "spleen", "heart")
SIGMA_MM = 0.7
EXTENT_MM = (340.0, 260.0, 300.0)
KEEP = 0.25  # share of the triangles that is kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spacing", type=float, default=1.0, help="mm")
    spacing = parser.parse_args().spacing
    shapes = build_anatomy()
    axes = [(np.arange(n) - (n - 1) / 2) * spacing for n in (round(e / spacing) for e in EXTENT_MM)]
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = [axis[0] for axis in axes]
    grid = tuple(len(axis) for axis in axes[::-1])
    print(f"grid {grid[::-1]}, {spacing} mm, {len(NAMES)} structures, {KEEP:.0%} of the triangles kept\n")

    print(f"{'':12}{'triangles':>11}  | {'ours: extract':>13} {'simplify':>9} {'p95 mm':>8} {'tight':>6}"
          f" | {'Slicer: contour':>15} {'smooth':>7} {'decimate':>9} {'p95 mm':>8} {'tight':>6}")  # fmt: skip
    _warm_up(affine)
    totals = np.zeros(2)
    for name in NAMES:
        probability = _probability(shapes[name], axes, grid, affine)
        made, extract_s = _timed(partial(extract_surface, probability, name, SurfaceSettings(smallest_part_ml=0.0)))
        wish = round(len(made.surface.triangles) * KEEP)
        (ours, _), simplify_s = _timed(partial(simplify_surface, made.surface, wish))
        slicers, seconds = _slicers_way(probability, name, KEEP)
        errors = [_p95_mm(shapes[name], surface, axes) for surface in (ours, slicers)]
        totals += [extract_s + simplify_s, sum(seconds)]
        print(f"{name:12}{len(ours.triangles):11,}  | {extract_s:11.2f} s {simplify_s:7.2f} s {errors[0]:8.3f}"
              f" {ours.is_watertight!s:>6} | {seconds[0]:13.2f} s {seconds[1]:5.2f} s {seconds[2]:7.2f} s"
              f" {errors[1]:8.3f} {slicers.is_watertight!s:>6}")  # fmt: skip
    print(f"\nours {totals[0]:.2f} s, measured error included; Slicer's way {totals[1]:.2f} s: "
          f"{totals[1] / totals[0]:.1f} times as long")  # fmt: skip


def _warm_up(affine: Any) -> None:
    """Runs both sides once, so that neither is timed with its imports."""
    ball = np.zeros((24, 24, 24), dtype=np.float32)
    ball[4:20, 4:20, 4:20] = 1.0
    small = Volume(ball, affine)
    simplify_surface(extract_surface(small, "box").surface, 1000)
    _slicers_way(small, "box", KEEP)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _probability(shape: Any, axes: list[Any], grid: tuple[int, ...], affine: Any) -> Volume:
    """Probability from the share of the point spread that lies inside the shape; exact for planes."""
    field = np.full(grid, FAR_MM, dtype=np.float32)
    window, values = shape.on_grid(axes)
    field[window] = values
    near = np.abs(field) < 6.0
    share = (field < 0).astype(np.float32)
    share[near] = 0.5 - 0.5 * erf(field[near] / (np.sqrt(2.0) * SIGMA_MM))
    return Volume(share, affine)


def _slicers_way(probability: Volume, name: str, keep: float) -> tuple[Surface, list[float]]:
    labels = probability.with_voxels((probability.voxels >= 0.5).astype(np.uint8))
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkQuadricDecimation

    image = vtkImageData()
    image.SetDimensions(*labels.shape_ijk)
    image.SetSpacing(*labels.spacing_mm)
    image.SetOrigin(*labels.origin_mm)
    image.GetPointData().SetScalars(numpy_to_vtk(labels.voxels.reshape(-1), deep=False))
    contour, smooth = slicers_smoothing(image, 1)
    decimate = vtkQuadricDecimation()
    decimate.SetInputConnection(smooth.GetOutputPort())
    decimate.SetTargetReduction(1.0 - keep)
    seconds = [_timed(stage.Update)[1] for stage in (contour, smooth, decimate)]
    output = decimate.GetOutput()
    triangles = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    vertices = vtk_to_numpy(output.GetPoints().GetData()).astype(np.float64)
    return Surface(vertices, triangles, labels.frame, name), seconds


def _p95_mm(shape: Any, surface: Surface, axes: list[Any]) -> float:
    """95th percentile of the vertices' true error, without those near the scan's border, where structures are cut."""
    last = np.array([axis[-1] for axis in axes]) - 4.0
    vertices = surface.vertices_mm[(np.abs(surface.vertices_mm) < last).all(axis=1)][::7]
    return float(np.percentile(np.abs(signed_distance_mm(shape, vertices)), 95))


if __name__ == "__main__":
    main()
