"""What a planned trajectory would do if it were followed exactly: the screw's grade, and how near it passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from navigation.guidance.plan import Trajectory
from navigation.guidance.screw_fit import STEP_MM, ScrewFit, fit_screw
from registration.distance.closest_point import DistanceField


@dataclass(frozen=True)
class PlanCheck:
    """A trajectory as it is planned.

    Attributes:
        screw: how its screw lies; None without screw or bone.
        clearances_mm: structure -> least distance of the screw, or of the line, from its surface; negative inside.
        beyond_mm: how far the screw's tip is beyond the target; None without a screw.
    """

    screw: ScrewFit | None
    clearances_mm: Mapping[str, float]
    beyond_mm: float | None


def check_trajectory(
    trajectory: Trajectory, bone: DistanceField | None, at_risk: Mapping[str, DistanceField]
) -> PlanCheck:
    """Measures a trajectory against surfaces in ``ct``."""
    screw, entry, along = trajectory.screw, trajectory.entry_ct_mm, trajectory.direction_ct
    radius_mm = 0.0 if screw is None else screw.diameter_mm / 2.0
    length_mm = trajectory.length_mm if screw is None else screw.length_mm
    axis_mm = entry + np.arange(0.0, length_mm + STEP_MM / 2.0, STEP_MM)[:, None] * along
    return PlanCheck(
        screw=None if screw is None or bone is None else fit_screw(bone, entry, along, screw),
        clearances_mm={
            name: float(each.distance(axis_mm).signed_mm.min()) - radius_mm for name, each in at_risk.items()
        },
        beyond_mm=None if screw is None else screw.length_mm - trajectory.length_mm,
    )
