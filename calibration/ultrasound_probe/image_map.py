"""From a pixel of an ultrasound image to the probe's frame: origin, spacing, skew and rotation, with covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.errors import ProbeInputError
from geometry import Transform
from geometry.frames import IMAGE, PROBE
from geometry.points import Floats, read_only


@dataclass(frozen=True, eq=False)
class ImageToProbe:
    """The affine map of image pixels into the probe's frame: ``p_probe = origin + x u + y v``.

    Nine numbers: two steps (of a pixel along the row, and of a pixel down the depth) and the place of the pixel (0, 0).
    They hold six of a rigid pose, the two spacings and the angle between the axes.

    Attributes:
        columns_mm: ``[u, v, origin]`` as columns, ``(3, 3)``: mm per px, mm per px, mm.
        covariance: of ``(u, v, origin)``, ``(9, 9)``, in the squares of these units.
        probe_frame: the frame of the probe's marker.

    Raises:
        ProbeInputError: other shapes, not finite, a covariance that is not symmetric and positive, or axes of an image
            that fell together.
    """

    columns_mm: Floats
    covariance: Floats
    probe_frame: str = PROBE

    def __post_init__(self) -> None:
        columns, covariance = np.array(self.columns_mm, np.float64), np.array(self.covariance, np.float64)
        shaped = columns.shape == (3, 3) and covariance.shape == (9, 9)
        if not shaped or not (np.isfinite(columns).all() and np.isfinite(covariance).all()):
            came = f"columns of shape {columns.shape} and a covariance of shape {covariance.shape}, or not finite"
            raise ProbeInputError(came, "finite (3, 3) and (9, 9)", "pass u, v and the origin as columns")
        area_mm2 = float(np.linalg.norm(np.cross(columns[:, 0], columns[:, 1])))
        steps_mm = float(np.linalg.norm(columns[:, 0]) * np.linalg.norm(columns[:, 1]))
        if not area_mm2 > 0.1 * steps_mm:
            raise ProbeInputError(
                "rows and columns of the image along the same direction of the probe",
                "axes of a plane",
                "move the probe so that both directions of the image are seen, and calibrate again",
            )
        least = float(np.linalg.eigvalsh(covariance).min())
        if not np.allclose(covariance, covariance.T) or least < -1e-9 * max(float(np.trace(covariance)), 1e-30):
            came = "a covariance that is not symmetric and positive"
            raise ProbeInputError(came, "a covariance", "report this as a fault of the program")
        object.__setattr__(self, "columns_mm", read_only(columns))
        object.__setattr__(self, "covariance", read_only(covariance))

    @property
    def spacing_x_mm(self) -> float:
        """Width of a pixel, in mm."""
        return float(np.linalg.norm(self.columns_mm[:, 0]))

    @property
    def spacing_y_mm(self) -> float:
        """Height of a pixel, in mm."""
        return float(np.linalg.norm(self.columns_mm[:, 1]))

    @property
    def skew_rad(self) -> float:
        """By how much the angle between the image's x and y is less than a right angle, in rad."""
        cosine = self.columns_mm[:, 0] @ self.columns_mm[:, 1] / (self.spacing_x_mm * self.spacing_y_mm)
        return float(np.arcsin(np.clip(cosine, -1.0, 1.0)))

    @property
    def T_probe_image(self) -> Transform:
        """The rigid part: ``image`` in mm, with its origin at the pixel (0, 0).

        Of the rotations, it takes the nearest to both axes: a skew is shared by x and y. z is out of the plane,
        ``x cross y``.
        """
        x, y = self.columns_mm[:, 0] / self.spacing_x_mm, self.columns_mm[:, 1] / self.spacing_y_mm
        middle, across = (x + y) / np.linalg.norm(x + y), (y - x) / np.linalg.norm(y - x)
        x, y = (middle - across) / np.sqrt(2.0), (middle + across) / np.sqrt(2.0)
        rotation = Rotation.from_matrix(np.column_stack([x, y, np.cross(x, y)]))
        return Transform.from_rotation(rotation, self.columns_mm[:, 2], self.probe_frame, IMAGE)

    @property
    def matrix_probe_image_px(self) -> Floats:
        """Homogeneous ``(4, 4)`` from ``(x px, y px, z, 1)`` to the probe in mm, as PLUS writes ``ImageToProbe``.

        A step of z is one mean spacing out of the plane, along ``x cross y``.
        """
        normal = np.cross(self.columns_mm[:, 0], self.columns_mm[:, 1])
        spacing_mm = 0.5 * (self.spacing_x_mm + self.spacing_y_mm)
        matrix = np.eye(4)
        matrix[:3, :2] = self.columns_mm[:, :2]
        matrix[:3, 2] = normal / np.linalg.norm(normal) * spacing_mm
        matrix[:3, 3] = self.columns_mm[:, 2]
        return matrix

    def to_probe_mm(self, points_px: Floats) -> Floats:
        """Maps image points ``(n, 2)`` in px to the probe's frame, ``(n, 3)`` in mm."""
        mapped: Floats = points_px @ self.columns_mm[:, :2].T + self.columns_mm[:, 2]
        return mapped

    def point_covariances_mm2(self, points_px: Floats) -> Floats:
        """Covariance of each mapped point in axes of the probe, ``(n, 3, 3)`` in mm^2: the map's own error alone."""
        weights = np.column_stack([points_px, np.ones(len(points_px))])
        blocks = self.covariance.reshape(3, 3, 3, 3)  # (column, axis, column, axis)
        covariances: Floats = np.einsum("na,nb,aibj->nij", weights, weights, blocks)
        return covariances

    def expected_errors_mm(self, points_px: Floats) -> Floats:
        """RMS error that is expected of each mapped point, ``(n,)`` in mm."""
        errors: Floats = np.sqrt(np.trace(self.point_covariances_mm2(points_px), axis1=1, axis2=2))
        return errors

    def rigid_covariance(self) -> Floats:
        """Covariance of `T_probe_image`, ``(6, 6)``: rotation vector in rad, then the origin in mm.

        A left perturbation in axes of the probe: ``R = exp(rotation vector) R_0``; propagated by differences.
        """
        pose = self.T_probe_image
        jacobian = np.zeros((6, 9))
        jacobian[3:, 6:] = np.eye(3)
        scale = np.repeat([self.spacing_x_mm, self.spacing_y_mm, 1.0], 3)
        for k in range(6):
            steps = np.zeros(9)
            steps[k] = 1e-6 * scale[k]
            moved = self.columns_mm + steps.reshape(3, 3).T
            turned = ImageToProbe(moved, self.covariance, self.probe_frame).T_probe_image
            jacobian[:3, k] = (turned.rotation * pose.rotation.inv()).as_rotvec() / steps[k]
        covariance: Floats = jacobian @ self.covariance @ jacobian.T
        return covariance


def columns_of(T_probe_image: Transform, spacing_x_mm: float, spacing_y_mm: float, skew_rad: float = 0.0) -> Floats:
    """``[u, v, origin]`` as columns, ``(3, 3)``, of a pose, spacings and a skew: what `ImageToProbe` takes apart."""
    half = 0.5 * skew_rad
    x = T_probe_image.rotate(np.array([np.cos(half), np.sin(half), 0.0]))
    y = T_probe_image.rotate(np.array([np.sin(half), np.cos(half), 0.0]))
    return np.column_stack([spacing_x_mm * x, spacing_y_mm * y, T_probe_image.translation_mm])
