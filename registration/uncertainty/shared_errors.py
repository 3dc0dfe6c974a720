"""Errors that many measurements share, which therefore do not average out.

The scale of the CT, the motion of the skin against the body and the slide of landmarks along the skin are additional
unknowns of the fit, each with a prior that is stated here. The measurements may narrow them down; what remains is part
of the pose's covariance. Where everything was measured on skin, the whole prior of the skin's motion remains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geometry.points import Floats
from registration.errors import InvalidCovarianceError
from registration.uncertainty.perturbation import JOINT, MOTION, SCALE, SKIN, motion_jacobian, motion_variances

# The 20 unknowns of a fit: those of `perturbation.JOINT` (13), then the slide of the landmarks on the skin (6), and the
# offset that all swept points share (1).
SLIDE = slice(JOINT, JOINT + 6)
OFFSET = JOINT + 6
UNKNOWNS = OFFSET + 1


@dataclass(frozen=True, kw_only=True)
class SharedErrors:
    """Priors of the shared errors; 0 for an error that does not occur.

    Attributes:
        scale_sd: relative standard deviation of the CT's scale: 0.003 is 0.3 %.
        skin_rms_mm: RMS displacement of all skin, touched or swept, against the body, by shift and rotation.
        slide_rms_mm: RMS displacement of all landmarks on the skin along the swept surface, in addition; skin that
            slides along itself does not change the surface.
        landmarks_on_skin: one flag per landmark: whether it lies on the skin; empty if none does.
        surface_on_skin: whether the swept surface is the skin.

    Raises:
        InvalidCovarianceError: a value that is negative or not finite.
    """

    scale_sd: float = 0.0
    skin_rms_mm: float = 0.0
    slide_rms_mm: float = 0.0
    landmarks_on_skin: tuple[bool, ...] = ()
    surface_on_skin: bool = False

    def __post_init__(self) -> None:
        values = (self.scale_sd, self.skin_rms_mm, self.slide_rms_mm)
        if not all(math.isfinite(value) and value >= 0.0 for value in values):
            raise InvalidCovarianceError(
                f"shared errors (scale, skin, slide) of {values}",
                "finite values of at least 0",
                "state each in its unit",
            )

    def skin_mask(self, count: int) -> np.ndarray:
        """Which of `count` landmarks lie on the skin, ``(count,)`` bool.

        Raises:
            InvalidCovarianceError: flags for another number of landmarks.
        """
        stated = self.landmarks_on_skin
        if len(stated) not in (0, count):
            raise InvalidCovarianceError(
                f"{len(stated)} flags of landmarks on the skin for {count} landmarks",
                "one flag per landmark, or none at all",
                "pass `landmarks_on_skin` in the order of the landmarks",
            )
        return np.array(stated, dtype=bool) if stated else np.zeros(count, dtype=bool)


@dataclass(frozen=True)
class ScaleEstimate:
    """The CT's scale as the measurements alone give it, without the prior.

    Attributes:
        scale: distances on the patient over those in the CT, minus 1.
        sd: standard deviation of `scale`.
    """

    scale: float
    sd: float

    @property
    def excess(self) -> float:
        """How many standard deviations the scale differs from 0."""
        return abs(self.scale) / self.sd if math.isfinite(self.sd) and self.sd > 0.0 else 0.0


def skin_shift_and_turn(rms_mm: float, reach_mm: float) -> tuple[float, float]:
    """Splits an RMS displacement of skin into an RMS shift in mm and an RMS rotation in rad about the pivot.

    Two thirds of the variance are assigned to the shift. An isotropic rotation of RMS angle w displaces a point at
    distance `reach_mm` by ``w sqrt(2/3) reach_mm`` RMS.
    """
    turn_rms_rad = rms_mm * math.sqrt(1.0 / 3.0) / (math.sqrt(2.0 / 3.0) * max(reach_mm, 1.0))
    return rms_mm * math.sqrt(2.0 / 3.0), turn_rms_rad


def reach_of(points_mm: Floats, pivot_mm: Floats) -> float:
    """RMS distance of points ``(n, 3)`` from a pivot, in mm."""
    return float(np.sqrt(np.mean(np.sum((points_mm - pivot_mm) ** 2, axis=1)))) if len(points_mm) else 0.0


def shared_information(shared: SharedErrors, offset_sd_mm: float, reach_mm: float) -> tuple[Floats, Floats]:
    """Prior information ``(20, 20)`` of the shared errors, and the indices of the unknowns that take part in the fit.

    Args:
        offset_sd_mm: standard deviation of the offset that all swept points share; 0 if there is none.
        reach_mm: RMS distance of the measurements on skin from the pivot (`reach_of`).
    """
    information = np.zeros((UNKNOWNS, UNKNOWNS))
    free = list(range(MOTION.stop))
    if shared.scale_sd > 0.0:
        information[SCALE, SCALE] = shared.scale_sd**-2.0
        free.append(SCALE)
    for block, rms_mm, there in (
        (SKIN, shared.skin_rms_mm, shared.surface_on_skin or any(shared.landmarks_on_skin)),
        (SLIDE, shared.slide_rms_mm, any(shared.landmarks_on_skin)),
    ):
        if rms_mm > 0.0 and there:
            variances = motion_variances(*skin_shift_and_turn(rms_mm, reach_mm))
            information[block, block] = np.diag(1.0 / np.diag(variances))
            free += range(block.start, block.stop)
    if offset_sd_mm > 0.0:
        information[OFFSET, OFFSET] = offset_sd_mm**-2.0
        free.append(OFFSET)
    return information, np.array(free)


def landmark_rows(mapped_mm: Floats, pivot_mm: Floats, on_skin: np.ndarray) -> Floats:
    """Jacobian ``(m, 3, 20)`` of landmarks mapped to reference ``(m, 3)`` by the unknowns.

    Args:
        on_skin: which landmarks move with the skin, ``(m,)`` bool.
    """
    rows = np.zeros((len(mapped_mm), 3, UNKNOWNS))
    if len(mapped_mm):
        rows[:, :, MOTION] = motion_jacobian(mapped_mm, pivot_mm)
        rows[:, :, SCALE] = mapped_mm - pivot_mm
        rows[on_skin, :, SKIN] = rows[on_skin, :, MOTION]
        rows[on_skin, :, SLIDE] = rows[on_skin, :, MOTION]
    return rows


def surface_rows(arms_mm: Floats, moments: Floats, normals: Floats, *, on_skin: bool) -> Floats:
    """Jacobian ``(n, 20)`` of the swept points' distances to the surface by the unknowns, positive where they shrink.

    Args:
        arms_mm: vectors from the pivot to the points, ``(n, 3)``.
        moments: cross products of arm and normal, ``(n, 3)``.
        normals: unit normals of the surface in reference, ``(n, 3)``.
    """
    rows = np.zeros((len(arms_mm), UNKNOWNS))
    rows[:, MOTION] = np.hstack([moments, normals])
    rows[:, SCALE] = np.einsum("ni,ni->n", normals, arms_mm)
    rows[:, OFFSET] = 1.0
    if on_skin:
        rows[:, SKIN] = rows[:, MOTION]
    return rows


def inverse_of_free(information: Floats, free: Floats) -> Floats:
    """Inverse ``(20, 20)`` over the unknowns with the indices `free`; zero for the others."""
    chosen = np.ix_(free, free)
    inverse = np.zeros_like(information)
    inverse[chosen] = np.linalg.inv(information[chosen])
    return inverse


def joint_of(covariance: Floats) -> Floats:
    """Joint covariance ``(13, 13)`` from that of all unknowns ``(20, 20)``: adds the slide to the skin's motion."""
    merge = np.zeros((JOINT, UNKNOWNS))
    merge[:, :JOINT] = np.eye(JOINT)
    merge[SKIN, SLIDE] = np.eye(6)
    joint: Floats = merge @ covariance @ merge.T
    return joint


def scale_estimate(mean: float, variance: float, scale_sd: float, inflation: float) -> ScaleEstimate | None:
    """Removes the prior from the posterior of the scale; None where the measurements say nothing about the scale.

    Args:
        mean, variance: of the posterior.
        scale_sd: standard deviation of the prior.
        inflation: factor on the measurements' variance (`noise_inflation`).
    """
    if scale_sd <= 0.0 or variance <= 0.0:
        return None
    told = 1.0 / variance - scale_sd**-2.0
    if told * scale_sd**2 < 1e-6:
        return None
    return ScaleEstimate(mean / (variance * told), math.sqrt(inflation / told))
