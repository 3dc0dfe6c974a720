"""Whether a sweep of bone fits elsewhere too: one vertebra farther up or down, or as its own mirror image.

Vertebrae repeat. A fit that began one vertebra off ends there, with small residuals. So the sweep is fitted from places
along the spine, up to a vertebra and a half to both sides, and the fits are compared by their likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT
from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.errors import SurfacePointsRefusedError
from registration.surface.bone_points import register_bone
from registration.surface.bone_sweep import BoneSweep, SweepErrors
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.refine import SurfaceFitSettings, SurfaceRegistration

# Starts along the head-feet axis of the CT. Lumbar vertebrae are 30 to 40 mm apart.
_STARTS_MM = (0.0, -12.0, 12.0, -24.0, 24.0, -36.0, 36.0, -48.0, 48.0)
_POINTS = 300
# Fits that map the points nearer than this to one another, RMS, are one place.
SAME_PLACE_MM = 8.0
ODDS = 1000.0


@dataclass(frozen=True, eq=False)
class Place:
    """One fit of the sweep.

    Attributes:
        registration: the fit, of some of the points.
        cost: twice its negative log-likelihood, patches of the surface counted once, outliers capped; only costs of the
            same sweep are comparable.
        toward_head_mm: how far the points lie toward the head of where the first fit has them, mean.
        apart_mm: how far the points lie from there, RMS.
    """

    registration: SurfaceRegistration
    cost: float
    toward_head_mm: float = 0.0
    apart_mm: float = 0.0

    def beats(self, other: Place) -> bool:
        """Whether the odds are 1,000 to 1 or more for this fit against another one of as many points."""
        return other.cost - self.cost > 2.0 * math.log(ODDS) * max(1.0, self.registration.noise_inflation)


def fit_settings(errors: SweepErrors) -> SurfaceFitSettings:
    """The solver's settings for bone, whose features are finer than those of skin."""
    return SurfaceFitSettings(
        model_error_mm=errors.model_error_mm,
        correlation_length_mm=errors.correlation_length_mm,
        trend_radius_mm=8.0,
        offset_sd_mm=errors.offset_sd_mm,
    )


def thinned(sweep: BoneSweep) -> BoneSweep:
    """So many of its points as a search needs."""
    chosen = np.zeros(len(sweep), bool)
    chosen[np.unique(np.linspace(0, len(sweep) - 1, min(len(sweep), _POINTS)).round().astype(int))] = True
    return sweep.taken(chosen)


def fit_at(sweep: BoneSweep, field: DistanceField, start: Transform, errors: SweepErrors) -> Place | None:
    """The fit of all points of a sweep from one start; None where they are not near the surface."""
    settings = fit_settings(errors)
    try:
        found = register_bone(sweep.bone, field, start, None, settings)
    except SurfacePointsRefusedError:
        return None
    points, pose = sweep.bone.points_reference_mm, found.T_reference_ct
    normals = pose.rotate(field.distance(pose.inverse().apply(points)).gradient)
    noise_mm = sweep.bone.sd_along_mm(normals)
    counts = neighbour_counts(points, errors.correlation_length_mm, noise_mm)
    weights = point_weights(counts, noise_mm, errors.model_error_mm)
    # An outlier is alone in its patch: with the patch's whole weight, outliers would decide.
    weights = np.minimum(weights, np.median(weights))
    cutoff_mm = settings.tukey_cutoff * math.hypot(float(np.median(noise_mm)), errors.model_error_mm)
    off_mm = np.minimum(np.abs(found.residuals_mm - found.offset_mm), cutoff_mm)
    return Place(found, float(weights @ off_mm**2 + (found.offset_mm / errors.offset_sd_mm) ** 2))


def places(sweep: BoneSweep, field: DistanceField, start: Transform, errors: SweepErrors) -> list[Place]:
    """All places that the sweep was found to fit: first that nearest to the start, then the others, best first.

    Raises:
        SurfacePointsRefusedError: it fits none of them.
    """
    few = thinned(sweep)
    found: list[Place] = []
    for shift_mm in _STARTS_MM:
        along = Transform.from_rotation(Rotation.identity(), [0.0, 0.0, shift_mm], CT, CT)
        place = fit_at(few, field, start @ along, errors)
        if place is None:
            continue
        place = _against(found[0], place, few) if found else place
        same = [k for k, known in enumerate(found) if _apart(known, place, few)[1] < SAME_PLACE_MM]
        if not same:
            found.append(place)
        elif place.cost < found[same[0]].cost:
            found[same[0]] = place
    if not found:
        raise SurfacePointsRefusedError(
            "a sweep of which no part lies near the bone",
            "bone of the surface that is registered, and a start within some cm",
            "check which surface and which vertebrae were swept, or register by landmarks first",
        )
    return [found[0], *sorted(found[1:], key=lambda place: place.cost)]


def _against(first: Place, place: Place, sweep: BoneSweep) -> Place:
    head_mm, apart_mm = _apart(first, place, sweep)
    return Place(place.registration, place.cost, head_mm, apart_mm)


def _apart(one: Place, other: Place, sweep: BoneSweep) -> tuple[float, float]:
    """How far the second fit has the points in ct from where the first one has them: toward the head, and RMS."""
    here, there = (
        each.registration.T_reference_ct.inverse().apply(sweep.bone.points_reference_mm) for each in (one, other)
    )
    off: Floats = there - here
    return float(off[:, 2].mean()), float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
