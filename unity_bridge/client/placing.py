"""Placing of tools and surfaces in a display: tools under tools, a surface under the tool of its frame's name.

Everything stays in Unity's convention. Left-handed coordinates need no other formulas: quaternion rotation and cross
product are the same component by component; only the meaning of clockwise differs.
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
    """The chain of poses from a frame up to a root, like nested Transforms in Unity.

    Raises:
        InvalidPoseError: no chain leads from `frame` to `root`, or a tool on the way has no pose.
    """

    def __init__(self, batch: PoseBatch, frame: str, root: str) -> None:
        by_frame = {tool.from_frame: tool for tool in batch.tools.values()}
        self._chain: list[UnityPose] = []  # innermost first
        while frame != root:
            tool = by_frame.pop(frame, None)  # popped, so that a cycle ends
            if tool is None or tool.pose is None:
                raise InvalidPoseError(
                    f"no pose from '{frame}' towards '{root}'",
                    "a chain of tools with poses",
                    f"hide what is placed in '{frame}'",
                )
            self._chain.append(tool.pose)
            frame = tool.to_frame

    def points(self, points_m: Floats) -> Floats:
        """Maps points ``(n, 3)`` in m from the frame to the root, like Unity's TransformPoint."""
        for pose in self._chain:
            points_m = rotated(pose.rotation_xyzw, points_m) + pose.position_m
        return points_m

    def directions(self, directions: Floats) -> Floats:
        """Maps directions ``(n, 3)`` from the frame to the root, like Unity's TransformDirection."""
        for pose in self._chain:
            directions = rotated(pose.rotation_xyzw, directions)
        return directions


def rotated(rotation_xyzw: Floats, vectors: Floats) -> Floats:
    """Rotates vectors ``(n, 3)`` by a unit quaternion: ``v + 2 w (u x v) + 2 u x (u x v)``."""
    axis, w = rotation_xyzw[:3], rotation_xyzw[3]
    across = np.cross(axis, vectors)
    return vectors + 2.0 * (w * across + np.cross(axis, across))


def visible_sides(corners_m: Floats) -> Floats:
    """Vectors ``(m, 3)`` out of the drawn side of triangles with corners ``(m, 3, 3)``; their front is clockwise."""
    return np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])


def take_self_test(task: SelfTestTask) -> SelfTestReport:
    """Decodes and places the object of a self-test, and reports its positions.

    Raises:
        WireError: a part of the task is malformed.
        InvalidPoseError: a part of it has no pose.
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
