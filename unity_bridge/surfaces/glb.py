"""A surface as a GLB file, for viewers and engines that know glTF and nothing of this wire.

glTF 2.0 (section 3.4) is right-handed, in metres, y up. Every right-handed frame of ours goes there by the rotation
``(x, y, z) -> (x, z, -y) / 1000``, so from the CT's frame (LPS) to: x left, y superior, z anterior, which is where glTF
has the front of a model. The wire's own convention is its mirror image, ``(-x, y, z)``. Importers for Unity mirror
glTF's x too, and so put the file exactly where the wire has the surface.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geometry.surface import Surface
from unity_bridge.wire.convention import MM_PER_M

GLTF_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # a rotation: winding stays outward


def surface_to_glb(surface: Surface) -> bytes:
    """The vertices in metres, float32 (1e-4 mm at 1 m), with normals; no node transforms them.

    ``asset.extras`` states frame, axes, unit and name. Vertices that no triangle uses are left out. Normals are left
    out, for the viewer to make, where a triangle without area leaves none: glTF allows unit length only.

    Args:
        surface: at least one triangle, in any frame.
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
