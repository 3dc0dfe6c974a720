"""Registration of bone points from tracked ultrasound, each with its own covariance.

The echo of a bone is localised to a fraction of a millimetre in depth, to about a millimetre along the transducer's
row, and only to the thickness of the slice out of the image plane. So a point's error along the bone's normal depends
on the angle between bone and beam. The solver is that of every swept surface (`refine.py`), given that error for each
point. Segmenting the bone in the frames is the caller's task.

The tracker's error is shared by all points of a frame and does not average out over them: it is propagated to the pose
frame by frame.
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
from registration.distance.closest_point import DistanceField
from registration.errors import SurfacePointsRefusedError
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.refine import SurfaceFitSettings, SurfaceRegistration, distance_to, refine_on_surface

# No scanner has larger pixels: a larger value is in another unit, or the size of the whole frame.
LARGEST_PIXEL_MM = 2.0
# Normals and noise are updated at each pose; after the second pass the pose changes by micrometres only.
PASSES = 3


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """Standard deviations of the localisation of a bone's echo.

    Attributes:
        axial_sd_mm: along the beam: length of the pulse, and where on its echo the bone was marked.
        lateral_sd_mm: along the transducer's row: width of the beam in the image plane.
        elevation_sd_mm: out of the image plane: thickness of the slice. It differs most between probes: measure it.
        tracking_sd_mm: error of the probe's tracked pose at the bone along each axis, shared by all points of a frame.
    """

    axial_sd_mm: float = 0.3
    lateral_sd_mm: float = 0.6
    elevation_sd_mm: float = 1.2
    tracking_sd_mm: float = 0.25

    def covariance_image_mm2(self) -> Floats:
        """Covariance ``(3, 3)`` in mm^2 of a point in the axes of ``image``, without the tracking error.

        Raises:
            SurfacePointsRefusedError: deviations that are not positive numbers.
        """
        sd_mm = np.array([self.lateral_sd_mm, self.axial_sd_mm, self.elevation_sd_mm, self.tracking_sd_mm])
        if not (np.isfinite(sd_mm).all() and (sd_mm >= 0.0).all() and (sd_mm[:3] > 0.0).all()):
            raise SurfacePointsRefusedError(
                f"beam deviations (lateral, axial, elevation, tracking) of {tuple(sd_mm.tolist())} mm",
                "positive standard deviations in mm",
                "state how precisely the echo of a bone is localised",
            )
        return np.diag(sd_mm[:3] ** 2)


@dataclass(frozen=True, eq=False)
class BoneEcho:
    """Bone points of one ultrasound frame.

    Attributes:
        points_image_px: pixels ``(n, 2)``: x along the row, y along the depth; n may be 0.
        T_reference_probe: pose of the probe when the frame was taken.
    """

    points_image_px: Floats
    T_reference_probe: Transform


@dataclass(frozen=True, eq=False)
class BonePoints:
    """n bone points in reference.

    Attributes:
        points_reference_mm: positions ``(n, 3)``.
        covariance_reference_mm2: covariance of each point's own error, ``(n, 3, 3)``.
        frame_index: index of the frame of each point, ``(n,)``.
        tracking_sd_mm: standard deviation along each axis of the error that all points of a frame share.
    """

    points_reference_mm: Floats
    covariance_reference_mm2: Floats
    frame_index: NDArray[np.int64]
    tracking_sd_mm: float

    def sd_along_mm(self, directions_reference: Floats) -> Floats:
        """Standard deviation ``(n,)`` in mm of each point along its unit vector ``(n, 3)`` in reference."""
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
    """Maps bone points from the pixels of ultrasound frames to reference.

    Args:
        echoes: points and probe pose of each frame.
        T_probe_image: the probe's calibration; ``image`` is in mm.
        pixel_mm: size of a pixel along x and y.
        beam: standard deviations of the echo's localisation.

    Raises:
        SurfacePointsRefusedError: no points, NaN, a wrong shape, or an impossible pixel size.
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
            f"{len(echoes)} ultrasound frames without a point of bone", "at least one point", "mark the bone's echo"
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
    """Refines `initial` (``T_reference_ct``) so that the bone points lie on the bone's surface.

    Args:
        bone: points of `locate_bone_points`.
        surface_ct: surface of the bone in ct, or its distance field.
        initial: pose to start from.
        landmarks: as for `refine_on_surface`.
        settings: ``point_noise_mm`` is not used, since every point has its own. ``offset_sd_mm`` covers what all points
            share: marking the echo above or below the bone, and a wrong speed of sound, which shifts the depth.

    Returns:
        As `refine_on_surface`. The covariance includes the tracker's error; `weakest_direction` does not.

    Raises:
        SurfacePointsRefusedError, LandmarksRefusedError, FrameMismatchError: as `refine_on_surface`.
    """
    field = distance_to(surface_ct)
    settings = settings or SurfaceFitSettings()
    # Before the first pass the normals are not known: the mean over all directions is used.
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
    """Covariance ``(6, 6)`` of the pose that follows from the tracking errors of the frames.

    An error e of one frame moves the solution by ``H^-1 sum_i w_i j_i n_i' e`` over its points, where j_i is the
    gradient of the point's distance by the pose, and H^-1 the covariance without this error.
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
            f"points of shape {pixels.shape} in frame {number}, of a wrong shape or not finite",
            "a finite (n, 2) array in px: x along the row, y along the depth",
            "leave out pixels where no bone was seen",
        )
    return pixels


def _check_frames(transform: Transform, allowed: tuple[str, str], what: str) -> None:
    if (transform.to_frame, transform.from_frame) != allowed:
        raise FrameMismatchError(
            f"{transform} as {what}", f"T_{allowed[0]}_{allowed[1]}", "invert the transform, or pass the right one"
        )
