"""A sweep of tracked ultrasound over bone: its points, and the errors that all of them share.

The probe's map from pixels to its marker, the lag between images and poses, the speed of sound and the scale of the CT
are each one number, or a few, in the whole sweep. However many points it has, their errors do not average out. How each
of them moves each point is known, so that they can be estimated beside the pose (`bone_errors.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from geometry import Transform
from geometry.errors import FrameMismatchError
from geometry.frames import PROBE, REFERENCE
from geometry.points import Floats, read_only
from registration.errors import SurfacePointsRefusedError
from registration.surface.bone_points import BeamSettings, BonePoints

# Indices of the shared errors: of the map's u, v and origin (9, mm per px and mm), of the lag in s, and, relative, of
# the speed of sound and of the CT's scale.
MAP, LAG, SOUND, SCALE = slice(0, 9), 9, 10, 11
SHARED = 12


@dataclass(frozen=True, kw_only=True)
class SweepErrors:
    """What is assumed of a sweep's errors.

    Attributes:
        beam: how well the echo of a bone is localised in its frame.
        sound_sd: relative standard deviation of the speed of sound against that which the scanner takes: tissue lies
            within some 2 % of 1540 m/s.
        offset_sd_mm: standard deviation of what all points lie too far out: where in its echo bone is marked.
        model_error_mm, correlation_length_mm: the CT's surface, as in `SurfaceFitSettings`.
        apart_mm: points of one frame are thinned to this distance along the row.
    """

    beam: BeamSettings = field(default_factory=BeamSettings)
    sound_sd: float = 0.012
    offset_sd_mm: float = 0.4
    model_error_mm: float = 0.5
    correlation_length_mm: float = 10.0
    apart_mm: float = 1.5


@dataclass(frozen=True, eq=False)
class ProbeMap:
    """A probe's calibration: from pixels to the frame of its marker, and its lag's error.

    Attributes:
        columns_mm: ``[u, v, origin]`` as columns ``(3, 3)``: a place is ``u x + v y + origin``, in mm.
        covariance: of ``(u, v, origin)``, ``(9, 9)``.
        lag_sd_s: standard deviation of the lag by which the frames' poses were taken.
        width_px: of its images.
        face_px: middle of the transducer's face, x and y in px.
        radius_mm: of the face of a convex probe, whose beams spread; 0 of a linear one.
    """

    columns_mm: Floats
    covariance: Floats
    lag_sd_s: float
    width_px: int
    face_px: tuple[float, float]
    radius_mm: float = 0.0

    def beams(self, points_px: Floats) -> tuple[Floats, Floats]:
        """Unit directions ``(n, 2)`` in the image, away from the face, of the beams of points ``(n, 2)``, and depths.

        Both in mm of the image's axes, which are taken as being at a right angle.
        """
        pixel_mm = np.linalg.norm(self.columns_mm[:, :2], axis=0)
        from_face_mm = (points_px - self.face_px) * pixel_mm
        if not self.radius_mm:
            return np.tile([0.0, 1.0], (len(points_px), 1)), from_face_mm[:, 1]
        from_apex_mm = from_face_mm + [0.0, self.radius_mm]
        reach_mm = np.linalg.norm(from_apex_mm, axis=1)
        return from_apex_mm / reach_mm[:, None], reach_mm - self.radius_mm


@dataclass(frozen=True, eq=False)
class TrackedBone:
    """The bone that was found in one frame.

    Attributes:
        points_px: ``(n, 2)``: x along the row, y along the depth; n may be 0.
        likelihood: ``(n,)`` above 0; a point with half of another's counts half.
        T_reference_probe: the probe's pose at the instant that the image shows, the lag included.
        twist: the probe's speed then: rad/s and mm/s of its origin ``(6,)``, along the axes of ``reference``.
    """

    points_px: Floats
    likelihood: Floats
    T_reference_probe: Transform
    twist: Floats


@dataclass(frozen=True, eq=False)
class BoneSweep:
    """n points of bone in reference.

    Attributes:
        bone: the points, each with the covariance of its own error.
        beams: unit directions of the beams ``(n, 3)`` in reference, away from the probe.
        moved: by how much each shared error moves each point, ``(n, 3, 12)``, in mm per unit of the error.
        prior: covariance ``(12, 12)`` of the shared errors.
        path_mm: length of the way that the middle of the images took.
    """

    bone: BonePoints
    beams: Floats
    moved: Floats
    prior: Floats
    path_mm: float

    def __len__(self) -> int:
        return len(self.beams)

    @property
    def frames(self) -> int:
        """Number of frames with bone."""
        return len(np.unique(self.bone.frame_index))

    def corrected(self, errors: Floats) -> BoneSweep:
        """The points without the shared errors ``(12,)``."""
        points = self.bone.points_reference_mm - self.moved @ errors
        return replace(self, bone=replace(self.bone, points_reference_mm=read_only(points)))

    def taken(self, chosen: NDArray[np.bool_]) -> BoneSweep:
        """The points of a mask ``(n,)``."""
        bone = self.bone
        points = replace(
            bone,
            points_reference_mm=read_only(bone.points_reference_mm[chosen]),
            covariance_reference_mm2=read_only(bone.covariance_reference_mm2[chosen]),
            frame_index=read_only(bone.frame_index[chosen]),
        )
        return replace(self, bone=points, beams=self.beams[chosen], moved=self.moved[chosen])


def locate_bone_sweep(
    frames: Sequence[TrackedBone], probe: ProbeMap, scale_sd: float, errors: SweepErrors | None = None
) -> BoneSweep:
    """Maps the bone of tracked frames to reference.

    Args:
        frames: in the order of time.
        probe: its calibration.
        scale_sd: relative standard deviation of the CT's scale.
        errors: as assumed of the sweep.

    Raises:
        SurfacePointsRefusedError: no points, or some that are not finite, or of another shape.
        FrameMismatchError: poses between other frames.
    """
    errors = errors or SweepErrors()
    apart_px = errors.apart_mm / float(np.linalg.norm(probe.columns_mm[:, 0]))
    thinned = [_thinned(frame, number, apart_px) for number, frame in enumerate(frames)]
    if not sum(len(frame.points_px) for frame in thinned):
        raise SurfacePointsRefusedError(
            f"{len(frames)} frames of ultrasound, in none of which bone was found",
            "frames with the echo of bone and the shadow below it",
            "move the probe over the vertebrae, and press until the bone is seen",
        )
    likelihood = np.concatenate([frame.likelihood for frame in thinned])
    share = np.minimum(likelihood / np.percentile(likelihood, 75), 1.0)
    index = np.repeat(np.arange(len(thinned)), [len(frame.points_px) for frame in thinned])
    points, moved, axes = (np.concatenate(parts) for parts in zip(*(_placed(f, probe) for f in thinned), strict=True))
    covariance = axes @ errors.beam.covariance_image_mm2() @ axes.transpose(0, 2, 1)
    moved[:, :, SCALE] = points - points.mean(axis=0)
    middles = np.stack([frame.T_reference_probe.apply(probe.columns_mm[:, 2]) for frame in thinned])
    bone = BonePoints(
        read_only(points), read_only(covariance / share[:, None, None]), read_only(index), errors.beam.tracking_sd_mm
    )
    prior = block_diag(probe.covariance, probe.lag_sd_s**2, errors.sound_sd**2, scale_sd**2)
    path_mm = float(np.linalg.norm(np.diff(middles, axis=0), axis=1).sum())
    return BoneSweep(bone, axes[:, :, 1], moved, prior, path_mm)


def _thinned(frame: TrackedBone, number: int, apart_px: float) -> TrackedBone:
    """The first point in each strip of columns."""
    points, likelihood = np.asarray(frame.points_px, np.float64), np.asarray(frame.likelihood, np.float64)
    if points.size == 0:
        points, likelihood = np.empty((0, 2)), np.empty(0)
    fits = points.ndim == 2 and points.shape[1] == 2 and likelihood.shape == (len(points),)
    if not fits or not np.isfinite(points).all() or not (likelihood > 0.0).all() or np.shape(frame.twist) != (6,):
        raise SurfacePointsRefusedError(
            f"bone in frame {number} of shape {points.shape} with likelihoods of shape {likelihood.shape}, not finite "
            f"or not above 0, or a speed of shape {np.shape(frame.twist)}",
            "finite (n, 2) in px, (n,) above 0, and (6,)",
            "leave out points where no bone was seen",
        )
    if (frame.T_reference_probe.to_frame, frame.T_reference_probe.from_frame) != (REFERENCE, PROBE):
        raise FrameMismatchError(
            f"{frame.T_reference_probe} as the pose of frame {number}",
            f"T_{REFERENCE}_{PROBE}",
            "pass the probe's pose relative to the reference",
        )
    first = np.sort(np.unique(np.floor(points[:, 0] / apart_px), return_index=True)[1])
    return replace(frame, points_px=points[first], likelihood=likelihood[first])


def _placed(frame: TrackedBone, probe: ProbeMap) -> tuple[Floats, Floats, Floats]:
    """Points ``(n, 3)`` in reference, how the shared errors but the scale move them, and the axes of their beams.

    The axes are unit vectors across the beam, along it and out of the plane, as columns ``(n, 3, 3)`` in reference.
    """
    pixels, turn, count = frame.points_px, frame.T_reference_probe.rotation_matrix, len(frame.points_px)
    levers = (pixels @ probe.columns_mm[:, :2].T + probe.columns_mm[:, 2]) @ turn.T
    x, y = (turn @ (probe.columns_mm[:, k] / np.linalg.norm(probe.columns_mm[:, k])) for k in (0, 1))
    normal = np.cross(x, y)
    (along, deep_mm), out = probe.beams(pixels), normal / np.linalg.norm(normal)
    beams = along[:, :1] * x + along[:, 1:] * y
    axes = np.stack([np.cross(beams, out), beams, np.tile(out, (count, 1))], axis=2)
    moved = np.zeros((count, 3, SHARED))
    weights = np.column_stack([pixels, np.ones(count)])
    moved[:, :, MAP] = np.einsum("na,ij->niaj", weights, turn).reshape(count, 3, 9)
    moved[:, :, LAG] = np.cross(frame.twist[:3], levers) + frame.twist[3:]
    moved[:, :, SOUND] = deep_mm[:, None] * beams
    return levers + frame.T_reference_probe.translation_mm, moved, axes
