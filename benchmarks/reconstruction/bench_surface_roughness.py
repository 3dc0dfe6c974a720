"""Roughness and accuracy of surfaces from labels before simplification, beside VTK's smoothers in the same run.

On shapes known by formula, at 1 mm: the angle between neighbouring triangles, the distance of the surface to the true
one, and its volume relative to the label's. ``--labels`` adds the structures of a real segmentation, without a truth.

    python benchmarks/reconstruction/bench_surface_roughness.py [--labels FILE.nii.gz] [--values 5,52]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from slicers_smoothing import slicers_smoothing

from geometry import Surface, Volume
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.surfaces.extract import flying_edges
from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surface_from_labels
from reconstruction.surfaces.staircase import smoothed_within_voxels
from tests.reconstruction.shapes import SHAPES, centre_of, straight, turned, voxel_centres_mm

Maker = Callable[[Volume], Surface]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, help="NIfTI labels to be measured too")
    parser.add_argument("--values", default="", help="which of its values, by commas; all by default")
    options = parser.parse_args()
    print(f"{'':16}{'':22}{'degrees: median':>16}{'95 %':>7}{'mm: 95 %':>10}{'at most':>9}{'volume':>9}")
    for name in SHAPES:
        distance = turned(SHAPES[name])
        grid = straight(n=64)
        centre = centre_of(grid, 0.31)
        mask = (distance(voxel_centres_mm(grid), centre) < 0.0).reshape(grid.voxels.shape)
        _measure(name, grid.with_voxels(mask), lambda p, d=distance, c=centre: d(p, c))
    if options.labels is not None:
        labels = read_nifti_volume(options.labels)
        wanted = [int(v) for v in options.values.split(",") if v] or [int(v) for v in np.unique(labels.voxels) if v]
        for value in wanted:
            _measure(f"label {value}", labels.with_voxels(labels.voxels == value), None)


def _measure(name: str, mask: Volume, truth: Callable[[Any], Any] | None) -> None:
    label_ml = float(mask.voxels.sum()) * mask.voxel_volume_ml
    for kind, maker in MAKERS.items():
        surface = maker(mask)
        degrees = _dihedral_degrees(surface)
        row = f"{name:16}{kind:22}{np.median(degrees):16.2f}{np.percentile(degrees, 95):7.1f}"
        if truth is not None:
            errors = np.abs(truth(_on_area(surface)))
            row += f"{np.percentile(errors, 95):10.3f}{errors.max():9.3f}"
        else:
            row += f"{'-':>10}{'-':>9}"
        print(f"{row}{abs(surface.volume_ml) / label_ml - 1.0:+9.2%}", flush=True)


def _ours(mask: Volume) -> Surface:
    return surface_from_labels(mask, 1, "s", LabelSurfaceSettings(smallest_part_ml=0.0)).surface


def _on_grid_edges(mask: Volume) -> Surface:
    """Our surface without the last smoothing step, so that its vertices lie on the grid's edges."""
    vertices, triangles = flying_edges(np.pad(mask.voxels, 1).view(np.uint8), 0.5)
    ijk = smoothed_within_voxels(vertices - 1.0, triangles, mask.spacing_mm, mask.shape_ijk)
    return Surface(mask.index_to_mm(ijk), triangles, mask.frame, "s")


def _vtks(mask: Volume, make: Callable[[Any], Any]) -> Surface:
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData

    padded = np.pad(mask.voxels, 1).astype(np.uint8)
    image = vtkImageData()
    image.SetDimensions(*padded.shape[::-1])
    image.SetSpacing(*mask.spacing_mm)
    image.GetPointData().SetScalars(numpy_to_vtk(padded.reshape(-1), deep=True))
    mesh = make(image)
    ijk = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64) / mask.spacing_mm - 1.0
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(mask.index_to_mm(ijk), triangles, mask.frame, "s")


def _windowed_sinc(image: Any) -> Any:
    """The surface as 3D Slicer makes it: discrete flying edges, then windowed sinc smoothing."""
    _, smooth = slicers_smoothing(image, 1)
    smooth.Update()
    return smooth.GetOutput()


def _surface_nets(image: Any) -> Any:
    from vtkmodules.vtkFiltersCore import vtkSurfaceNets3D

    nets = vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.GenerateLabels(1, 1, 1)
    nets.SetBackgroundLabel(0)
    nets.SetOutputMeshTypeToTriangles()
    nets.Update()
    return nets.GetOutput()


MAKERS: dict[str, Maker] = {
    "ours": _ours,
    "ours, on grid edges": _on_grid_edges,
    "VTK, windowed sinc": lambda mask: _vtks(mask, _windowed_sinc),
    "VTK, surface nets": lambda mask: _vtks(mask, _surface_nets),
}


def _dihedral_degrees(surface: Surface) -> Any:
    corners = surface.vertices_mm[surface.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    edges = np.sort(np.concatenate([surface.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    order = np.lexsort(edges.T)
    same = np.flatnonzero((edges[order][1:] == edges[order][:-1]).all(axis=1))
    one, other = order[same] % len(normals), order[same + 1] % len(normals)
    return np.degrees(np.arccos(np.clip((normals[one] * normals[other]).sum(axis=1), -1.0, 1.0)))


def _on_area(surface: Surface, count: int = 50_000) -> Any:
    """Points ``(count, 3)`` distributed uniformly over the surface's area."""
    rng = np.random.default_rng(1)
    a, b, c = surface.vertices_mm[surface.triangles].transpose(1, 0, 2)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = rng.choice(len(areas), count, p=areas / areas.sum())
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    return a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]


if __name__ == "__main__":
    main()
