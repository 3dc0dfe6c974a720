"""What many measurements have in common, so that no number of them averages it out, and how much of it is allowed for.

The scale of the CT, a motion of the skin against the body and a slide of the marks on it are unknowns of their own in
the registration, each held by what is stated here and by whatever the measurements say about it. What they leave open
is in the pose's covariance: where everything was measured on skin, the whole motion of the skin is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geometry.points import Floats
from registration.errors import InvalidCovarianceError
from registration.uncertainty.perturbation import JOINT, MOTION, SCALE, SKIN, motion_jacobian, motion_variances

# The unknowns of a fit: those of `perturbation.JOINT`, then the slide (6) of the marks on the skin, and the offset (1)
# that all swept points share.
SLIDE = slice(JOINT, JOINT + 6)
OFFSET = JOINT + 6
UNKNOWNS = OFFSET + 1


@dataclass(frozen=True, kw_only=True)
class SharedErrors:
    """How large shared errors may be; 0 where there are none.

    Attributes:
        scale_sd: standard deviation of the CT's scale: 0.003 is 0.3 %.
        skin_rms_mm: RMS length by which all skin, touched or swept, has moved against the body, shift and turn.
        slide_rms_mm: RMS length by which landmarks on the skin have moved together besides, against the swept surface:
            skin that slides along itself leaves the surface as it was.
        landmarks_on_skin: which of the landmarks lie on the skin; empty: none.
        surface_on_skin: whether the swept surface is the skin.
    """

    scale_sd: float = 0.0
    skin_rms_mm: float = 0.0
    slide_rms_mm: float = 0.0
    landmarks_on_skin: tuple[bool, ...] = ()
    surface_on_skin: bool = False

    def __post_init__(self) -> None:
        values = (self.scale_sd, self.skin_rms_mm, self.slide_rms_mm)
        if not all(math.isfinite(value) and value >= 0.0 for value in values):
            raise InvalidCovarianceError(f"shared errors of {values}", "finite, not negative", "state each in its unit")

    def skin_mask(self, count: int) -> np.ndarray:
        """Which of `count` landmarks lie on the skin, ``(count,)`` bool."""
        stated = self.landmarks_on_skin
        if len(stated) not in (0, count):
            raise InvalidCovarianceError(
                f"{len(stated)} statements about skin for {count} landmarks", "one for each", "state all, or none"
            )
        return np.array(stated, dtype=bool) if stated else np.zeros(count, dtype=bool)


@dataclass(frozen=True)
class ScaleEstimate:
    """What landmarks and sweep say about the CT's scale by themselves: patient over CT, less 1, and its deviation."""

    scale: float
    sd: float

    @property
    def excess(self) -> float:
        """How many standard deviations it is off."""
        return abs(self.scale) / self.sd if math.isfinite(self.sd) and self.sd > 0.0 else 0.0


def skin_shift_and_turn(rms_mm: float, reach_mm: float) -> tuple[float, float]:
    """Splits an RMS displacement of skin into shift (RMS, mm) and turn (RMS, rad) about the middle.

    Two thirds of its variance are shift. A turn of RMS w moves what lies `reach_mm` away by ``w sqrt(2/3)`` of that.
    """
    turn_rms_rad = rms_mm * math.sqrt(1.0 / 3.0) / (math.sqrt(2.0 / 3.0) * max(reach_mm, 1.0))
    return rms_mm * math.sqrt(2.0 / 3.0), turn_rms_rad


def reach_of(points_mm: Floats, pivot_mm: Floats) -> float:
    """RMS distance of points ``(n, 3)`` from a pivot, in mm."""
    return float(np.sqrt(np.mean(np.sum((points_mm - pivot_mm) ** 2, axis=1)))) if len(points_mm) else 0.0


def shared_information(shared: SharedErrors, offset_sd_mm: float, reach_mm: float) -> tuple[Floats, Floats]:
    """Prior information ``(20, 20)`` of the shared errors, and which of the unknowns there are at all.

    Args:
        reach_mm: of what was measured on skin, from the pivot (`reach_of`).
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
    """``(m, 3, 20)``: how landmarks, mapped to reference, move with each unknown; skin moves those on it only."""
    rows = np.zeros((len(mapped_mm), 3, UNKNOWNS))
    if len(mapped_mm):
        rows[:, :, MOTION] = motion_jacobian(mapped_mm, pivot_mm)
        rows[:, :, SCALE] = mapped_mm - pivot_mm
        rows[on_skin, :, SKIN] = rows[on_skin, :, MOTION]
        rows[on_skin, :, SLIDE] = rows[on_skin, :, MOTION]
    return rows


def surface_rows(arms_mm: Floats, moments: Floats, normals: Floats, *, on_skin: bool) -> Floats:
    """``(n, 20)``: how much closer each swept point comes to the surface with each unknown.

    Args:
        arms_mm: from the pivot to the points, ``(n, 3)``; `moments`: arm x normal.
    """
    rows = np.zeros((len(arms_mm), UNKNOWNS))
    rows[:, MOTION] = np.hstack([moments, normals])
    rows[:, SCALE] = np.einsum("ni,ni->n", normals, arms_mm)
    rows[:, OFFSET] = 1.0
    if on_skin:
        rows[:, SKIN] = rows[:, MOTION]
    return rows


def inverse_of_free(information: Floats, free: Floats) -> Floats:
    """Inverse ``(20, 20)`` over the unknowns there are; zero for the others."""
    chosen = np.ix_(free, free)
    inverse = np.zeros_like(information)
    inverse[chosen] = np.linalg.inv(information[chosen])
    return inverse


def joint_of(covariance: Floats) -> Floats:
    """Of ``(20, 20)``, the part ``(13, 13)`` that tells where things are: marks have moved by skin and slide."""
    merge = np.zeros((JOINT, UNKNOWNS))
    merge[:, :JOINT] = np.eye(JOINT)
    merge[SKIN, SLIDE] = np.eye(6)
    joint: Floats = merge @ covariance @ merge.T
    return joint


def scale_estimate(mean: float, variance: float, scale_sd: float, inflation: float) -> ScaleEstimate | None:
    """What the measurements alone say, from the posterior with the stated scale; None where they say nothing."""
    if scale_sd <= 0.0 or variance <= 0.0:
        return None
    told = 1.0 / variance - scale_sd**-2.0
    if told * scale_sd**2 < 1e-6:
        return None
    return ScaleEstimate(mean / (variance * told), math.sqrt(inflation / told))
