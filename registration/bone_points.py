"""Bone seen by tracked ultrasound: points of the echo in frames become points in reference, each with its ellipsoid.

A beam is thin along its way and wide across it: a bone's echo is known to a fraction of a millimetre in depth, to a
millimetre along the row, and to the thickness of the slice out of the plane. So how well a point tells the surface
depends on how the surface is tilted to the beam. The solver is that of every swept surface (`surfaces.py`), given each
point's error along the bone's normal; it does not find the bone in a frame, whoever calls it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError
from geometry.frames import IMAGE, PROBE, REFERENCE
from geometry.points import Floats, read_only
from registration.closest_point import DistanceField, ExactDistance
from registration.errors import SurfacePointsRefusedError
from registration.surfaces import SurfaceRegistration, SurfaceSettings, refine_on_surface

# Beyond this a pixel is no pixel of a scanner but metres, or the size of the frame.
LARGEST_PIXEL_MM = 2.0
# The normals, and with them the noise, are looked up anew at each pose: the second pose moves by micrometres.
PASSES = 3


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """How precisely the echo of a bone is localised, standard deviations.

    Attributes:
        axial_sd_mm: along the beam: length of the pulse, and where on its echo the bone was marked.
        lateral_sd_mm: along the row: width of the beam in the plane.
        elevation_sd_mm: out of the plane: thickness of the slice; it differs most between probes, measure it.
        tracking_sd_mm: of the probe's pose at the point, the same along all axes.
    """

    axial_sd_mm: float = 0.3
    lateral_sd_mm: float = 0.6
    elevation_sd_mm: float = 1.2
    tracking_sd_mm: float = 0.25

    def covariance_image_mm2(self) -> Floats:
        """Along the axes of ``image``, ``(3, 3)``.

        Raises:
            SurfacePointsRefusedError: deviations that are not positive numbers.
        """
        sd_mm = np.array([self.lateral_sd_mm, self.axial_sd_mm, self.elevation_sd_mm, self.tracking_sd_mm])
        if not (np.isfinite(sd_mm).all() and (sd_mm >= 0.0).all() and (sd_mm[:3] > 0.0).all()):
            raise SurfacePointsRefusedError(
                f"{self}", "positive standard deviations in mm", "state how precisely the echo of a bone is known"
            )
        return np.diag(sd_mm[:3] ** 2 + sd_mm[3] ** 2)


@dataclass(frozen=True, eq=False)
class BoneEcho:
    """What one frame shows of the bone.

    Attributes:
        points_image_px: ``(n, 2)``: x along the row, y down the depth; n may be 0.
        T_reference_probe: pose of the probe when the frame was taken.
    """

    points_image_px: Floats
    T_reference_probe: Transform


@dataclass(frozen=True, eq=False)
class BonePoints:
    """Points of the bone.

    Attributes:
        points_reference_mm: ``(n, 3)``.
        covariance_reference_mm2: of each, ``(n, 3, 3)``.
        frame_index: the frame that each came from, ``(n,)``.
    """

    points_reference_mm: Floats
    covariance_reference_mm2: Floats
    frame_index: NDArray[np.int64]

    def sd_along_mm(self, directions_reference: Floats) -> Floats:
        """Standard deviation of each point along a unit vector, both ``(n, 3)`` in reference."""
        variance_mm2 = np.einsum(
            "ni,nij,nj->n", directions_reference, self.covariance_reference_mm2, directions_reference
        )
        return np.asarray(np.sqrt(variance_mm2), dtype=np.float64)


def locate_bone_points(
    echoes: Sequence[BoneEcho],
    T_probe_image: Transform,
    pixel_mm: tuple[float, float],
    beam: BeamSettings | None = None,
) -> BonePoints:
    """Pixels to reference.

    Args:
        T_probe_image: the probe's calibration, from ``image`` scaled to mm.
        pixel_mm: size of a pixel along x and y.

    Raises:
        SurfacePointsRefusedError: no points, NaN, another shape, a pixel that is none.
        FrameMismatchError: transforms between other frames.
    """
    covariance_image_mm2 = (beam or BeamSettings()).covariance_image_mm2()
    scale = _checked_pixel(pixel_mm)
    _check_frames(T_probe_image, (PROBE, IMAGE), "the calibration")
    points, covariances, index = [], [], []
    for number, echo in enumerate(echoes):
        _check_frames(echo.T_reference_probe, (REFERENCE, PROBE), f"the pose of frame {number}")
        pixels = _checked_pixels(echo.points_image_px, number)
        T_reference_image = echo.T_reference_probe @ T_probe_image
        points.append(T_reference_image.apply(np.column_stack([pixels * scale, np.zeros(len(pixels))])))
        rotation = T_reference_image.rotation_matrix
        covariances.append(np.broadcast_to(rotation @ covariance_image_mm2 @ rotation.T, (len(pixels), 3, 3)))
        index.append(np.full(len(pixels), number))
    if not sum(map(len, points)):
        raise SurfacePointsRefusedError(
            f"{len(echoes)} ultrasound frames without a point of bone", "at least one", "mark the bone's echo"
        )
    return BonePoints(
        read_only(np.concatenate(points)), read_only(np.concatenate(covariances)), read_only(np.concatenate(index))
    )


def register_bone(
    bone: BonePoints,
    surface_ct: Surface | DistanceField,
    initial: Transform,
    landmarks: tuple[ArrayLike, ArrayLike] | None = None,
    settings: SurfaceSettings | None = None,
) -> SurfaceRegistration:
    """Refines `initial` (``T_reference_ct``) so that the bone's echoes lie on its surface.

    Args:
        landmarks: as for `refine_on_surface`.
        settings: ``point_noise_mm`` is not used: every point brings its own. ``offset_sd_mm`` takes in what all points
            share: the echo of a bone is drawn a little above or below it, and a wrong speed of sound shifts its depth.

    Raises:
        SurfacePointsRefusedError, LandmarksRefusedError, FrameMismatchError: as `refine_on_surface`.
    """
    if isinstance(surface_ct, Surface) and not len(surface_ct.triangles):
        raise SurfacePointsRefusedError(
            f"the surface '{surface_ct.name}' without triangles", "at least one", "check its segmentation"
        )
    field = ExactDistance(surface_ct) if isinstance(surface_ct, Surface) else surface_ct
    # Where nobody knows which way the surface faces, the mean over all directions.
    mean_variance_mm2 = np.trace(bone.covariance_reference_mm2, axis1=1, axis2=2) / 3.0
    noise_mm, pose = np.sqrt(mean_variance_mm2), initial
    found = refine_on_surface(bone.points_reference_mm, field, pose, landmarks, settings, point_noise_mm=noise_mm)
    for _ in range(PASSES - 1):
        pose = found.T_reference_ct
        gradient = field.distance(pose.inverse().apply(bone.points_reference_mm)).gradient
        noise_mm = bone.sd_along_mm(pose.rotate(gradient))
        found = refine_on_surface(bone.points_reference_mm, field, pose, landmarks, settings, point_noise_mm=noise_mm)
    return found


def _checked_pixel(pixel_mm: tuple[float, float]) -> Floats:
    scale = np.asarray(pixel_mm, dtype=np.float64)
    if scale.shape != (2,) or not np.isfinite(scale).all() or not ((scale > 0.0) & (scale < LARGEST_PIXEL_MM)).all():
        raise SurfacePointsRefusedError(
            f"pixels of {pixel_mm!r} mm",
            f"two sizes above 0 and under {LARGEST_PIXEL_MM:g} mm, along x and y",
            "pass the size of a pixel, not of the frame, in mm",
        )
    return scale


def _checked_pixels(points_px: ArrayLike, number: int) -> Floats:
    pixels = np.asarray(points_px, dtype=np.float64)
    if pixels.size == 0:
        return np.empty((0, 2))
    if pixels.ndim != 2 or pixels.shape[1] != 2 or not np.isfinite(pixels).all():
        raise SurfacePointsRefusedError(
            f"points of shape {pixels.shape} in frame {number}, or not finite",
            "finite (n, 2): x along the row, y down the depth, in px",
            "leave out what was not seen",
        )
    return pixels


def _check_frames(transform: Transform, allowed: tuple[str, str], what: str) -> None:
    if (transform.to_frame, transform.from_frame) != allowed:
        raise FrameMismatchError(f"{transform} as {what}", f"T_{allowed[0]}_{allowed[1]}", "invert it, or use another")
