"""Surfaces on disk: STL for printing and planning, GLB for viewers and engines, PLY and OBJ for everything else.

STL holds mm in the surface's own frame. It has no place for units or frame, so the 80 bytes of its header state them;
``SPACE=LPS`` there is 3D Slicer's convention.

GLB holds the same mm in its vertex buffer. glTF is by its specification in metres, right-handed, y up, front towards
+z, and the node above the mesh says how to get there: scale 0.001 and, for the frame ``ct`` (LPS), left -> x, superior
-> y, anterior -> z. So a viewer shows the patient upright and life-size, while whoever reads the buffer gets LPS mm.
``asset.extras`` states frame, axes, unit and name.

PLY (binary) and OBJ hold mm in the surface's own frame, with colours at the vertices (OBJ without opacity, which it has
no place for); a comment states frame, axes, unit and name.

STL, GLB and PLY store float32: a vertex within 1 m of the origin stays within 1e-4 mm. OBJ has six decimals.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from case.atomic import atomic_write
from case.errors import MeshFileError
from geometry.errors import SurgNavError
from geometry.frames import CT
from geometry.orientation import flip_ras_lps
from geometry.points import Floats
from geometry.surface import Surface

Colour = tuple[float, float, float, float]

GREY: Colour = (0.8, 0.8, 0.8, 1.0)
METRES_PER_MM = 0.001
GLTF_FROM_LPS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # a rotation: winding stays outward
STL_HEADER_BYTES = 80
SUFFIXES = (".stl", ".glb", ".ply", ".obj")
STATEMENT = "SurgNav surface "  # begins the comment in PLY and OBJ


def write_surface(path: Path, surface: Surface, colour: Colour = GREY) -> None:
    """Writes a surface as ``.stl`` (binary), ``.glb``, ``.ply`` (binary) or ``.obj``, atomically.

    Args:
        path: the file; its ending chooses the format.
        surface: at least one triangle, in any frame.
        colour: red, green, blue, opacity, each 0 to 1; STL has no colours.

    Raises:
        MeshFileError: another ending, or no triangles.
    """
    if not len(surface.triangles):
        raise MeshFileError(f"the surface '{surface.name}' without triangles", "at least one", "check its segmentation")
    if path.suffix == ".stl":
        atomic_write(path, _stl(surface))
    elif path.suffix == ".glb":
        atomic_write(path, _glb(surface, colour))
    elif path.suffix == ".ply":
        atomic_write(path, _ply(surface, colour))
    elif path.suffix == ".obj":
        atomic_write(path, _obj(surface, colour))
    else:
        raise _unknown_ending(path)


def read_surface(path: Path, frame: str | None = None) -> Surface:
    """Reads a surface that states its frame, as those of `write_surface` do.

    Args:
        path: an ``.stl``, ``.glb``, ``.ply`` or ``.obj`` file.
        frame: the frame of a file that does not state it, whose coordinates are then taken as mm, and as LPS unless an
            STL's header says ``SPACE=RAS``. A GLB must state it.

    Raises:
        MeshFileError: not readable, or its frame or units are unknown, or not those that `frame` expects.
    """
    if path.suffix not in SUFFIXES:
        raise _unknown_ending(path)
    try:
        content = path.read_bytes()
        stated = _STATEMENTS[path.suffix](content)
        vertices, triangles = _triangles(content, path.suffix[1:])
        if int(stated.get("triangles", len(triangles))) != len(triangles):  # text that was cut between two lines
            raise ValueError(f"{len(triangles)} triangles of {stated['triangles']}")
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error, SurgNavError) as error:
        raise MeshFileError(
            f"a file that cannot be read as {path.suffix[1:].upper()} ({type(error).__name__})",
            "a complete binary STL, GLB, PLY or OBJ file",
            "write or copy it again",
        ) from error
    if stated.get("space") == "RAS":
        vertices = flip_ras_lps(vertices)
    found = stated.get("frame", None if path.suffix == ".glb" else frame)
    if found is None or stated.get("unit", "mm") != "mm" or frame not in (None, found):
        raise MeshFileError(
            f"a surface in frame {found!r}, unit {stated.get('unit')!r}",
            f"frame {frame!r} in mm" if frame else "a stated frame, in mm",
            "write it with SurgNav, or say which frame an STL, PLY or OBJ is in",
        )
    return Surface(vertices, triangles, found, stated.get("name", path.stem))


def _stl(surface: Surface) -> bytes:
    from trimesh.exchange.stl import export_stl

    space = "SPACE=LPS " if surface.frame == CT else ""
    statement = f"SurgNav {space}frame={surface.frame} unit=mm name={surface.name}"
    header = statement.encode("ascii", "replace")[:STL_HEADER_BYTES].ljust(STL_HEADER_BYTES)
    return header + export_stl(_trimesh(surface))[STL_HEADER_BYTES:]


def _stl_statement(content: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from("<I", content, STL_HEADER_BYTES)
    if len(content) != STL_HEADER_BYTES + 4 + 50 * count:
        raise ValueError("no binary STL, or cut short")
    header = content[:STL_HEADER_BYTES].decode("ascii", "replace").strip("\0 ")
    before, _, name = header.partition("name=")
    words = dict(word.split("=", 1) for word in before.split() if "=" in word)
    stated = {key.lower(): value for key, value in words.items() if key in ("SPACE", "frame", "unit")}
    return stated | ({"name": name} if name else {})


def _glb(surface: Surface, colour: Colour) -> bytes:
    from trimesh import Scene
    from trimesh.exchange.gltf import export_glb
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    mesh = _trimesh(surface)
    mesh.visual = TextureVisuals(
        material=PBRMaterial(name=surface.name, baseColorFactor=list(colour), metallicFactor=0.0, roughnessFactor=0.7)
    )
    to_gltf = np.eye(4)
    to_gltf[:3, :3] = METRES_PER_MM * (GLTF_FROM_LPS if surface.frame == CT else np.eye(3))
    scene = Scene()
    scene.add_geometry(mesh, node_name=surface.name, geom_name=surface.name, transform=to_gltf)
    extras = {"frame": surface.frame, "unit": "mm", "name": surface.name, "node": "maps the vertices to glTF's metres"}
    if surface.frame == CT:
        extras["axes"] = "LPS"

    def state(tree: dict[str, Any]) -> None:
        tree["asset"] |= {"generator": "SurgNav", "extras": extras}

    return export_glb(scene, include_normals=True, tree_postprocessor=state)


def _glb_statement(content: bytes) -> dict[str, str]:
    """``asset.extras``: the JSON chunk starts after 12 bytes of header and 8 of its own (glTF 2.0, section 4.4)."""
    magic, _, _, length, _ = struct.unpack_from("<4s4I", content)
    if magic != b"glTF":
        raise ValueError("no GLB")
    return dict(json.loads(content[20 : 20 + length])["asset"].get("extras", {}))


def _ply(surface: Surface, colour: Colour) -> bytes:
    from trimesh.exchange.ply import export_ply

    head, _, body = export_ply(_coloured(surface, colour), vertex_normal=False).partition(b"end_header\n")
    if not body:
        raise MeshFileError("a PLY header without an end", "end_header", "report this: the library has changed")
    return head + f"comment {_comment(surface)}\n".encode() + b"end_header\n" + body


def _obj(surface: Surface, colour: Colour) -> bytes:
    from trimesh.exchange.obj import export_obj

    body = export_obj(
        _coloured(surface, colour), include_normals=False, include_texture=False, write_texture=False,
        header=None, digits=6,
    )  # fmt: skip
    return f"# {_comment(surface)}\no {'_'.join(surface.name.split())}\n{body}".encode()


def _comment(surface: Surface) -> str:
    axes = "axes=LPS " if surface.frame == CT else ""
    count = f"triangles={len(surface.triangles)}"
    return f"{STATEMENT}frame={surface.frame} {axes}unit=mm {count} name={' '.join(surface.name.split())}"


def _comment_statement(content: bytes) -> dict[str, str]:
    """What the comment of a PLY or OBJ says; only their heads are searched."""
    for line in content[:4096].decode("utf-8", "replace").splitlines():
        _, found, statement = line.partition(STATEMENT)
        if found:
            before, _, name = statement.partition("name=")
            return dict(word.split("=", 1) for word in before.split() if "=" in word) | {"name": name}
    return {}


def _coloured(surface: Surface, colour: Colour) -> Any:
    mesh = _trimesh(surface)
    mesh.visual.vertex_colors = np.tile(np.round(np.array(colour) * 255.0).astype(np.uint8), (len(mesh.vertices), 1))
    return mesh


_STATEMENTS: Mapping[str, Callable[[bytes], dict[str, str]]] = MappingProxyType(
    {".stl": _stl_statement, ".glb": _glb_statement, ".ply": _comment_statement, ".obj": _comment_statement}
)


def _triangles(content: bytes, file_type: str) -> tuple[Floats, NDArray[np.int32]]:
    """Vertices as they are in the buffer, and triangles; STL's repeated corners become one vertex each."""
    import trimesh

    order = {"maintain_order": True} if file_type == "obj" else {}
    loaded = trimesh.load_scene(BytesIO(content), file_type=file_type, process=False, **order)
    if len(loaded.geometry) != 1:
        raise ValueError(f"{len(loaded.geometry)} meshes")
    mesh = next(iter(loaded.geometry.values()))
    vertices, triangles = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces)
    if file_type == "stl":
        vertices, corner = np.unique(vertices, axis=0, return_inverse=True)
        triangles = corner.reshape(-1)[triangles]
    return vertices, triangles.astype(np.int32)


def _trimesh(surface: Surface) -> Any:
    import trimesh

    return trimesh.Trimesh(surface.vertices_mm, surface.triangles, process=False)


def _unknown_ending(path: Path) -> MeshFileError:
    return MeshFileError(f"a surface file ending in '{path.suffix}'", " or ".join(SUFFIXES), "choose one of these")
