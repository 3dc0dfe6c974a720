"""Rigid transforms that know which frames they connect."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from geometry.errors import FrameMismatchError, InvalidPointsError, InvalidTransformError
from geometry.frames import check_frame
from geometry.points import Floats

# Products of thousands of float64 rotations stay within 1e-12; single-precision poses from the wire within 1e-6.
ORTHONORMALITY_TOLERANCE = 1e-6


class Transform:
    """A rigid transform ``T_to_from``: maps points from `from_frame` to `to_frame`, both right-handed and in mm.

    Args:
        matrix: homogeneous matrix ``(4, 4)``; copied, then read-only.
        to_frame: the frame that points come out in.
        from_frame: the frame that points go in from.

    Raises:
        InvalidTransformError: not 4x4, not finite, not orthonormal within 1e-6, a reflection, or a last row other
            than (0, 0, 0, 1).
        InvalidFrameError: a name that cannot be a frame.
    """

    __slots__ = ("_from_frame", "_matrix", "_to_frame")

    def __init__(self, matrix: ArrayLike, to_frame: str, from_frame: str) -> None:
        self._matrix = _checked_rigid(matrix)
        self._to_frame = check_frame(to_frame)
        self._from_frame = check_frame(from_frame)

    @classmethod
    def from_rotation(cls, rotation: Rotation, translation_mm: ArrayLike, to_frame: str, from_frame: str) -> Transform:
        """Builds ``T_to_from`` from a SciPy rotation and a translation ``(3,)`` in mm."""
        translation = np.asarray(translation_mm, dtype=np.float64)
        if translation.shape != (3,):
            raise InvalidTransformError(
                f"a translation of shape {translation.shape}", "shape (3,) in mm", "pass x, y, z"
            )
        matrix = np.eye(4)
        matrix[:3, :3] = rotation.as_matrix()
        matrix[:3, 3] = translation
        return cls(matrix, to_frame, from_frame)

    @classmethod
    def _trusted(cls, matrix: Floats, to_frame: str, from_frame: str) -> Transform:
        # Products and inverses of checked transforms need no second check: the pose path composes thousands a second.
        new = cls.__new__(cls)
        matrix.flags.writeable = False
        new._matrix, new._to_frame, new._from_frame = matrix, to_frame, from_frame
        return new

    @property
    def matrix(self) -> Floats:
        """Homogeneous matrix ``(4, 4)``, read-only, translation in mm."""
        return self._matrix

    @property
    def to_frame(self) -> str:
        return self._to_frame

    @property
    def from_frame(self) -> str:
        return self._from_frame

    @property
    def rotation_matrix(self) -> Floats:
        """Rotation ``(3, 3)``, read-only."""
        return self._matrix[:3, :3]

    @property
    def rotation(self) -> Rotation:
        return Rotation.from_matrix(self._matrix[:3, :3])

    @property
    def translation_mm(self) -> Floats:
        """Origin of `from_frame` seen from `to_frame`, ``(3,)``, read-only."""
        return self._matrix[:3, 3]

    def __matmul__(self, other: Transform) -> Transform:
        """``T_a_b @ T_b_c`` is ``T_a_c``; frames that do not meet are refused with `FrameMismatchError`."""
        if not isinstance(other, Transform):
            return NotImplemented
        if self._from_frame != other._to_frame:
            raise FrameMismatchError(
                f"the product {self} @ {other}: '{self._from_frame}' meets '{other._to_frame}'",
                "neighbouring frames that are the same, as in T_a_b @ T_b_c",
                "check the order of the product, or invert one of the two",
            )
        return Transform._trusted(self._matrix @ other._matrix, self._to_frame, other._from_frame)

    def inverse(self) -> Transform:
        """The inverse transform, ``T_from_to``."""
        rotation = self._matrix[:3, :3].T
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[:3, 3] = -rotation @ self._matrix[:3, 3]
        return Transform._trusted(matrix, self._from_frame, self._to_frame)

    def apply(self, points: ArrayLike) -> Floats:
        """Maps points in `from_frame`, ``(n, 3)`` or ``(3,)`` in mm, to `to_frame`; the shape is kept."""
        array = _as_vectors(points)
        return array @ self._matrix[:3, :3].T + self._matrix[:3, 3]

    def rotate(self, vectors: ArrayLike) -> Floats:
        """Rotates directions such as normals, ``(n, 3)`` or ``(3,)``: no translation is added."""
        return _as_vectors(vectors) @ self._matrix[:3, :3].T

    def rotation_difference_rad(self, other: Transform) -> float:
        """Angle of the rotation between this transform and `other`, which must connect the same frames."""
        self._check_same_frames(other)
        difference = self._matrix[:3, :3].T @ other._matrix[:3, :3]
        return float(Rotation.from_matrix(difference).magnitude())

    def translation_difference_mm(self, other: Transform) -> float:
        """Distance between the two images of `from_frame`'s origin. For the error at a target, map the target."""
        self._check_same_frames(other)
        return float(np.linalg.norm(self._matrix[:3, 3] - other._matrix[:3, 3]))

    def _check_same_frames(self, other: Transform) -> None:
        if (self._to_frame, self._from_frame) != (other._to_frame, other._from_frame):
            raise FrameMismatchError(
                f"a comparison of {self} with {other}",
                "two transforms between the same frames",
                "invert one of the two",
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transform):
            return NotImplemented
        same_frames = (self._to_frame, self._from_frame) == (other._to_frame, other._from_frame)
        return same_frames and np.array_equal(self._matrix, other._matrix)

    def __hash__(self) -> int:
        return hash((self._to_frame, self._from_frame, self._matrix.tobytes()))

    def __str__(self) -> str:
        """The name alone, ``T_a_b``, as messages use it."""
        return f"T_{self._to_frame}_{self._from_frame}"

    def __repr__(self) -> str:
        """The name with what it does: the translation in mm and the angle of the rotation in degrees."""
        x, y, z = self.translation_mm.tolist()
        angle_deg = float(np.degrees(self.rotation.magnitude()))
        return f"<{self}: translation ({x:.2f}, {y:.2f}, {z:.2f}) mm, rotation {angle_deg:.2f} deg>"


