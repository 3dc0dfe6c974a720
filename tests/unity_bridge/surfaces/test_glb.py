"""The GLB form: glTF's convention, metres, y up, and where an importer for Unity puts it."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh

from geometry.surface import Surface
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from unity_bridge.surfaces.glb import surface_to_glb
from unity_bridge.wire.convention import surface_to_unity


def loaded(surface: Surface) -> trimesh.Trimesh:
    scene = trimesh.load_scene(io.BytesIO(surface_to_glb(surface)), file_type="glb", process=False)
    ((name, mesh),) = scene.geometry.items()
    transform, _ = scene.graph[scene.graph.geometry_nodes[name][0]]
    assert np.array_equal(transform, np.eye(4))  # what is in the buffer is where it is
    return mesh


def test_a_corner_by_hand():
    """100 mm to the left, 200 mm to the back and 300 mm up, of a patient in LPS."""
    vertices = np.array([[100.0, 200.0, 300.0], [0.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    mesh = loaded(Surface(vertices, np.array([[0, 1, 2]]), "ct", "corner"))
    np.testing.assert_allclose(mesh.vertices[0], [0.1, 0.3, -0.2], atol=1e-8)


@pytest.mark.parametrize("surface", [tetrahedron(), bumpy_sphere()], ids=["tetrahedron", "sphere"])
def test_it_is_the_same_solid_in_metres_with_normals_outward(surface):
    mesh = loaded(surface)
    assert mesh.is_watertight
    # A rotation keeps the sense of the triangles; single precision leaves 1e-7 of a volume.
    assert mesh.volume == pytest.approx(surface.volume_ml / 1e6, rel=1e-5)
    np.testing.assert_allclose(mesh.vertex_normals, surface.vertex_normals()[:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)


def test_an_importer_for_unity_puts_it_where_the_wire_has_it():
    """Such importers mirror x and turn the triangles around."""
    surface = bumpy_sphere()
    mesh, unity = loaded(surface), surface_to_unity(surface)
    np.testing.assert_allclose(mesh.vertices * [-1, 1, 1], unity.vertices_m, atol=6e-8)  # half a step of float32 at 1 m
    np.testing.assert_array_equal(mesh.faces[:, [0, 2, 1]], unity.triangles)


def test_the_file_says_what_it_is():
    content = surface_to_glb(tetrahedron())
    length = struct.unpack_from("<I", content, 12)[0]
    tree = json.loads(content[20 : 20 + length])
    assert tree["asset"]["version"] == "2.0"
    assert tree["asset"]["extras"] == {
        "frame": "ct",
        "axes": "x, z, -y of the frame",
        "unit": "m",
        "name": "tetrahedron",
        "unity": "-x, y, z",
    }


def test_normals_of_any_other_length_are_not_written():
    """glTF allows unit length only: a vertex whose triangles have no area has no normal."""
    vertices = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    degenerate = Surface(vertices, np.array([[0, 1, 2], [3, 3, 3]]), "ct", "degenerate")
    content = surface_to_glb(degenerate)
    assert b"NORMAL" not in content
    unused = Surface(vertices, np.array([[0, 1, 2]]), "ct", "unused")
    assert b"NORMAL" in surface_to_glb(unused)
    assert len(loaded(unused).vertices) == 3


def test_the_same_surface_makes_the_same_bytes():
    assert surface_to_glb(tetrahedron()) == surface_to_glb(tetrahedron())
