"""Conversion to Unity's convention, done only here: right-handed mm become left-handed metres with y up.

The axis map ``(x, y, z) -> (-x, z, -y) / 1000`` is applied to every right-handed frame alike. For the CT's frame (LPS)
Unity's x is then the patient's right, y superior and z anterior: a patient who stands looks along +z, as Unity's own
characters do. With ``A`` the axis map (a reflection, det A = -1):

- a point maps as ``p_unity = A p / 1000``;
- a rotation as ``R_unity = A R A^T``, which is again a rotation; with quaternions ``(x, y, z, w) -> (x, -z, y, w)``,
  since a reflection turns the axis by -A and keeps the angle;
- a triangle's winding is reversed: outward is counter-clockwise here and clockwise in Unity.

Since the same map is applied to both frames of a transform, composition in Unity equals the converted composition.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.frames import check_frame
from geometry.points import Floats, as_points, read_only
from geometry.surface import Surface
from geometry.transform import Transform
from unity_bridge.errors import InvalidPoseError
from unity_bridge.wire.generated.constants import UNIT_TOLERANCE

PoseNumbers = tuple[float, float, float, float, float, float, float]

_MATRIX = struct.Struct("=12d32x")  # the first three rows of a homogeneous matrix
_SQUARE = struct.Struct("=9d")
MM_PER_M = 1000.0
_AXES = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# A rotation vector is axial: under a reflection it turns by -A. Beside it a translation, in m here and in mm there.
_MOTION = np.block([[-_AXES, np.zeros((3, 3))], [np.zeros((3, 3)), _AXES / MM_PER_M]])


@dataclass(frozen=True, eq=False)
class UnityPose:
    """The pose of `from_frame` in `to_frame`, as a Unity Transform has it: left-handed, metres.

    Attributes:
        position_m: ``(3,)``, read-only.
        rotation_xyzw: unit quaternion ``(4,)`` in Unity's order, read-only.

    Raises:
        InvalidPoseError: not finite, or a quaternion that is not of unit length.
    """

    position_m: Floats
    rotation_xyzw: Floats
    to_frame: str
    from_frame: str

    def __post_init__(self) -> None:
        position = np.asarray(self.position_m, dtype=np.float64)
        rotation = np.asarray(self.rotation_xyzw, dtype=np.float64)
        shapes_fit = position.shape == (3,) and rotation.shape == (4,)
        if not (shapes_fit and np.isfinite(position).all() and abs(rotation @ rotation - 1.0) < UNIT_TOLERANCE):
            raise InvalidPoseError(
                f"position {position.tolist()} and quaternion {rotation.tolist()}",
                "three finite metres and a unit quaternion x, y, z, w",
                "treat the pose as lost",
            )
        object.__setattr__(self, "position_m", read_only(position))
        object.__setattr__(self, "rotation_xyzw", read_only(rotation))
        check_frame(self.to_frame)
        check_frame(self.from_frame)

    @classmethod
    def trusted(cls, position_m: Floats, rotation_xyzw: Floats, to_frame: str, from_frame: str) -> UnityPose:
        """Makes a pose from arrays that were checked before, such as a batch's; checking takes ten times as long."""
        new = cls.__new__(cls)
        vars(new).update(position_m=position_m, rotation_xyzw=rotation_xyzw, to_frame=to_frame, from_frame=from_frame)
        return new


@dataclass(frozen=True, eq=False)
class UnitySurface:
    """Triangles as Unity's Mesh has them: left-handed metres, clockwise seen from outside.

    Attributes:
        vertices_m: ``(n, 3)`` float64, read-only.
        normals: ``(n, 3)`` float64, outward, unit length or zero, read-only.
        triangles: ``(m, 3)`` int32, read-only.
        frame: the right-handed frame from which the vertices were converted; it names their anchor.
        name: name of the surface.
    """

    vertices_m: Floats
    normals: Floats
    triangles: NDArray[np.int32]
    frame: str
    name: str


def directions_to_unity(directions: ArrayLike) -> Floats:
    """Maps directions such as normals, ``(n, 3)`` or ``(3,)``, keeping their length."""
    return np.asarray(directions, dtype=np.float64) @ _AXES.T


def points_to_unity(points_mm: ArrayLike) -> Floats:
    """Maps points ``(n, 3)`` or ``(3,)``, right-handed mm, to Unity's metres, same shape."""
    points = np.asarray(points_mm, dtype=np.float64)
    return (as_points(points) @ _AXES.T / MM_PER_M).reshape(points.shape)


def points_from_unity(points_m: ArrayLike) -> Floats:
    """Maps points ``(n, 3)`` or ``(3,)`` in Unity's metres back to right-handed mm, same shape."""
    points = np.asarray(points_m, dtype=np.float64)
    return (as_points(points) @ _AXES * MM_PER_M).reshape(points.shape)


