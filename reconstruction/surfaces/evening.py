"""Smooths a mask's surface after its staircase was removed, keeping every voxel centre on its side.

Vertices that may only run along their grid edges crowd around some voxel centres and leave slivers between them, whose
normals point anywhere: that is what is seen as roughness. Here they may leave their edges by up to half a voxel.
Sideways each goes towards the middle of its neighbours, as in constrained elastic surface nets (Gibson, MICCAI 1998).
Outwards it goes where its neighbours' curvature asks it to be, so a sphere stays one and does not shrink, as under
Laplacian smoothing it would. The plane through each vertex keeps apart the two voxel centres that its edge joins.

A plane is not the whole surface, so in the end the voxel centres beside the surface are asked on which side they lie.
Around those that have changed it, vertices return to their edges, where no centre can change sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Bools, Floats, Singles, Triangles
from reconstruction.surfaces.staircase import neighbour_mean, unit_normals

STEPS = 6
_SHARE = 0.5  # of each step that is gone
_APART = 0.9  # of the way from a vertex' plane to the nearer voxel centre
_REACH = 0.498  # of a voxel, along each axis
# Of a voxel, from where the staircase's filter has put the surface: flat faces would bulge beside sharp rims.
_OUTWARD = 0.04
_INWARD = 0.1
# How much of the way off their edges vertices keep, and how many rings of neighbours with them, each time that voxel
# centres turn out to have changed sides.
_RETREATS = ((0.6, 0), (0.6, 0), (0.5, 1), (0.5, 1), (0.0, 1), (0.0, 2), (0.0, 4), (0.0, 8))
_BESIDE = 5e-4  # voxels: rays from just beside the centre, on either side, hit no edge of the surface


@dataclass(frozen=True)
class _Cage:
    """What holds each vertex: the middle of its grid edge, how far it may go from there, where on its edge it was."""

    middle_mm: Singles
    reach_mm: Singles
    on_edge_mm: Singles
    along: NDArray[np.intp]
    half_edge_mm: Singles


def evened_within_voxels(
    mask: NDArray[np.uint8], middles_ijk: Floats, on_edges_ijk: Floats, triangles: Triangles, spacing_mm: Floats
) -> Floats:
    """Vertices within half a voxel of the middle of their edges; every voxel centre stays on its side.

    Args:
        mask: ``(nk, nj, ni)``, 1 inside; the outermost layer is empty.
        middles_ijk: ``(n, 3)`` voxel indices of the mask: where marching cubes has put the vertices.
        on_edges_ijk: ``(n, 3)`` the same vertices moved along their edges, see `staircase`; one that lies exactly in
            the middle of a cap's edge stays there.
        triangles: ``(m, 3)``, outward.
        spacing_mm: along i, j, k.

    Returns:
        ``(n, 3)`` voxel indices.
    """
    centre = middles_ijk.mean(axis=0)
    along = np.abs(middles_ijk - np.round(middles_ijk)).argmax(axis=1)
    reach = np.where((middles_ijk == on_edges_ijk).all(axis=1), 0.0, _REACH)[:, None] * spacing_mm
    cage = _Cage(
        ((middles_ijk - centre) * spacing_mm).astype(np.float32),
        reach.astype(np.float32),
        ((on_edges_ijk - centre) * spacing_mm).astype(np.float32),
        along,
        (0.5 * spacing_mm[along]).astype(np.float32),
    )
    neighbours = neighbour_mean(triangles, len(middles_ijk))
    moved_mm = cage.on_edge_mm
    for _ in range(STEPS):
        moved_mm = _step(moved_mm, triangles, neighbours, cage)
    moved = np.where(reach > 0.0, moved_mm / spacing_mm + centre, on_edges_ijk)
    return _every_centre_on_its_side(mask, (middles_ijk, along), on_edges_ijk, moved, triangles, neighbours)


def _step(mm: Singles, triangles: Triangles, neighbours: Any, cage: _Cage) -> Singles:
    normals = unit_normals(mm, triangles)
    squares = np.einsum("ij,ij->i", mm, mm)
    means = neighbours @ np.column_stack([mm, squares])
    towards = means[:, :3] - mm
    height = np.einsum("ij,ij->i", towards, normals)  # of the neighbours' middle above the vertex: half its curvature
    spread = means[:, 3] - 2.0 * np.einsum("ij,ij->i", means[:, :3], mm) + squares  # mean squared distance to them
    curvature = neighbours @ (height / np.maximum(spread, 1e-6))
    outward = _SHARE * (height - curvature * spread) - _SHARE * height
    moved = mm + _SHARE * towards + outward[:, None] * normals
    slope = np.abs(normals[np.arange(len(mm)), cage.along]) * (cage.reach_mm[:, 0] > 0.0) * cage.half_edge_mm
    off = np.einsum("ij,ij->i", moved - cage.middle_mm, normals)
    was = np.einsum("ij,ij->i", cage.on_edge_mm - cage.middle_mm, normals)
    least = np.maximum(-_APART * slope, was - 2.0 * _INWARD * slope)
    most = np.minimum(_APART * slope, was + 2.0 * _OUTWARD * slope)
    moved += (np.clip(off, least, most) - off)[:, None] * normals
    return np.clip(moved, cage.middle_mm - cage.reach_mm, cage.middle_mm + cage.reach_mm).astype(np.float32)


def _every_centre_on_its_side(
    mask: NDArray[np.uint8],
    edges: tuple[Floats, NDArray[np.intp]],
    on_edges: Floats,
    moved: Floats,
    triangles: Triangles,
    neighbours: Any,
) -> Floats:
    """Takes vertices back to their edges around voxel centres that have changed sides."""
    middles, along = edges
    rows = np.arange(len(middles))
    centres = np.repeat(np.round(middles).astype(np.int64)[:, None], 2, axis=1)
    low = np.floor(middles[rows, along]).astype(np.int64)
    centres[rows, 0, along], centres[rows, 1, along] = low, low + 1
    flat = np.ravel_multi_index(tuple(np.moveaxis(centres, -1, 0)[::-1]), mask.shape)
    places, of_vertex = np.unique(flat, return_inverse=True)
    of_vertex = of_vertex.reshape(flat.shape)
    points = np.stack(np.unravel_index(places, mask.shape)[::-1], axis=1)
    truth = mask.reshape(-1)[places] > 0
    asked = np.arange(len(places))
    for kept, rings in _RETREATS:
        wrong = np.zeros(len(places), bool)
        wrong[asked] = (_inside(moved, triangles, points[asked]) != truth[asked, None]).any(axis=1)
        if not wrong.any():
            break
        near = np.asarray(wrong[of_vertex].any(axis=1))
        for _ in range(rings):
            near = near | (neighbours @ near.astype(np.float32) > 0.0)
        moved = np.where(near[:, None], on_edges + kept * (moved - on_edges), moved)
        asked = np.unique(of_vertex[near | (neighbours @ near.astype(np.float32) > 0.0)])
    return moved


def _inside(vertices: Floats, triangles: Triangles, points: NDArray[np.int64]) -> Bools:
    """Whether just before and just after each point ``(n, 2)`` is inside."""
    with from_extra("reconstruction"):
        import open3d

    centre = vertices.mean(axis=0)
    scene = open3d.t.geometry.RaycastingScene()
    tensor = open3d.core.Tensor.from_numpy
    scene.add_triangles(tensor((vertices - centre).astype(np.float32)), tensor(triangles.astype(np.uint32)))
    beside = (points - centre)[:, None] + np.array([[-_BESIDE], [_BESIDE]])
    return np.asarray(scene.compute_occupancy(tensor(beside.astype(np.float32))).numpy() > 0.5)
