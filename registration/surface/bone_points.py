"""Bone seen by tracked ultrasound: points of the echo in frames become points in reference, each with its ellipsoid.

A beam is thin along its way and wide across it: a bone's echo is known to a fraction of a millimetre in depth, to a
millimetre along the row, and to the thickness of the slice out of the plane. So how well a point tells the surface
depends on how the surface is tilted to the beam. The solver is that of every swept surface (`surfaces.py`), given each
point's error along the bone's normal; it does not find the bone in a frame, whoever calls it does.

The tracker's error is another matter: it moves all points of a frame together, so that a hundred points of one frame
do not average it out. It is carried to the pose frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError
from geometry.frames import IMAGE, PROBE, REFERENCE
from geometry.points import Floats, read_only
from registration.distance.closest_point import DistanceField, ExactDistance
from registration.errors import SurfacePointsRefusedError
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.refine import SurfaceFitSettings, SurfaceRegistration, refine_on_surface

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
        tracking_sd_mm: of the probe's pose at the bone, along each axis: shared by all points of a frame.
    """

    axial_sd_mm: float = 0.3
    lateral_sd_mm: float = 0.6
    elevation_sd_mm: float = 1.2
    tracking_sd_mm: float = 0.25

    def covariance_image_mm2(self) -> Floats:
        """Of the beam, along the axes of ``image``, ``(3, 3)``.

        Raises:
            SurfacePointsRefusedError: deviations that are not positive numbers.
        """
        sd_mm = np.array([self.lateral_sd_mm, self.axial_sd_mm, self.elevation_sd_mm, self.tracking_sd_mm])
        if not (np.isfinite(sd_mm).all() and (sd_mm >= 0.0).all() and (sd_mm[:3] > 0.0).all()):
            raise SurfacePointsRefusedError(
                f"{self}", "positive standard deviations in mm", "state how precisely the echo of a bone is known"
            )
        return np.diag(sd_mm[:3] ** 2)


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
        covariance_reference_mm2: of each one's own error, ``(n, 3, 3)``.
        frame_index: the frame that each came from, ``(n,)``.
        tracking_sd_mm: along each axis, of the error that all points of a frame share.
    """

    points_reference_mm: Floats
    covariance_reference_mm2: Floats
    frame_index: NDArray[np.int64]
    tracking_sd_mm: float

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
    beam = beam or BeamSettings()
    covariance_image_mm2 = beam.covariance_image_mm2()
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
    located, ellipsoids, frame_index = (read_only(np.concatenate(parts)) for parts in (points, covariances, index))
    return BonePoints(located, ellipsoids, frame_index, beam.tracking_sd_mm)


def register_bone(
    bone: BonePoints,
    surface_ct: Surface | DistanceField,
    initial: Transform,
    landmarks: tuple[ArrayLike, ArrayLike] | None = None,
    settings: SurfaceFitSettings | None = None,
) -> SurfaceRegistration:
    """Refines `initial` (``T_reference_ct``) so that the bone's echoes lie on its surface.

    Args:
        landmarks: as for `refine_on_surface`.
        settings: ``point_noise_mm`` is not used: every point brings its own. ``offset_sd_mm`` takes in what all points
            share: the echo of a bone is drawn a little above or below it, and a wrong speed of sound shifts its depth.

    Returns:
        As `refine_on_surface`; the covariance has the tracker's error in it, `weakest_direction` tells of the rest.

    Raises:
        SurfacePointsRefusedError, LandmarksRefusedError, FrameMismatchError: as `refine_on_surface`.
    """
    if isinstance(surface_ct, Surface) and not len(surface_ct.triangles):
        raise SurfacePointsRefusedError(
            f"the surface '{surface_ct.name}' without triangles", "at least one", "check its segmentation"
        )
    field = ExactDistance(surface_ct) if isinstance(surface_ct, Surface) else surface_ct
    settings = settings or SurfaceFitSettings()
    # Where nobody knows which way the surface faces, the mean over all directions.
    noise_mm = np.sqrt(np.trace(bone.covariance_reference_mm2, axis1=1, axis2=2) / 3.0)
    pose, normals = initial, np.empty((0, 3))
    for number in range(PASSES):
        if number:
            normals = pose.rotate(field.distance(pose.inverse().apply(bone.points_reference_mm)).gradient)
            noise_mm = bone.sd_along_mm(normals)
        found = refine_on_surface(bone.points_reference_mm, field, pose, landmarks, settings, point_noise_mm=noise_mm)
        pose = found.T_reference_ct
    shared = _tracking_covariance(bone, found, normals, noise_mm, settings)
    return replace(found, uncertainty=found.uncertainty.plus(shared))


def _tracking_covariance(
    bone: BonePoints, found: SurfaceRegistration, normals: Floats, noise_mm: Floats, settings: SurfaceFitSettings
) -> Floats:
    """Covariance ``(6, 6)`` of the pose from errors that each frame's points share.

    An error e of frame f moves the solution by ``H^-1 sum_i w_i j_i n_i' e`` over its points, j being the gradient of
    their distance by the pose; H^-1 is the covariance without this error, H the information.
    """
    counts = neighbour_counts(bone.points_reference_mm, settings.correlation_length_mm, noise_mm)
    weights = np.where(found.inlier, point_weights(counts, noise_mm, settings.model_error_mm), 0.0)
    arms_mm = bone.points_reference_mm - found.uncertainty.pivot_reference_mm
    pulls = weights[:, None, None] * np.hstack([np.cross(arms_mm, normals), normals])[:, :, None] * normals[:, None]
    by_frame = np.zeros((int(bone.frame_index.max()) + 1, 6, 3))
    np.add.at(by_frame, bone.frame_index, pulls)
    moved = found.uncertainty.covariance @ by_frame
    covariance = bone.tracking_sd_mm**2 * np.einsum("fik,fjk->ij", moved, moved)
    return np.asarray((covariance + covariance.T) / 2.0, dtype=np.float64)


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
