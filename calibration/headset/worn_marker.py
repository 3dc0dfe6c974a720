"""Headset to tracker from a marker that is fixed to the headset: hand-eye, since nobody knows how it sits there.

The tracker sees the marker, the headset knows its own pose in its world. The marker's place on the headset is the one
unknown, the tracker's place in the world the other: ``A X = Z B`` (Zhuang, Roth and Sudhakar, IEEE T-RA 10(4), 1994).
"""

from __future__ import annotations

import numpy as np

from calibration.hand_eye.settings import HandEyeSettings
from calibration.hand_eye.streams import calibrate_hand_eye_streams
from calibration.headset.alignment import HeadsetToTracker, motion_jacobian
from calibration.headset.touches import check_expected
from calibration.streams import PoseStream
from geometry.errors import FrameMismatchError
from geometry.frames import HEADSET, TRACKER
from geometry.points import Floats, read_only

MAXIMUM_ERROR_P95_MM = 10.0


def align_by_worn_marker(
    tracker: PoseStream, headset: PoseStream, *, anchor: str, settings: HandEyeSettings | None = None
) -> HeadsetToTracker:
    """Where the tracker is in the headset's world.

    Args:
        tracker: ``T_tracker_<marker>``, the marker on the headset as the tracker saw it.
        headset: ``T_headset_<body>``, the headset's own pose in its world, on a clock of its own.
        anchor: the headset's name of the place of its world, the same for all poses.

    Raises:
        HandEyeRefusedError: as `calibrate_hand_eye_streams`: too little motion, poses not of one body, and so on.
        HeadsetRefusedError: a result that is not known well enough.
        FrameMismatchError: streams that do not lead to ``tracker`` and ``headset``.
    """
    _check_frames(tracker, headset)
    solved = calibrate_hand_eye_streams(tracker, headset, settings)
    pose = solved.T_base_world.inverse()
    covariance = _of_inverse(pose.rotation_matrix, pose.translation_mm, solved.covariance_base_world)
    # The world is taken as it was in the middle of the recording, and is used as it is at its end.
    covariance[3:, 3:] += (solved.drift_mm / 2.0) ** 2 / 3.0 * np.eye(3)
    used = np.array([True] * solved.n_used + [False] * solved.n_rejected)
    residuals_mm = np.array([solved.residual_rms_mm] * solved.n_used + [each.residual_mm for each in solved.outliers])
    offset = "" if solved.time_offset_s is None else f", clocks {1e3 * solved.time_offset_s:+.1f} ms apart"
    found = HeadsetToTracker(
        T_headset_tracker=pose,
        covariance=read_only(covariance),
        # Neighbouring poses repeat one another's error: the error in each direction is known from so many.
        degrees=max(solved.n_used / solved.repetition - 2.0, 1.0),
        anchor=anchor,
        method=f"a marker on the headset, hand-eye: {solved.method}",
        centre_tracker_mm=read_only(tracker.poses[:, :3, 3].mean(axis=0)),
        residuals_mm=read_only(residuals_mm),
        used=read_only(used),
        coverage=(
            f"{solved.n_used} of {len(used)} pairs of poses, the headset tilted by "
            f"{np.rad2deg(solved.tilt_rms_rad):.0f} degrees RMS about its least tilted axis{offset}",
            f"the headset's world moved by {solved.drift_mm:.1f} mm during the recording",
        ),
    )
    check_expected(found, MAXIMUM_ERROR_P95_MM)
    return found


def _check_frames(tracker: PoseStream, headset: PoseStream) -> None:
    if (tracker.to_frame, headset.to_frame) != (TRACKER, HEADSET):
        raise FrameMismatchError(
            f"{tracker.name} of {tracker.source} beside {headset.name} of {headset.source}",
            f"poses in '{TRACKER}' and in '{HEADSET}'",
            "name the tracker's recording of the worn marker first, then the headset's of itself",
        )


def _of_inverse(rotation: Floats, translation_mm: Floats, covariance: Floats) -> Floats:
    """Covariance of ``T^-1``'s error in the axes it leads to, from that of ``T``'s, both from the left; T^-1 is given.

    ``(exp(e) T)^-1 = T^-1 exp(-e) = exp(-Ad e) T^-1``.
    """
    adjoint = np.zeros((6, 6))
    adjoint[:3, :3] = adjoint[3:, 3:] = rotation
    # What turns about the other origin shifts this one.
    adjoint[3:, :3] = -motion_jacobian(translation_mm[None])[0, :, :3] @ rotation
    turned: Floats = adjoint @ covariance @ adjoint.T
    return turned
