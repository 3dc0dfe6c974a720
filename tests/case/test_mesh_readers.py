"""Every format and orientation, opened by trimesh, VTK and Open3D: the same world coordinates to 1e-4 mm.

The world of STL, PLY and OBJ is the surface's frame in mm. glTF's world is metres, y up, front towards +z: there the
points are turned back by hand before they are compared.
"""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from case.mesh_files import SUFFIXES, read_surface, write_surface
from geometry import Surface, Volume
from reconstruction.ct.read import read_ct
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface
from reconstruction.surfaces.from_labels import surface_from_labels
from tests.reconstruction.shapes import oblique, straight

# float32 within 1 m of the origin: half a step is 3e-5 mm; the bar of the project.
SAME_MM = 1e-4
COLOUR = (0.6, 0.2, 0.4, 1.0)


def limb(grid: Volume) -> np.ndarray:
    """Three arms of different lengths, so that no turn or mirror image is the same."""
    voxels = np.zeros(grid.voxels.shape, np.uint8)
    voxels[8:12, 8:12, 8:30] = voxels[8:12, 8:22, 8:12] = voxels[8:17, 8:12, 8:12] = 1
    return voxels


def from_straight(_: Path) -> Surface:
    grid = straight(n=34)
    return surface_from_labels(grid.with_voxels(limb(grid)), 1, "limb").surface


def from_oblique(_: Path) -> Surface:
    grid = oblique(n=34)
    return surface_from_labels(grid.with_voxels(limb(grid)), 1, "limb").surface


def from_left_handed(folder: Path) -> Surface:
    """A NIfTI with a left-handed, turned affine, as it is read: RAS becomes LPS, the grid becomes right-handed."""
    grid = straight(n=34)
    hu = np.where(limb(grid) > 0, 400, -1000).astype(np.int16)
    affine = np.diag([-0.8, -0.9, 1.1, 1.0])[[2, 0, 1, 3]] * np.array([[1.0], [-1.0], [1.0], [1.0]])
    affine[:3, 3] = (120.0, -80.0, 400.0)
    assert np.linalg.det(affine[:3, :3]) < 0.0
    image = nibabel.Nifti1Image(hu.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, folder / "ct.nii.gz")
    made = extract_surface(
        read_ct(folder / "ct.nii.gz").volume, "limb", SurfaceSettings(level=-300.0, outside=-1000.0)
    ).surface
    low, high = ((affine @ [*ijk, 1.0])[:3] * [-1.0, -1.0, 1.0] for ijk in ((8, 8, 8), (29, 21, 16)))
    centre = made.bounds_mm.mean(axis=0)
    np.testing.assert_allclose(centre, (low + high) / 2.0, atol=0.01)  # computed by hand
    return made


def by_trimesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.load_scene(path, process=False).to_geometry()
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def by_open3d(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import open3d

    mesh = open3d.io.read_triangle_mesh(str(path))
    return np.asarray(mesh.vertices), np.asarray(mesh.triangles)


def by_vtk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersGeometry import vtkCompositeDataGeometryFilter
    from vtkmodules.vtkIOGeometry import vtkGLTFReader, vtkOBJReader, vtkSTLReader
    from vtkmodules.vtkIOPLY import vtkPLYReader

    reader = {".stl": vtkSTLReader, ".obj": vtkOBJReader, ".ply": vtkPLYReader, ".glb": vtkGLTFReader}[path.suffix]()
    reader.SetFileName(str(path))
    if path.suffix == ".glb":
        flat = vtkCompositeDataGeometryFilter()
        flat.SetInputConnection(reader.GetOutputPort())
        reader = flat
    reader.Update()
    mesh = reader.GetOutput()
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64), triangles


def in_mm(points: np.ndarray, suffix: str) -> np.ndarray:
    """glTF 2.0, section 3.4: x = left, y = superior, z = anterior, in metres."""
    if suffix != ".glb":
        return points
    x, y, z = points.T * 1000.0
    return np.stack([x, -z, y], axis=1)


@pytest.fixture(scope="module", params=[from_straight, from_oblique, from_left_handed], ids=lambda f: f.__name__[5:])
def surface(request, tmp_path_factory) -> Surface:
    return request.param(tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize("reader", [by_trimesh, by_vtk, by_open3d], ids=lambda f: f.__name__[3:])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_world_coordinates(surface: Surface, tmp_path: Path, suffix: str, reader) -> None:
    path = tmp_path / f"limb{suffix}"
    write_surface(path, surface, COLOUR)
    points, triangles = reader(path)
    points = in_mm(points.astype(np.float64), suffix)
    away, _ = cKDTree(points).query(surface.vertices_mm)
    back, _ = cKDTree(surface.vertices_mm).query(points)
    assert max(away.max(), back.max()) < SAME_MM
    a, b, c = (points[triangles[:, corner]] - points.mean(axis=0) for corner in range(3))
    volume_ml = np.einsum("ij,ij->", a, np.cross(b, c)) / 6000.0
    assert volume_ml == pytest.approx(surface.volume_ml, rel=1e-4)  # positive: not mirrored, winding outward
    assert len(triangles) == len(surface.triangles)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frame_unit_and_name_come_back(surface: Surface, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"anything{suffix}"
    write_surface(path, Surface(surface.vertices_mm, surface.triangles, "ct", "left limb"))
    back = read_surface(path, frame="ct")
    assert (back.frame, back.name) == ("ct", "left limb")
    np.testing.assert_allclose(
        back.vertices_mm[back.triangles], surface.vertices_mm[surface.triangles], atol=SAME_MM
    )  # fmt: skip
    for word in (b"LPS", b"ct", b"mm", b"left limb"):
        assert word in path.read_bytes()


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb"])
def test_colours_are_kept(tmp_path: Path, suffix: str) -> None:
    import open3d

    path = tmp_path / f"limb{suffix}"
    write_surface(path, from_straight(tmp_path), COLOUR)
    mesh = trimesh.load_scene(path, process=False).to_geometry()
    visual = mesh.visual.material.baseColorFactor if suffix == ".glb" else mesh.visual.vertex_colors[0]
    step = 1.0 / 255.0
    np.testing.assert_allclose(np.asarray(visual)[:3] / 255.0, COLOUR[:3], atol=step)
    if suffix != ".glb":
        seen = np.asarray(open3d.io.read_triangle_mesh(str(path)).vertex_colors)
        np.testing.assert_allclose(seen, np.tile(COLOUR[:3], (len(seen), 1)), atol=step)