def pose_numbers(transform: Transform) -> PoseNumbers:
    """Position in metres and unit quaternion x, y, z, w (w >= 0) of ``T_to_from`` in Unity's convention."""
    return _unity_numbers(*_MATRIX.unpack(transform.matrix.tobytes()))


def many_pose_numbers(transforms: Iterable[Transform]) -> list[PoseNumbers]:
    """`pose_numbers` of each transform: the fast form of `pose_to_unity` for the pose loop.

    SciPy's conversion is the reference in the tests. With cold caches, as after the pose loop's sleep between frames,
    it takes 340 us for a batch of five; these scalars take some 2 us per tool.
    """
    matrices = b"".join([transform.matrix.tobytes() for transform in transforms])
    return [_unity_numbers(*numbers) for numbers in _MATRIX.iter_unpack(matrices)]


def _unity_numbers(
    xx: float, xy: float, xz: float, tx: float,
    yx: float, yy: float, yz: float, ty: float,
    zx: float, zy: float, zz: float, tz: float,
) -> PoseNumbers:  # fmt: skip
    """Unity's numbers from the upper three rows of a rigid matrix.

    The quaternion is computed by Shepperd's method (J. Guidance and Control 1(3), 1978, p. 223): of four equivalent
    forms, the one that divides by the largest component.
    """
    trace = xx + yy + zz
    if trace > 0.0:
        x, y, z, w = zy - yz, xz - zx, yx - xy, 1.0 + trace
    elif xx >= yy and xx >= zz:
        x, y, z, w = 1.0 + xx - yy - zz, xy + yx, xz + zx, zy - yz
    elif yy >= zz:
        x, y, z, w = xy + yx, 1.0 + yy - xx - zz, yz + zy, xz - zx
    else:
        x, y, z, w = xz + zx, yz + zy, 1.0 + zz - xx - yy, yx - xy
    scale = math.copysign(1.0 / math.sqrt(x * x + y * y + z * z + w * w), w)
    return -tx / MM_PER_M, tz / MM_PER_M, -ty / MM_PER_M, x * scale, -z * scale, y * scale, w * scale


def covariance_numbers(covariance_mm2: Floats) -> tuple[float, float, float, float, float, float]:
    """A point's covariance ``(3, 3)`` in Unity's axes, still in mm squared: xx, yy, zz, then yz, xz, xy."""
    xx, xy, xz, _, yy, yz, _, _, zz = _SQUARE.unpack(covariance_mm2.tobytes())
    return xx, zz, yy, -yz, xy, -xz


def pose_to_unity(transform: Transform) -> UnityPose:
    """Converts ``T_to_from`` to the local pose of a Unity Transform `from` under its parent `to`."""
    numbers = np.array(pose_numbers(transform))
    return UnityPose(numbers[:3], numbers[3:], transform.to_frame, transform.from_frame)


def pose_from_unity(pose: UnityPose) -> Transform:
    """The inverse of `pose_to_unity`: ``T_to_from``, right-handed, mm."""
    x, y, z, *rotation_xyzw = numbers_from_unity(*pose.position_m.tolist(), *pose.rotation_xyzw.tolist())
    position_mm = np.array([x, y, z]) * MM_PER_M
    return Transform.from_rotation(Rotation.from_quat(rotation_xyzw), position_mm, pose.to_frame, pose.from_frame)


def numbers_from_unity(
    px: float, py: float, pz: float, qx: float, qy: float, qz: float, qw: float
) -> PoseNumbers:  # fmt: skip
    """Position, still in metres, and unit quaternion x, y, z, w in right-handed axes, from Unity's."""
    return -px, -pz, py, qx, qz, -qy, qw


def covariance_to_unity(covariance: ArrayLike) -> Floats:
    """Maps a pose's covariance ``(6, 6)`` of (rotation vector in rad, translation in mm) to Unity's axes and metres."""
    mapped: Floats = _MOTION @ np.asarray(covariance, dtype=np.float64) @ _MOTION.T
    return mapped


def covariance_from_unity(covariance: ArrayLike) -> Floats:
    """The inverse of `covariance_to_unity`: (rotation vector in rad, translation in mm), right-handed axes."""
    back = np.linalg.inv(_MOTION)
    mapped: Floats = back @ np.asarray(covariance, dtype=np.float64) @ back.T
    return mapped


def surface_to_unity(surface: Surface) -> UnitySurface:
    """Converts the vertices, normals and winding of a surface."""
    vertices = points_to_unity(surface.vertices_mm)
    normals = directions_to_unity(surface.vertex_normals())
    triangles = np.ascontiguousarray(surface.triangles[:, [0, 2, 1]])
    return UnitySurface(read_only(vertices), read_only(normals), read_only(triangles), surface.frame, surface.name)


def surface_from_unity(surface: UnitySurface) -> Surface:
    """The inverse of `surface_to_unity`; normals are dropped, since they follow from the triangles."""
    triangles = np.ascontiguousarray(surface.triangles[:, [0, 2, 1]])
    return Surface(points_from_unity(surface.vertices_m), triangles, surface.frame, surface.name)
