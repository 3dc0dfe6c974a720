"""Spin calibration: the axis of a shaft that was turned about itself, and a tip's frame that lies along it.

While a tool turns about its shaft, the shaft keeps its direction in the tracker: ``R_i a`` is the same for all poses.
The unit vector `a` for which it varies least is the right singular vector of the mean rotation with the largest
singular value, since ``mean |R_i a - mean(R) a|^2 = 1 - |mean(R) a|^2``; it needs no tip and no position. SlicerIGT's
spin calibration solves the same problem from pairs of neighbouring poses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.pivot.equations import independent_poses
from calibration.pivot.errors import SpinRefusedError
from calibration.pivot.poses import named_outliers, pose_arrays
from calibration.result import Outlier
from calibration.streams import PoseStream
from geometry import Transform
from geometry.points import Bools, Floats, read_only

# The median length of a 2-D vector with unit normal components.
_MEDIAN_NORM = 1.1774
_ROUNDS = 20
_EXACT_RAD = 1e-12


@dataclass(frozen=True, kw_only=True)
class SpinSettings:
    """What a spin must bring before its axis is believed.

    Attributes:
        minimum_poses: fewer poses than this, before or after rejection, are refused.
        minimum_turn_rms_rad: least RMS turn about the axis, in rad; a full even turn gives 104 degrees, a quarter to
            and fro 26 degrees.
        maximum_wobble_ratio: largest RMS wobble of the axis over the RMS turn about it: above, it did not turn about
            one axis.
        maximum_axis_error_rms_rad: a larger expected error of the axis is refused.
        cutoff: poses whose axis lies farther off than this many standard deviations (of one direction) are left out.
        maximum_rejected_fraction: where more are rejected, those used are no majority.
    """

    minimum_poses: int = 30
    minimum_turn_rms_rad: float = np.deg2rad(20.0)
    maximum_wobble_ratio: float = 0.2
    maximum_axis_error_rms_rad: float = np.deg2rad(0.5)
    cutoff: float = 4.685
    maximum_rejected_fraction: float = 0.5


@dataclass(frozen=True, eq=False)
class SpinCalibration:
    """Which way the shaft of a tool points, seen from its marker, and how well that is known.

    Attributes:
        axis_stylus: unit vector in the marker's frame, ``(3,)``; its sign is that of `towards`, see `calibrate_spin`.
        axis_covariance_rad2: covariance of a small turn of the axis, ``(3, 3)`` in rad^2 along the marker's axes; none
            about the axis itself.
        expected_axis_error_rms_rad: square root of that covariance's trace.
        wobble_rms_rad: RMS angle between the axis of each pose used and its mean in the tracker.
        wobble_p95_rad: 95 % of the poses used are nearer.
        turn_rms_rad: RMS turn of the tool about the axis.
        n_used: number of poses that it was computed from.
        outliers: the poses that were left out; their residuals are angles in degrees.
        marker_frame: the poses' ``from_frame``.
    """

    axis_stylus: Floats
    axis_covariance_rad2: Floats
    expected_axis_error_rms_rad: float
    wobble_rms_rad: float
    wobble_p95_rad: float
    turn_rms_rad: float
    n_used: int
    outliers: tuple[Outlier, ...]
    marker_frame: str

    def T_stylus_stylus_tip(self, tip_stylus_mm: Floats) -> Transform:
        """The tip's frame at a calibrated tip ``(3,)``: z along the axis, x as near to the marker's x as can be.

        The turn about the shaft is a convention; nothing that was measured says more.
        """
        return shaft_frame(tip_stylus_mm, self.axis_stylus, self.marker_frame)


def shaft_frame(tip_stylus_mm: Floats, axis_stylus: Floats, marker_frame: str) -> Transform:
    """``T_stylus_stylus_tip`` with z along a unit vector and x as near to the marker's x, or else y, as can be."""
    nearest = np.eye(3)[0] if abs(axis_stylus[0]) < 0.9 else np.eye(3)[1]
    x = nearest - (nearest @ axis_stylus) * axis_stylus
    x /= np.linalg.norm(x)
    columns = np.column_stack([x, np.cross(axis_stylus, x), axis_stylus])
    return Transform.from_rotation(Rotation.from_matrix(columns), tip_stylus_mm, marker_frame, f"{marker_frame}_tip")


