"""Surfaces on disk: the same triangles in trimesh and in VTK, with frame and units stated, never guessed."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from case.errors import MeshFileError
from case.mesh_files import SUFFIXES, read_surface, write_surface
from geometry import Surface

# float32 within 1 m of the origin: half a step is 3e-5 mm.
FLOAT32_MM = 1e-4


def ball(radius_mm: float = 60.0, centre_mm: tuple[float, float, float] = (100.0, -200.0, -600.0)) -> Surface:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius_mm)
    return Surface(mesh.vertices + centre_mm, mesh.faces, "ct", "liver")


def triangle_corners(surface: Surface) -> np.ndarray:
    """``(m, 3, 3)``: what a surface is, whatever the order of its vertices; both formats keep that of triangles."""
    return surface.vertices_mm[surface.triangles]


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(
    radius=st.floats(0.5, 300.0),
    centre=st.tuples(*[st.floats(-400.0, 400.0)] * 3),
)
@settings(max_examples=10)
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, radius: float, centre: tuple[float, float, float]
) -> None:
    surface = ball(radius, centre)
    path = tmp_path_factory.mktemp("mesh") / f"anything{suffix}"
    write_surface(path, surface)
    back = read_surface(path, frame="ct")
    np.testing.assert_allclose(triangle_corners(back), triangle_corners(surface), atol=FLOAT32_MM)
    assert (back.frame, back.name) == ("ct", "liver")
    assert back.is_watertight
    assert back.volume_ml == pytest.approx(surface.volume_ml, rel=1e-3)  # and positive: winding is outward


def test_stl_in_vtk(tmp_path: Path) -> None:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOGeometry import vtkSTLReader

    surface = ball()
    write_surface(tmp_path / "a.stl", surface)
    reader = vtkSTLReader()
    reader.SetFileName(str(tmp_path / "a.stl"))
    reader.MergingOff()
    reader.Update()
    points = vtk_to_numpy(reader.GetOutput().GetPoints().GetData()).reshape(-1, 3, 3)
    np.testing.assert_allclose(points, triangle_corners(surface), atol=FLOAT32_MM)


def test_stl_header_says_frame_units_and_slicer_space(tmp_path: Path) -> None:
    write_surface(tmp_path / "a.stl", ball())
    header = (tmp_path / "a.stl").read_bytes()[:80].decode("ascii")
    assert not header.startswith("solid")  # readers would take it for a text file
    for word in ("SPACE=LPS", "frame=ct", "unit=mm", "name=liver"):
        assert word in header


def upright_m(points_ct_mm: np.ndarray) -> np.ndarray:
    """By hand, glTF 2.0 section 3.4: metres, y up, front towards +z; a patient's left is then +x."""
    left, posterior, superior = points_ct_mm.T
    return np.stack([left, superior, -posterior], axis=1) / 1000.0


def test_glb_stands_upright_and_life_size_in_trimesh(tmp_path: Path) -> None:
    surface = ball()
    write_surface(tmp_path / "a.glb", surface, colour=(0.5, 0.2, 0.1, 1.0))
    scene = trimesh.load_scene(tmp_path / "a.glb")
    (mesh,) = scene.dump()
    np.testing.assert_allclose(mesh.bounds, np.sort(upright_m(surface.bounds_mm), axis=0), atol=FLOAT32_MM / 1000)
    assert mesh.volume == pytest.approx(surface.volume_ml * 1e-6, rel=1e-4)  # m^3: not mirrored
    assert list(scene.geometry) == ["liver"]
    np.testing.assert_allclose(mesh.visual.material.baseColorFactor[:3], [128, 51, 26], atol=1)


def test_glb_stands_upright_and_life_size_in_vtk(tmp_path: Path) -> None:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersGeometry import vtkCompositeDataGeometryFilter
    from vtkmodules.vtkIOGeometry import vtkGLTFReader

    surface = ball()
    write_surface(tmp_path / "a.glb", surface)
    reader = vtkGLTFReader()
    reader.SetFileName(str(tmp_path / "a.glb"))
    flat = vtkCompositeDataGeometryFilter()
    flat.SetInputConnection(reader.GetOutputPort())
    flat.Update()
    points = vtk_to_numpy(flat.GetOutput().GetPoints().GetData())
    np.testing.assert_allclose(points, upright_m(surface.vertices_mm), atol=2 * FLOAT32_MM / 1000)


def test_glb_states_frame_axes_and_unit_in_its_asset(tmp_path: Path) -> None:
    write_surface(tmp_path / "a.glb", ball())
    content = (tmp_path / "a.glb").read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    tree = json.loads(content[20 : 20 + length])
    extras = tree["asset"]["extras"]
    assert (extras["frame"], extras["axes"], extras["unit"], extras["name"]) == ("ct", "LPS", "mm", "liver")
    # The buffer itself holds LPS mm: the bounds that glTF demands for POSITION say so.
    position = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    np.testing.assert_allclose([position["min"], position["max"]], ball().bounds_mm, atol=FLOAT32_MM)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_frames_keep_their_name_and_are_not_called_lps(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tip{suffix}"
    surface = Surface(ball().vertices_mm, ball().triangles, "stylus", "tip")
    write_surface(path, surface)
    assert b"LPS" not in path.read_bytes()
    assert read_surface(path).frame == "stylus"
    with pytest.raises(MeshFileError, match="frame 'stylus'"):
        read_surface(path, frame="ct")


def test_stl_from_elsewhere_needs_a_frame_and_slicer_ras_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "other.stl"
    write_surface(path, ball())
    body = path.read_bytes()[80:]
    path.write_bytes(b"made elsewhere".ljust(80) + body)
    with pytest.raises(MeshFileError, match="say which frame"):
        read_surface(path)
    np.testing.assert_allclose(read_surface(path, "ct").bounds_mm, ball().bounds_mm, atol=FLOAT32_MM)
    path.write_bytes(b"3D Slicer output. SPACE=RAS".ljust(80) + body)
    turned = read_surface(path, "ct")
    np.testing.assert_allclose(turned.bounds_mm.mean(axis=0), [-100.0, 200.0, -600.0], atol=1e-3)
    assert turned.volume_ml > 0
    path.write_bytes(b"frame=ct unit=m ".ljust(80) + body)
    with pytest.raises(MeshFileError, match="unit 'm'"):
        read_surface(path)


def test_glb_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """Its unit is the metre by the standard and something else in practice; its frame is nowhere."""
    trimesh.creation.icosphere().export(tmp_path / "other.glb")
    with pytest.raises(MeshFileError, match="stated frame"):
        read_surface(tmp_path / "other.glb")


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(keep=st.floats(0.0, 0.999))
@settings(max_examples=15)
def test_broken_files_are_errors_of_ours(tmp_path_factory: pytest.TempPathFactory, suffix: str, keep: float) -> None:
    path = tmp_path_factory.mktemp("cut") / f"a{suffix}"
    write_surface(path, ball())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(MeshFileError, match="cannot be read"):
        read_surface(path)


def test_unknown_endings_and_empty_surfaces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshFileError, match=r"ending in '.off'"):
        write_surface(tmp_path / "a.off", ball())
    with pytest.raises(MeshFileError, match=r"ending in '.vtk'"):
        read_surface(tmp_path / "a.vtk")
    with pytest.raises(MeshFileError, match="without triangles"):
        write_surface(tmp_path / "a.stl", Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int32), "ct", "empty"))
    assert not list(tmp_path.iterdir())
