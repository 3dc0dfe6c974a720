"""Whether the squares of a board have their stated size: what can show it, and how.

Pictures of a board by one camera, or by several of unknown distance, look the same for a board that is larger and
farther away by the same factor: nothing in them can show a wrong size, and the lens comes out right all the same.
The places of tools and of the cameras do not: they err by that factor. It takes a length from elsewhere: the printed
ruler, the distance between two cameras, or the motion of a board that a tracker sees as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.errors import CameraRefusedError
from geometry.points import Floats

RULER_MM = 100.0  # as `surgnav room print` prints it
UNCHECKED = (
    "nothing here shows whether the squares have their stated size: pictures of one camera look the same for a larger "
    "board farther away; measure the printed ruler and give --ruler-mm"
)
# Read off a ruler by eye; and how well a distance between cameras is known from outside them.
_READ_MM = 0.25
_STATED_SHARE = 0.005
_SIGMAS = 3.0
_LARGEST_MISPRINT = 0.2
_LEAST_TURN_RAD = np.deg2rad(10.0)


def ruler_scale(ruler_mm: float) -> float:
    """How many times larger than stated the squares are, by what the printed ruler of 100 mm measures.

    Raises:
        CameraRefusedError: a length that is no misprint of 100 mm.
    """
    scale = ruler_mm / RULER_MM
    if not abs(scale - 1.0) <= _LARGEST_MISPRINT:
        raise CameraRefusedError(
            f"a printed ruler of {ruler_mm:g} mm",
            f"{RULER_MM:g} mm, or up to {_LARGEST_MISPRINT:.0%} more or less by a printer that scaled the page",
            "measure all of the ruler, from 0 to 100, in millimetres; print the page again at 100 %",
        )
    return scale


def ruler_sentence(ruler_mm: float, square_mm: float) -> str:
    """What the ruler says of squares that were meant to be `square_mm`."""
    scale = ruler_scale(ruler_mm)
    if abs(ruler_mm - RULER_MM) <= _READ_MM:
        return f"the printed ruler measures {ruler_mm:g} mm: the squares have their stated size"
    return (
        f"the printed ruler measures {ruler_mm:g} mm in place of {RULER_MM:g}: the page was printed "
        f"{scale - 1.0:+.1%} off, and its squares are taken as {square_mm * scale:.2f} mm, not {square_mm:g}"
    )


def baseline_fault(found_mm: float, sd_mm: float, stated_mm: float, square_mm: float) -> str | None:
    """What is wrong where two cameras come out at another distance than they are known to have; None if nothing is."""
    if abs(found_mm - stated_mm) <= np.hypot(_SIGMAS * sd_mm, _SIGMAS * _STATED_SHARE * stated_mm):
        return None
    return (
        f"wrong square size: the cameras come out {found_mm:.1f} mm apart and are {stated_mm:g} mm apart, so that "
        f"the squares are {square_mm * stated_mm / found_mm:.2f} mm, not {square_mm:g}; measure them, or "
        "correct the distance"
    )


@dataclass(frozen=True)
class MotionScale:
    """What the motion of a tracked board says of its size.

    Attributes:
        scale: how many times larger the board is than stated.
        sd: its standard deviation.
        residual_rms_mm: between the two motions, at the size found.
    """

    scale: float
    sd: float
    residual_rms_mm: float

    def fault(self, square_mm: float) -> str | None:
        """What is wrong; None if the stated size agrees."""
        if abs(self.scale - 1.0) <= np.hypot(_SIGMAS * self.sd, _STATED_SHARE):
            return None
        return (
            f"wrong square size: the tracker sees the board move {self.scale:.3f} times (standard deviation "
            f"{self.sd:.3f}) as far as the camera does, so that the squares are {square_mm * self.scale:.2f} mm, not "
            f"{square_mm:g}; measure them"
        )


def motion_scale(T_camera_board: Floats, T_tracker_marker: Floats) -> MotionScale:
    """The size of a board from its poses ``(n, 4, 4)`` in a fixed camera, and those of a marker on it in a tracker.

    Where camera and tracker stand, and where the marker sits on the board, may be unknown: with the rotations known,
    ``s t_camera_i = R_Y (R_i t_X + t_i) + t_Y`` is linear in the scale `s` and in both unknown places.

    Raises:
        CameraRefusedError: fewer than 5 poses, or too little turning to part the size from the unknown places.
    """
    count = len(T_camera_board)
    turns = [Rotation.from_matrix(each[:, :3, :3]) for each in (T_camera_board, T_tracker_marker)]
    seen, tracked = ((each[1:] * each[0].inv()).as_rotvec() for each in turns)
    if count < 5 or np.linalg.svd(seen, compute_uv=False)[1] < _LEAST_TURN_RAD:
        raise CameraRefusedError(
            f"{count} poses of the tracked board that turn too little about a second axis",
            "at least 5 poses, turned by 10 degrees and more about two axes",
            "hold the board in more different ways",
        )
    to_camera = Rotation.align_vectors(seen, tracked)[0].as_matrix()
    rows = np.zeros((count, 3, 7))
    rows[:, :, 0] = T_camera_board[:, :3, 3]
    rows[:, :, 1:4] = -to_camera @ T_tracker_marker[:, :3, :3]
    rows[:, :, 4:] = -np.eye(3)
    right = (T_tracker_marker[:, :3, 3] @ to_camera.T).ravel()
    flat = rows.reshape(-1, 7)
    answer = np.linalg.lstsq(flat, right, rcond=None)[0]
    residuals = flat @ answer - right
    variance = float(residuals @ residuals) / max(len(right) - 7, 1)
    covariance = variance * np.linalg.inv(flat.T @ flat)
    rms_mm = float(np.sqrt(np.mean(residuals**2) * 3.0))
    return MotionScale(float(answer[0]), float(np.sqrt(covariance[0, 0])), rms_mm)