def calibrate_spin(
    poses_tracker_stylus: Sequence[Transform] | PoseStream, towards: Floats | None, settings: SpinSettings | None = None
) -> SpinCalibration:
    """Finds the axis from poses ``T_tracker_stylus`` taken while the tool turned about its shaft.

    Args:
        towards: a direction in the marker's frame, ``(3,)``, that the axis shall point along rather than against, such
            as the calibrated tip for an axis from the marker to the tip: the motion alone leaves the sign open.
            None where the sign does not matter.

    Raises:
        SpinRefusedError: too few poses, hardly turned, turned about no single axis, an axis that noise leaves unknown,
            or `towards` at right angles to it.
        FrameMismatchError: poses between different frames.
    """
    settings = settings or SpinSettings()
    matrices, times_s, marker_frame = pose_arrays(poses_tracker_stylus, settings.minimum_poses, SpinRefusedError)
    rotations = matrices[:, :3, :3]
    used = _those_about_one_axis(rotations, settings)
    _check_majority(used, settings)
    axis, left = _axis(rotations, used)
    wobble_rms_rad = float(np.sqrt(np.mean(np.sum(left[used] ** 2, axis=1))))
    turn_rms_rad = _turn_rms_rad(rotations[used], axis)
    _check_motion(turn_rms_rad, wobble_rms_rad, settings)
    covariance_rad2 = _covariance_rad2(rotations[used], axis, left[used])
    expected_rad = float(np.sqrt(np.trace(covariance_rad2)))
    _check_expected(expected_rad, turn_rms_rad, settings)
    degrees = np.rad2deg(np.linalg.norm(left, axis=1))
    return SpinCalibration(
        axis_stylus=read_only(axis if towards is None else axis * _sign(axis, towards)),
        axis_covariance_rad2=read_only(covariance_rad2),
        expected_axis_error_rms_rad=expected_rad,
        wobble_rms_rad=wobble_rms_rad,
        wobble_p95_rad=float(np.percentile(np.linalg.norm(left[used], axis=1), 95.0)),
        turn_rms_rad=turn_rms_rad,
        n_used=int(used.sum()),
        outliers=named_outliers(used, times_s, degrees),
        marker_frame=marker_frame,
    )


def _axis(rotations: Floats, used: Bools) -> tuple[Floats, Floats]:
    """The axis in the marker's frame, and by how much that of each pose is off its mean in the tracker, ``(n, 3)``."""
    axis = np.linalg.svd(rotations[used].mean(axis=0))[2][0]
    directions = rotations @ axis
    mean = directions[used].mean(axis=0)
    return axis, directions - mean / np.linalg.norm(mean)


def _those_about_one_axis(rotations: Floats, settings: SpinSettings) -> Bools:
    """Which poses turn about one axis: by the median wobble of random triples' axes, then in turn with its scale."""
    count = len(rotations)
    triples = np.random.default_rng(0).integers(count, size=(120, 3))
    axes = np.linalg.svd(rotations[triples].mean(axis=1))[2][:, 0]
    seen = np.einsum("hkij,hj->hi", rotations[triples], axes) / 3.0
    shown = rotations[np.unique(np.linspace(0, count - 1, 200).astype(int))]
    off = np.linalg.norm(np.einsum("nij,hj->hni", shown, axes) - seen[:, None], axis=2)
    # A triple of about the same turn fits any axis: the motion must be seen in it.
    turns = np.linalg.norm(rotations[triples[:, 0]] - rotations[triples[:, 1]], axis=(1, 2))
    medians = np.where(turns > 0.3 * turns.max(), np.median(off, axis=1), np.inf)
    best = int(np.argmin(medians))
    lengths = np.linalg.norm(rotations @ axes[best] - seen[best], axis=1)
    scale = max(float(np.median(lengths)) / _MEDIAN_NORM, _EXACT_RAD)
    used = lengths < settings.cutoff * scale
    for _ in range(_ROUNDS):
        _, left = _axis(rotations, used)
        lengths = np.linalg.norm(left, axis=1)
        scale = max(float(np.sqrt(np.mean(lengths[used] ** 2) / 2.0)), _EXACT_RAD)
        before, used = used, lengths < settings.cutoff * scale
        if np.array_equal(before, used) or not used.any():
            break
    return used


