"""Contours of bone against the bone that the beams truly met, in the image and in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from geometry.points import Floats
from navigation.simulation.ultrasound.patient_scan import PatientScan
from navigation.simulation.ultrasound.tissue import BONE

# A contour farther from bone than this is not of it, such as the line of a fascia that goes on from its edge.
NOT_BONE_MM = 10.0


@dataclass(frozen=True, kw_only=True)
class ContourErrors:
    """How far points of contours are from bone, over many frames.

    Attributes:
        points: number of points.
        median_mm, p95_mm: of those that are bone.
        not_bone: share of the points that are on no bone.
    """

    points: int
    median_mm: float
    p95_mm: float
    not_bone: float

    @classmethod
    def of(cls, distances_mm: Sequence[Floats]) -> ContourErrors | None:
        """None without a point of bone."""
        every = np.concatenate([np.empty(0), *distances_mm])
        bone = every[every < NOT_BONE_MM]
        if not bone.size:
            return None
        median_mm, p95_mm = np.percentile(bone, [50.0, 95.0])
        return cls(
            points=len(every), median_mm=float(median_mm), p95_mm=float(p95_mm), not_bone=1.0 - len(bone) / len(every)
        )


def true_bone_ct(scan: PatientScan, t_s: float) -> Floats:
    """The bone that beams truly meet at a time, ``(n, 3)`` in ``ct``."""
    image = scan.path.T_ct_image_px(t_s)
    bone: Floats = scan.surface_px(t_s, BONE) @ image[:3, :2].T + image[:3, 3]
    return bone


def distances_mm(points_ct: Floats, bone_ct: Floats) -> Floats:
    """Of each point ``(n, 3)`` to the nearest true one; none where the beams met no bone."""
    if not len(points_ct) or not len(bone_ct):
        return np.empty(0)
    found: Floats = cKDTree(bone_ct).query(points_ct)[0]
    return found
