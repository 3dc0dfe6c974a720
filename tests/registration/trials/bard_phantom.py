"""BARD's pelvis phantom: the fiducials in its CT's mesh, its own list of four of them, and its recorded ArUco tracking.

The phantom is a pelvis on a plate among posts. Each post ends in a pin with a dome, and carries a bead: in the mesh, a
closed surface inside the pin. BARD lists four of them, picked in the CT by hand, and gives a second list whose z it
shifted. Nobody touched a fiducial in its video: pointer and reference lie side by side on a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# A bead is a cavity: a closed surface wound inwards, as thick as it is wide.
BEAD_ML, BEAD_MM = (0.045, 0.1), (3.0, 6.5)
POST_MM, LEAST_HEIGHT_MM = (17.0, 21.5), 50.0  # posts stand along y; two are cut by the first slice


@dataclass(frozen=True)
class Fiducial:
    """The bead's centre of volume, and the tip: where the bead's axis, along y, leaves the dome; ``(3,)`` each."""

    bead_ct: np.ndarray
    tip_ct: np.ndarray


def read_mesh(folder: Path) -> list[trimesh.Trimesh]:
    """The parts of the phantom's mesh, largest first."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOLegacy import vtkPolyDataReader

    reader = vtkPolyDataReader()
    reader.SetFileName(str(folder / "DecimatedPelvis" / "DeciPelvis.vtk"))
    reader.Update()
    data = reader.GetOutput()
    vertices = vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64)
    triangles = vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices), len(vertices)))
    _, part = connected_components(graph, directed=False)
    part_of_triangle = part[triangles[:, 0]]
    order = np.argsort(-np.bincount(part_of_triangle), kind="stable")
    parts = [trimesh.Trimesh(vertices, triangles[part_of_triangle == number], process=False) for number in order]
    for mesh in parts:
        mesh.remove_unreferenced_vertices()
    return [mesh for mesh in parts if len(mesh.faces)]


def find_fiducials(parts: list[trimesh.Trimesh]) -> list[Fiducial]:
    """Every bead inside a post, from the mesh alone."""
    posts = [mesh for mesh in parts if _is_post(mesh)]
    found = []
    for mesh in parts:
        if not _is_bead(mesh):
            continue
        centre = mesh.center_mass
        for post in posts:
            low, high = post.bounds
            if ((centre > low) & (centre < high)).all():
                found.append(Fiducial(centre, _tip(post, centre)))
    return sorted(found, key=lambda fiducial: tuple(fiducial.bead_ct))


def _is_bead(mesh: trimesh.Trimesh) -> bool:
    if not mesh.is_watertight:
        return False
    inside_ml, size = -mesh.volume / 1000.0, mesh.extents
    return BEAD_ML[0] < inside_ml < BEAD_ML[1] and size.min() > BEAD_MM[0] and size.max() < BEAD_MM[1]


def _is_post(mesh: trimesh.Trimesh) -> bool:
    width, height, depth = mesh.extents
    low, high = POST_MM
    return low < width < high and low < depth < high and height > LEAST_HEIGHT_MM


def _tip(post: trimesh.Trimesh, bead: np.ndarray) -> np.ndarray:
    """A parabola through the dome's vertices within 3 mm of the axis; the mesh's triangles there are 2 mm wide."""
    x, y, z = (post.vertices - bead).T
    near = (np.hypot(x, z) < 3.0) & (y > 0.0)
    columns = np.stack([np.ones(near.sum()), x[near], z[near], x[near] ** 2 + z[near] ** 2], axis=1)
    height, *_ = np.linalg.lstsq(columns, y[near], rcond=None)[0]
    return bead + [0.0, height, 0.0]


def read_listed(folder: Path) -> np.ndarray:
    """BARD's own fiducials ``(4, 3)``, as picked in the CT."""
    return np.loadtxt(folder / "PelvisPhantom" / "CT_Fiduicial_Markers.txt")


def read_shifted(folder: Path) -> np.ndarray:
    """BARD's second list ``(4, 3)``: the same x and y, and another z."""
    return np.loadtxt(folder / "CT_Fiduicial_Markers_shifted.txt")