def _as_vectors(points: ArrayLike) -> Floats:
    array = np.asarray(points, dtype=np.float64)
    if array.shape[-1:] != (3,) or array.ndim > 2:
        raise InvalidPointsError(f"points of shape {array.shape}", "shape (n, 3) or (3,)", "pass x, y, z per point")
    return array


def _checked_rigid(matrix: ArrayLike) -> Floats:
    array = np.array(matrix, dtype=np.float64)
    if array.shape != (4, 4):
        raise InvalidTransformError(f"a matrix of shape {array.shape}", "shape (4, 4)", "pass a homogeneous matrix")
    if not np.isfinite(array).all():
        raise InvalidTransformError(
            "a matrix with NaN or infinity", "finite numbers", "treat the pose as missing (None)"
        )
    if not np.array_equal(array[3], (0.0, 0.0, 0.0, 1.0)):
        raise InvalidTransformError(
            f"a last row of {array[3].tolist()}", "(0, 0, 0, 1)", "check whether the matrix is transposed"
        )
    # In scalars: every tracker pose is checked, and array code is slow where there are only nine numbers.
    (a, b, c, _), (d, e, f, _), (g, h, i, _), _ = array.tolist()
    products = a * a + b * b + c * c - 1.0, d * d + e * e + f * f - 1.0, g * g + h * h + i * i - 1.0
    error = max(map(abs, (*products, a * d + b * e + c * f, a * g + b * h + c * i, d * g + e * h + f * i)))
    if error > ORTHONORMALITY_TOLERANCE:
        raise InvalidTransformError(
            f"a rotation off orthonormal by {error:.2g}",
            f"at most {ORTHONORMALITY_TOLERANCE:g}: no scale, no shear",
            "remove the scale, or project onto a rotation where the matrix was read",
        )
    if a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0.0:
        raise InvalidTransformError(
            "a reflection (determinant -1)", "a rotation (determinant 1)", "convert handedness where the data is read"
        )
    array.flags.writeable = False
    return array
