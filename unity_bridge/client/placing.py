"""Where a display puts things: tools hang from tools, surfaces from the tool of their frame's name.

Everything is in Unity's convention, and stays there. A left-handed world needs no other formulas: a quaternion turns a
vector, and a cross product is taken, component by component as ever; only what is called clockwise differs.
"""

from __future__ import annotations

import numpy as np

from geometry.points import Floats
from unity_bridge.errors import InvalidPoseError
from unity_bridge.poses.batch import PoseBatch, PoseBatchDecoder
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.convention import UnityPose, UnitySurface
from unity_bridge.wire.messages import PlacedPoint, PlacedTriangle, Placement, SelfTestReport, SelfTestTask


class Placer:
    """The chain of poses from a frame up to a root, as nested Transforms have it.

    Raises:
        InvalidPoseError: `frame` does not hang from `root`, or a tool on the way has no pose to show.
    """

    def __init__(self, batch: PoseBatch, frame: str, root: str) -> None:
        by_frame = {tool.from_frame: tool for tool in batch.tools.values()}
        self._chain: list[UnityPose] = []  # innermost first
        while frame != root:
            tool = by_frame.pop(frame, None)  # popped: a circle must not be walked for ever
            if tool is None or tool.pose is None:
                raise InvalidPoseError(
                    f"no pose from '{frame}' towards '{root}'", "a chain of tools up to it", "hide what hangs there"
                )
            self._chain.append(tool.pose)
            frame = tool.to_frame

    def points(self, points_m: Floats) -> Floats:
        """Points ``(n, 3)`` of the frame, in the root: Unity's TransformPoint."""
        for pose in self._chain:
            points_m = rotated(pose.rotation_xyzw, points_m) + pose.position_m
        return points_m

    def directions(self, directions: Floats) -> Floats:
        """Directions ``(n, 3)`` of the frame, in the root: Unity's TransformDirection."""
        for pose in self._chain:
            directions = rotated(pose.rotation_xyzw, directions)
        return directions


def rotated(rotation_xyzw: Floats, vectors: Floats) -> Floats:
    """Vectors ``(n, 3)`` turned by a unit quaternion: ``v + 2 w (u x v) + 2 u x (u x v)``."""
    axis, w = rotation_xyzw[:3], rotation_xyzw[3]
    across = np.cross(axis, vectors)
    return vectors + 2.0 * (w * across + np.cross(axis, across))


def visible_sides(corners_m: Floats) -> Floats:
    """Vectors ``(m, 3)`` out of the side that is drawn, of triangles ``(m, 3, 3)`` whose front is clockwise."""
    return np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])


def take_self_test(task: SelfTestTask) -> SelfTestReport:
    """Decodes and places what the task holds, and says where it is.

    Raises:
        WireError: a part of it that is malformed.
        InvalidPoseError: a part of it that hangs from nothing.
    """
    surface, decoder = decode_surface(task.surface).surface, PoseBatchDecoder()
    placements = [_place(task, surface, decoder.decode(batch), index) for index, batch in enumerate(task.batches)]
    return SelfTestReport(challenge=task.challenge, placements=tuple(placements))


def _place(task: SelfTestTask, surface: UnitySurface, batch: PoseBatch, index: int) -> Placement:
    placer = Placer(batch, surface.frame, task.root)
    positions_m = placer.points(surface.vertices_m)
    normals = placer.directions(surface.normals)
    sides = visible_sides(positions_m[surface.triangles])
    points = [point.vertex for point in task.points if point.vertex < len(positions_m)]
    triangles = [triangle for triangle in task.triangles if triangle < len(sides)]
    return Placement(
        batch=index,
        points=tuple(
            PlacedPoint(vertex=vertex, position_m=_numbers(positions_m[vertex]), normal=_numbers(normals[vertex]))
            for vertex in points
        ),
        triangles=tuple(
            PlacedTriangle(triangle=triangle, visible_side=_numbers(sides[triangle])) for triangle in triangles
        ),
    )


def _numbers(vector: Floats) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
