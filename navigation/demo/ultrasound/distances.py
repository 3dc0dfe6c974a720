"""A structure of the plan in the ultrasound demo: how far the headset says that bone is from it, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geometry import Surface
from geometry.extras import from_extra
from geometry.frames import CT
from geometry.points import Floats
from navigation.demo.ultrasound.decoded import DecodedDistance, DecodedFrame
from navigation.ultrasound.distances.measure import AtRisk
from registration.distance.distance_grid import DistanceGrid

# Planned as a ball about a planned target, so that its truth is a formula.
STRUCTURE, RADIUS_MM = "nerve_root", 4.0


@dataclass(frozen=True, eq=False)
class DistanceCheck:
    """Distances that the headset was given, each with the true one of the same part of the image.

    Attributes:
        shown_mm, true_mm: ``(n,)``.
        p95_mm: what 95 of 100 were said to be off by at most, ``(n,)``; NaN where that was not known.
    """

    shown_mm: Floats
    true_mm: Floats
    p95_mm: Floats

    @property
    def off_mm(self) -> float:
        """How far they are off, the mean size."""
        return float(np.abs(self.shown_mm - self.true_mm).mean())

    @property
    def within(self) -> float:
        """The share that is off by no more than was said."""
        return float(np.mean(np.abs(self.shown_mm - self.true_mm) <= self.p95_mm))


def planned_structure(centre_ct: Floats) -> AtRisk:
    """The structure about this point, as a plan gives it to the ultrasound process."""
    with from_extra("reconstruction"):
        import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS_MM)
    surface = Surface(ball.vertices + centre_ct, ball.faces, CT, STRUCTURE)
    return ((STRUCTURE, DistanceGrid.from_surface(surface)),)


def measured(frame: DecodedFrame) -> DecodedDistance | None:
    """The smallest distance of a frame from the structure; None without one, or where only its least is known."""
    known = [each for each in frame.distances if each.to == STRUCTURE and each.distance_mm is not None]
    nearest = min(known, key=lambda each: each.distance_mm or 0.0, default=None)
    return None if nearest is None or nearest.is_least else nearest


def true_distance_mm(contour_px: Floats, T_ct_image_px: Floats, centre_ct: Floats) -> float:
    """How far an open contour of this image truly is from the structure: twenty points between two of its corners."""
    share = np.linspace(0.0, 1.0, 20)[:, None, None]
    dense_px = (contour_px[:-1] + share * (contour_px[1:] - contour_px[:-1])).reshape(-1, 2)
    points_ct = dense_px @ T_ct_image_px[:3, :2].T + T_ct_image_px[:3, 3]
    return float(np.linalg.norm(points_ct - centre_ct, axis=1).min()) - RADIUS_MM


def against_truth(frames: Sequence[tuple[DecodedFrame, Floats]], centre_ct: Floats) -> DistanceCheck | None:
    """The distances of frames against the truth; None where nothing was measured.

    Args:
        frames: each with where its image truly lies, as `true_distance_mm`.
        centre_ct: the middle of the structure, ``(3,)``.
    """
    shown_mm, true_mm, p95_mm = [], [], []
    for frame, T_ct_image_px in frames:
        found = measured(frame)
        if found is not None and found.distance_mm is not None:
            shown_mm.append(found.distance_mm)
            true_mm.append(true_distance_mm(frame.contours_px[found.contour], T_ct_image_px, centre_ct))
            p95_mm.append(np.nan if found.p95_mm is None else found.p95_mm)
    return DistanceCheck(np.array(shown_mm), np.array(true_mm), np.array(p95_mm)) if shown_mm else None