def _turn_rms_rad(rotations: Floats, axis: Floats) -> float:
    """RMS turn about the axis, from its mean."""
    turned = rotations[0].T @ rotations
    skew = (turned - turned.transpose(0, 2, 1))[:, [2, 0, 1], [1, 2, 0]]
    cosines = np.trace(turned, axis1=1, axis2=2) - np.einsum("i,nij,j->n", axis, turned, axis)
    angles = np.sort(np.arctan2(skew @ axis, cosines))
    # The circle is cut where the tool never was.
    cut = int(np.argmax(np.diff(np.append(angles, angles[0] + 2.0 * np.pi)))) + 1
    return float(np.std(np.concatenate([angles[cut:], angles[:cut] + 2.0 * np.pi])))


def _covariance_rad2(rotations: Floats, axis: Floats, left: Floats) -> Floats:
    """Covariance of a small turn of the axis, by the sandwich estimator, with poses that repeat their neighbours.

    A turn of the axis by d moves ``R_i a`` by ``R_i d``, and its mean by ``mean(R) d``.
    """
    count = len(rotations)
    side = np.linalg.svd(axis[None, :])[2][1:].T
    design = (rotations - rotations.mean(axis=0)) @ side
    inverse = np.linalg.inv(np.einsum("nij,nik->jk", design, design))
    gradients = np.einsum("nij,ni->nj", design, left)
    repetition = count / independent_poses(left)
    # Four parameters, two of the axis and two of its mean direction, from two equations a pose.
    scatter = inverse @ (gradients.T @ gradients) @ inverse * (repetition * count / (count - 2.0))
    covariance: Floats = side @ scatter @ side.T
    return covariance


def _sign(axis: Floats, towards: Floats) -> float:
    along = float(axis @ (np.asarray(towards, dtype=np.float64) / np.linalg.norm(towards)))
    if abs(along) < np.sin(np.deg2rad(5.0)):
        raise SpinRefusedError(
            f"a direction at {np.rad2deg(np.arccos(abs(along))):.0f} degrees to the axis",
            "one that tells its two ends apart: within 85 degrees of it",
            "pass the tip, or the direction from the handle to the tip",
        )
    return 1.0 if along > 0.0 else -1.0


def _check_majority(used: Bools, settings: SpinSettings) -> None:
    n_rejected = int((~used).sum())
    if n_rejected > settings.maximum_rejected_fraction * len(used) or used.sum() < settings.minimum_poses:
        raise SpinRefusedError(
            f"{n_rejected} of {len(used)} poses that do not turn about one axis",
            f"at most {settings.maximum_rejected_fraction:.0%} rejected, and {settings.minimum_poses} or more used",
            "hold the shaft in a sleeve or a hole, so that it turns about itself only, and repeat it",
        )


def _check_motion(turn_rms_rad: float, wobble_rms_rad: float, settings: SpinSettings) -> None:
    turn, wobble = np.rad2deg(turn_rms_rad), np.rad2deg(wobble_rms_rad)
    if turn_rms_rad < settings.minimum_turn_rms_rad:
        raise SpinRefusedError(
            f"a tool that hardly turned about its shaft: by {turn:.1f} degrees RMS",
            f"at least {np.rad2deg(settings.minimum_turn_rms_rad):.0f} degrees RMS",
            "turn it about its shaft by a full turn, or as far as its marker stays in view, to and fro",
        )
    if wobble_rms_rad > settings.maximum_wobble_ratio * turn_rms_rad:
        raise SpinRefusedError(
            f"a shaft that tilted by {wobble:.1f} degrees RMS while it turned by {turn:.1f}",
            f"at most {settings.maximum_wobble_ratio:.0%} of the turn",
            "keep the shaft still and turn it about itself only; tilting it is what a pivot needs",
        )


def _check_expected(expected_rad: float, turn_rms_rad: float, settings: SpinSettings) -> None:
    if expected_rad > settings.maximum_axis_error_rms_rad:
        raise SpinRefusedError(
            f"an axis known to {np.rad2deg(expected_rad):.2f} degrees RMS only, after {np.rad2deg(turn_rms_rad):.0f} "
            "degrees RMS of turn",
            f"at most {np.rad2deg(settings.maximum_axis_error_rms_rad):.2g} degrees",
            "turn it farther and for longer, and keep the shaft still",
        )
