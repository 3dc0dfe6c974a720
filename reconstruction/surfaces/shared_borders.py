"""Surfaces of touching structures that share their common border: no gap and no overlap between them.

Structures cut out one by one meet at their borders only nearly: each is smoothed without the other. Here all of them
come from one net of vertices, one in each cell that a border crosses (surface nets, Gibson, MICCAI 1998; many labels at
once: Frisken, JCGT 11(1), 2022), smoothed as a whole. Two neighbours then hold the very same triangles, wound in
opposite directions.

The net's vertices may leave the middle of their cell by half a voxel, not more. The low-pass that moves them is that of
`staircase`: surface nets' own relaxation shrinks a sphere of 8 mm by 8 % of its volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Floats, Triangles
from geometry.volume import Volume
from reconstruction.surfaces.staircase import PASS_BAND, WEAK_DEGREE, neighbour_mean, windowed_sinc

_REACH = 0.498  # of a voxel, short of the cell's faces


def shared_net(
    labels: Volume, box: tuple[slice, slice, slice], names: Mapping[int, str]
) -> tuple[Floats, dict[int, Triangles]]:
    """One set of vertices in voxel indices ``(n, 3)``, and for each value its triangles, outward, over all of them.

    Args:
        box: slices (k, j, i) that hold all the values; what lies beyond counts as no structure.
        names: the values wanted; all others count as no structure.
    """
    values = list(names)
    dense = np.zeros(max(values) + 1, dtype=np.uint16)  # surface nets are fastest on values without holes
    dense[values] = np.arange(1, len(values) + 1)
    voxels: NDArray[Any] = labels.voxels[box]
    block = np.pad(dense[np.where((voxels > 0) & (voxels < len(dense)), voxels, 0)], 1)
    cells_ijk, triangles, sides = _surface_nets(block, len(values))
    start_mm = (cells_ijk * labels.spacing_mm).astype(np.float32)
    centre_mm = start_mm.mean(axis=0)
    both_ways = np.concatenate([triangles, triangles[:, ::-1]])
    neighbours = neighbour_mean(both_ways, len(start_mm))
    (smooth_mm,) = windowed_sinc(start_mm - centre_mm, neighbours, PASS_BAND, (WEAK_DEGREE,))
    moved = (smooth_mm + centre_mm) / labels.spacing_mm - cells_ijk
    vertices = cells_ijk + np.clip(moved, -_REACH, _REACH) + [part.start - 1 for part in box[::-1]]
    return vertices, {value: _of_label(triangles, sides, row) for row, value in enumerate(values, start=1)}


def _of_label(triangles: Triangles, sides: NDArray[Any], label: int) -> Triangles:
    """A triangle's winding looks from its first side to its second."""
    return np.concatenate([triangles[sides[:, 0] == label], triangles[sides[:, 1] == label][:, ::-1]])


def _surface_nets(block: NDArray[np.uint16], labels: int) -> tuple[Floats, Triangles, NDArray[Any]]:
    """Cell centres (i, j, k), triangles, and the two labels on either side of each triangle."""
    with from_extra("reconstruction"):
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkFiltersCore import vtkSurfaceNets3D

    image = vtkImageData()
    image.SetDimensions(*block.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(block.reshape(-1), deep=False))
    nets = vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.GenerateLabels(labels, 1, labels)
    nets.SetBackgroundLabel(0)
    nets.SmoothingOff()
    nets.SetOutputMeshTypeToTriangles()
    nets.Update()
    mesh = nets.GetOutput()
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int32)
    sides = vtk_to_numpy(mesh.GetCellData().GetArray("BoundaryLabels")).astype(np.int64)
    return vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64), triangles, sides
