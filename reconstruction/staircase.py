"""Takes the staircase off a mask's surface, without leaving what the mask allows.

The surface of a mask from marching cubes has each vertex in the middle of the grid edge that the border crosses; the
true crossing lies anywhere on that edge. A windowed-sinc filter (Taubin, Zhang & Golub, ECCV 1996), which passes low
frequencies unchanged and so does not shrink, says how far along its edge each vertex should go. Two strengths are used:
the strong one removes wider terraces, but rings at thin rims. It gives itself away there, since it asks vertices to
leave their edges; around those the weak one is taken. In the end every vertex stays on its edge: the idea of
constrained elastic surface nets (Gibson, MICCAI 1998), whose own relaxation shrinks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Triangles = NDArray[np.int32]

# Slicer's pass band at its default smoothing of 0.5. More iterations make the filter's edge sharper, not only lower.
PASS_BAND = 0.01
WEAK_ITERATIONS = 20
STRONG_ITERATIONS = 40

# The strong filter is mistrusted where it asks for more than this share of a voxel; 0.5 is what the mask allows. Of 0.4
# to 0.6, 0.6 had the least error on shapes known by formula, over random positions.
_MISTRUST = 0.6
_RINGS = 2  # of neighbours that mistrust spreads to, and over as many more it fades

# A normal that is nearly across its edge would send the vertex far along it for a small step outward.
_LEAST_SLOPE = 0.2

# Short of the voxel's centre: vertices of edges that meet there would fall together.
_REACH = 0.498


def smoothed_within_voxels(
    vertices_ijk: Floats, triangles: Triangles, spacing_mm: Floats, shape_ijk: tuple[int, int, int]
) -> Floats:
    """Moves each vertex along its grid edge, by less than half a voxel.

    Args:
        vertices_ijk: ``(n, 3)`` voxel indices, each in the middle of a grid edge: two whole numbers and one half.
        triangles: ``(m, 3)``.
        spacing_mm: along i, j, k; smoothness is judged in mm.
        shape_ijk: of the grid. Vertices of a cap, beyond the outermost voxel centres, stay where they are.

    Returns:
        ``(n, 3)`` voxel indices.
    """
    along = np.abs(vertices_ijk - np.round(vertices_ijk)).argmax(axis=1)
    corners_mm = vertices_ijk * spacing_mm
    weak = _windowed_sinc(corners_mm, triangles, WEAK_ITERATIONS)
    strong = _windowed_sinc(corners_mm, triangles, STRONG_ITERATIONS)
    edge_mm = spacing_mm[along]
    steps = _step_along_edge(corners_mm, strong, triangles, along) / edge_mm
    weak_steps = _step_along_edge(corners_mm, weak, triangles, along) / edge_mm
    mistrust = _spread(np.abs(steps) > _MISTRUST, triangles)
    steps += mistrust * (weak_steps - steps)
    beyond = ((vertices_ijk < 0.0) | (vertices_ijk > np.array(shape_ijk) - 1.0)).any(axis=1)
    steps[beyond] = 0.0
    moved = vertices_ijk.copy()
    moved[np.arange(len(moved)), along] += np.clip(steps, -_REACH, _REACH)
    return moved


def _windowed_sinc(vertices_mm: Floats, triangles: Triangles, iterations: int) -> Floats:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

    coordinates = np.ascontiguousarray(vertices_mm, dtype=np.float32)
    connectivity = np.ascontiguousarray(triangles.reshape(-1), dtype=np.int64)
    points, cells, mesh = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(coordinates))
    cells.SetData(3, numpy_to_vtkIdTypeArray(connectivity))
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(mesh)
    smooth.SetNumberOfIterations(iterations)
    smooth.SetPassBand(PASS_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    return vtk_to_numpy(smooth.GetOutput().GetPoints().GetData()).astype(np.float64)


def _step_along_edge(start_mm: Floats, smooth_mm: Floats, triangles: Triangles, along: NDArray[np.intp]) -> Floats:
    """How far along its edge each vertex meets the smooth surface's tangent plane, ``(n,)`` mm."""
    normals = _unit_normals(smooth_mm, triangles)
    outward = np.einsum("ij,ij->i", smooth_mm - start_mm, normals)
    slope = normals[np.arange(len(along)), along]
    return outward / np.copysign(np.maximum(np.abs(slope), _LEAST_SLOPE), slope)


def _unit_normals(vertices_mm: Floats, triangles: Triangles) -> Floats:
    a, b, c = (vertices_mm[triangles[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)
    normals = np.empty_like(vertices_mm)
    corners = triangles.reshape(-1)
    for axis in range(3):
        normals[:, axis] = np.bincount(corners, np.repeat(areas[:, axis], 3), len(vertices_mm))
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, lengths, out=normals, where=lengths > 0)


def _spread(marked: NDArray[np.bool_], triangles: Triangles) -> NDArray[Any]:
    """1 at the marked vertices and `_RINGS` of neighbours, fading to 0 over as many more."""
    level = np.where(marked, 2.0 * _RINGS + 1.0, 0.0)
    for _ in range(2 * _RINGS):
        highest = level[triangles].max(axis=1) - 1.0
        for corner in range(3):
            np.maximum.at(level, triangles[:, corner], highest)
    return np.clip(level / (_RINGS + 1.0), 0.0, 1.0)
