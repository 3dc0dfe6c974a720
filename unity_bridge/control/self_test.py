"""The self-test of a client: it decodes and places an asymmetric object under three poses, and reports the result.

The object is sent as a surface payload and the poses as pose batches, like all other data, so that the client's own
decoding and placing are tested. The expected result is computed here with right-handed transforms in mm and converted
at the end; a client computes with quaternions in metres, so the two share no code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.points import Floats, read_only
from geometry.surface import Surface
from geometry.transform import Transform
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.surfaces.payload import decode_surface, encode_surface
from unity_bridge.wire.convention import UnityPose, directions_to_unity, points_to_unity, pose_to_unity
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.generated.constants import MessageType, Validity
from unity_bridge.wire.messages import SelfTestTask, TestPoint

ROOT, ANCHOR, OBJECT = "self_test_root", "self_test_anchor", "self_test_object"
POSES = 3
# Edges of 120, 80 and 45 mm along x, y and z, and no vertex at the origin, so that every omission or exchange shows.
_VERTICES_MM = np.array([[0.0, 0.0, 0.0], [120.0, 0.0, 0.0], [0.0, 80.0, 0.0], [0.0, 0.0, 45.0]]) + [30.0, -20.0, 55.0]
_TRIANGLES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
_NAMES = ("corner", "x end", "y end", "z end")
# Random values are drawn around these: no two components are similar or near zero, so that any exchange or sign shows.
_AXIS_PARTS, _SPREAD = np.array([0.35, 0.6, 0.85]), 0.08
_LENGTHS_MM, _SPREAD_MM = np.array([80.0, 200.0, 320.0]), 40.0
_ANGLE_RAD = (0.9, 2.0)


@dataclass(frozen=True, eq=False)
class PlacedObject:
    """The object under each of the k poses, in Unity's convention; arrays are read-only.

    Attributes:
        positions_m: positions ``(k, 4, 3)`` of the vertices in the root.
        normals: unit normals ``(k, 4, 3)`` of the vertices.
        sides: unit vectors ``(k, 4, 3)`` that point out of the visible side of each triangle.
    """

    positions_m: Floats
    normals: Floats
    sides: Floats


@dataclass(frozen=True, eq=False)
class IssuedTest:
    """A test that was issued to one client.

    Attributes:
        task: the message to the client.
        poses: for each batch, the pose of the anchor in the root and of the object in the anchor, as a client reads
            them.
        vertices_m, minimum_m, edge_m: the object's vertices ``(4, 3)`` as a client reads them, and their cube.
        expected: the correct result.
        issued_ns: time of issue on the server's clock.
    """

    task: SelfTestTask
    poses: tuple[tuple[UnityPose, UnityPose], ...]
    vertices_m: Floats
    minimum_m: Floats
    edge_m: float
    expected: PlacedObject
    issued_ns: int


class SelfTest:
    """Issues tests: the object is always the same, its poses are random, so that no client can know the answer."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._surface = Surface(_VERTICES_MM, _TRIANGLES, OBJECT, "self-test")
        self._payload = encode_surface(self._surface)

    def issue(self, session: Session) -> IssuedTest:
        """Makes a new test with pose batches of this session."""
        pairs = [(self._draw(ROOT, ANCHOR), self._draw(ANCHOR, OBJECT)) for _ in range(POSES)]
        decoded = decode_surface(self._payload.data).surface
        low = decoded.vertices_m.min(axis=0)
        return IssuedTest(
            task=SelfTestTask(
                challenge=int(self._rng.integers(1, 2**63)),
                surface=self._payload.data,
                batches=tuple(_batch(session, number, pair) for number, pair in enumerate(pairs, 1)),
                root=ROOT,
                points=tuple(TestPoint(vertex=vertex, name=name) for vertex, name in enumerate(_NAMES)),
                triangles=tuple(range(len(_TRIANGLES))),
            ),
            poses=tuple((pose_to_unity(anchor), pose_to_unity(held)) for anchor, held in pairs),
            vertices_m=decoded.vertices_m,
            minimum_m=read_only(low),
            edge_m=float((decoded.vertices_m - low).max()),
            expected=self._expected(pairs),
            issued_ns=session.clock.now_ns(),
        )

    def _draw(self, to_frame: str, from_frame: str) -> Transform:
        """A random transform whose rotation axis and translation have components that are distinct and not zero."""
        rng = self._rng
        axis = rng.permutation(_AXIS_PARTS) + rng.uniform(-_SPREAD, _SPREAD, 3)
        axis *= rng.choice([-1.0, 1.0], 3) * rng.uniform(*_ANGLE_RAD) / np.linalg.norm(axis)
        lengths_mm = rng.permutation(_LENGTHS_MM) + rng.uniform(-_SPREAD_MM, _SPREAD_MM, 3)
        lengths_mm *= rng.choice([-1.0, 1.0], 3)
        return Transform.from_rotation(Rotation.from_rotvec(axis), lengths_mm, to_frame, from_frame)

    def _expected(self, pairs: list[tuple[Transform, Transform]]) -> PlacedObject:
        whole = [anchor @ held for anchor, held in pairs]
        corners = self._surface.vertices_mm[_TRIANGLES]
        sides = np.cross(
            corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        )  # outward: counter-clockwise here
        sides /= np.linalg.norm(sides, axis=1, keepdims=True)
        normals = self._surface.vertex_normals()
        return PlacedObject(
            read_only(np.array([points_to_unity(T.apply(self._surface.vertices_mm)) for T in whole])),
            read_only(np.array([directions_to_unity(T.rotate(normals)) for T in whole])),
            read_only(np.array([directions_to_unity(T.rotate(sides)) for T in whole])),
        )


def _batch(session: Session, number: int, pair: tuple[Transform, Transform]) -> bytes:
    states = [
        ToolState(
            tool=pose.from_frame,
            to_frame=pose.to_frame,
            from_frame=pose.from_frame,
            validity=Validity.VALID,
            T_to_from=pose,
        )
        for pose in pair
    ]
    return encode_pose_batch(session.header(MessageType.POSE_BATCH, number, validity=Validity.VALID), states)
