"""Exports a surface as a GLB file, for viewers and engines that read glTF but not this protocol.

glTF 2.0 (section 3.4) is right-handed, in metres, with y up. Right-handed frames in mm are mapped by the rotation
``(x, y, z) -> (x, z, -y) / 1000``; for the CT's frame (LPS), x is then left, y superior and z anterior, the front of a
model in glTF. Unity's convention on the wire is the mirror image ``(-x, y, z)``. Unity's glTF importers mirror x too,
so an imported file lies exactly where the wire puts the surface.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geometry.surface import Surface
from unity_bridge.wire.convention import MM_PER_M

GLTF_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # a rotation: winding stays outward


def surface_to_glb(surface: Surface) -> bytes:
    """The bytes of a GLB file with vertices in metres, float32 (1e-4 mm at 1 m), and normals, without a node transform.

    ``asset.extras`` states frame, axes, unit and name. Unused vertices are left out. glTF allows only unit normals: all
    normals are left out if some vertex has none, because its triangles have no area.

    Args:
        surface: surface with at least one triangle, in any frame.
    """
    from trimesh import Scene, Trimesh
    from trimesh.exchange.gltf import export_glb

    used, corners = np.unique(surface.triangles, return_inverse=True)
    normals = surface.vertex_normals()[used]
    have_normals = bool(normals.any(axis=1).all())
    mesh = Trimesh(
        surface.vertices_mm[used] @ GLTF_AXES.T / MM_PER_M,
        corners.reshape(-1, 3),
        vertex_normals=normals @ GLTF_AXES.T if have_normals else None,
        process=False,
    )
    scene = Scene()
    scene.add_geometry(mesh, node_name=surface.name, geom_name=surface.name)
    extras = {
        "frame": surface.frame,
        "axes": "x, z, -y of the frame",
        "unit": "m",
        "name": surface.name,
        "unity": "-x, y, z",
    }

    def state(tree: dict[str, Any]) -> None:
        tree["asset"] |= {"generator": "SurgNav", "extras": extras}

    return export_glb(scene, include_normals=have_normals, tree_postprocessor=state)
