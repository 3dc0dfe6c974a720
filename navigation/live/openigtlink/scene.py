"""What stands still, as messages: surfaces, landmarks, targets, the CT; in mm and RAS, which is 3D Slicer's world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geometry import Surface
from geometry.frames import CT
from geometry.orientation import flip_affine_ras_lps, flip_ras_lps
from geometry.points import Floats
from geometry.volume import Volume
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import Image, Point, Points, PolyData, Status, StatusCode
from navigation.live.openigtlink.device_names import shortened

Key = tuple[str, str]  # kind of the message, name of the device

_COLOURS = {"Landmark": (255, 220, 0, 255), "Target": (255, 60, 60, 255)}
_LONGEST_POINT_NAME = 64


@dataclass(frozen=True)
class SceneMessage:
    """One thing of the scene, and what takes its place once it is withdrawn."""

    key: Key
    packed: bytes
    farewell: bytes


def surface_message(surface: Surface, stamp_ns: int) -> SceneMessage:
    """POLYDATA of a surface in the frame ``ct``; without points once it is withdrawn, which clears it in 3D Slicer.

    Raises:
        LinkError: the surface is in another frame.
    """
    if surface.frame != CT:
        raise LinkError(f"the surface '{surface.name}' in '{surface.frame}'", f"in '{CT}'", "transform it first")
    name = shortened(surface.name)
    shown = PolyData.of_triangles(flip_ras_lps(surface.vertices_mm), surface.triangles)
    nothing = PolyData.of_triangles(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32))
    return SceneMessage(
        ("POLYDATA", name), pack(Message(shown, name, stamp_ns)), pack(Message(nothing, name, stamp_ns))
    )


def points_message(name: str, group: str, points_ct_mm: Mapping[str, Floats], stamp_ns: int) -> SceneMessage:
    """POINT of named points in the frame ``ct``, in single precision; an empty list once they are withdrawn.

    Args:
        name: the list's name, such as ``Landmarks``.
        group: what each is, ``Landmark`` or ``Target``.
    """
    colour = _COLOURS.get(group, (255, 255, 255, 255))
    points = tuple(_point(label, flip_ras_lps(point), group, colour) for label, point in points_ct_mm.items())
    return SceneMessage(
        ("POINT", name), pack(Message(Points(points), name, stamp_ns)), pack(Message(Points(()), name, stamp_ns))
    )


def image_message(name: str, volume: Volume, stamp_ns: int) -> SceneMessage:
    """IMAGE of a CT in the frame ``ct``, in whole HU; a STATUS once it is withdrawn, since nothing clears an image."""
    voxels = volume.voxels
    if voxels.dtype != np.int16:
        limits = np.iinfo(np.int16)
        voxels = np.clip(np.rint(voxels), limits.min, limits.max).astype(np.int16)
    image = Image(voxels, flip_affine_ras_lps(volume.affine), coordinates="RAS")
    gone = Status(StatusCode.NOT_PRESENT, error="withdrawn", text="the image is no longer the case's")
    return SceneMessage(("IMAGE", name), pack(Message(image, name, stamp_ns)), pack(Message(gone, name, stamp_ns)))


def _point(label: str, position: Floats, group: str, colour: tuple[int, int, int, int]) -> Point:
    x, y, z = position.tolist()
    return Point(cut(label, _LONGEST_POINT_NAME), (x, y, z), group=group, rgba=colour)


def cut(text: str, length: int) -> str:
    """As much of a text as has so many bytes of UTF-8."""
    return text.encode("utf-8", "replace")[:length].decode("utf-8", "ignore")
