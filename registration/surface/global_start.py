"""Registration of a swept surface without landmarks and without an initial pose.

Thousands of starting poses are optimised on a coarse distance field (`start_search.py`), and the best distinct results
are refined with all points (`refine.py`). Where a second pose explains the sweep about as well, as on a symmetric
surface, none is chosen: all of them are returned with their costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.distance.coarse_field import CoarseField
from registration.distance.distance_grid import DistanceGrid
from registration.errors import SurfacePointsRefusedError
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.refine import (
    SurfaceFitSettings,
    SurfaceRegistration,
    check_triangles,
    checked_points,
    refine_on_surface,
)
from registration.surface.start_search import Poses, Round, lay_on, run

# Two results are different poses if their distance, by the covariance, is so large that chance gives it more rarely.
SAME_POSE_CHANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class GlobalStartSettings:
    """Extent of the search, and when a pose counts as found, or as possible.

    Attributes:
        spots, angles: the number of starting poses is spots times angles times two (either side of the surface).
        rounds: see `start_search.Round`; the default widths suit organs and skin.
        refined: number of distinct results that are refined with all points.
        coarse_spacing_mm, margin_mm: spacing of the coarse field, and how far it reaches beyond the surface.
        odds: likelihood ratio below which a second pose counts as possible.
        same_within_mm: results that differ by less than this, RMS over the swept points, are the same pose.
        minimum_fit: share of the points that must lie on the surface within the stated errors.
        loosest_mm: largest standard deviation, RMS over the swept points, along the least constrained motion.
    """

    spots: int = 150
    angles: int = 12
    rounds: tuple[Round, ...] = (
        Round(starts=100_000, points=48, steps=6, widths_mm=(20.0, 8.0), apart_mm=8.0),
        Round(starts=200, points=150, steps=8, widths_mm=(10.0, 4.0), apart_mm=3.0),
        Round(starts=30, points=400, steps=10, widths_mm=(5.0, 2.0), apart_mm=1.0),
    )
    refined: int = 6
    coarse_spacing_mm: float = 6.0
    margin_mm: float = 30.0
    odds: float = 1000.0
    same_within_mm: float = 2.0
    minimum_fit: float = 0.6
    loosest_mm: float = 5.0


@dataclass(frozen=True, eq=False)
class StartPose:
    """One refined result of the search.

    Attributes:
        registration: the refined registration.
        cost: squared distances over their variances, summed over independent patches of the surface and capped for
            outliers: twice the negative log-likelihood. Only costs of the same search are comparable.
        on_surface: share of the points that lie on the surface within the stated errors, 0 to 1.
    """

    registration: SurfaceRegistration
    cost: float
    on_surface: float

    @property
    def T_reference_ct(self) -> Transform:
        """The refined pose."""
        return self.registration.T_reference_ct


@dataclass(frozen=True, eq=False)
class GlobalStart:
    """Result of the search.

    Attributes:
        registration: the only pose that fits; None if no pose fits, or more than one.
        possible: poses that explain the sweep about equally well, best first; empty if none does.
        runner_up: the best distinct pose that the data exclude; None if no other result was found.
        reason: in words, what was found, or why no pose was chosen.
        action: in words, what to do if no pose was chosen; else empty.
    """

    registration: SurfaceRegistration | None
    possible: tuple[StartPose, ...]
    runner_up: StartPose | None
    reason: str
    action: str = ""

    @property
    def ambiguous(self) -> bool:
        """Whether more than one pose is possible."""
        return len(self.possible) > 1


def register_from_nothing(
    points_reference: ArrayLike,
    surface_ct: Surface,
    rng: np.random.Generator,
    settings: GlobalStartSettings | None = None,
    *,
    field: DistanceField | None = None,
    surface_settings: SurfaceFitSettings | None = None,
) -> GlobalStart:
    """Registers swept points ``(n, 3)`` in reference, in mm, to the surface in ct without an initial pose.

    Args:
        points_reference: the swept points.
        surface_ct: the surface that was swept.
        rng: random generator; the same seed gives the same result.
        settings: extent of the search.
        field: distance to the surface, where it was built before.
        surface_settings: settings of the refinement.

    Raises:
        SurfacePointsRefusedError: too few points, NaN, an empty surface, or a sweep of an impossible size.
        FrameMismatchError: a surface in another frame than ct.
    """
    settings = settings or GlobalStartSettings()
    solver = surface_settings or SurfaceFitSettings()
    points_mm = _checked(points_reference, surface_ct, solver)
    field = field or DistanceGrid.from_surface(surface_ct)
    coarse = CoarseField.of(surface_ct, field, settings.coarse_spacing_mm, settings.margin_mm)
    centre_mm = np.median(points_mm, axis=0)
    sweep_mm = points_mm - centre_mm
    starts = lay_on(sweep_mm, surface_ct, coarse, settings.spots, settings.angles, rng)
    ends = run(sweep_mm, coarse, starts, settings.rounds, settings.refined, rng)
    refined = []
    for pose in _transforms(ends, centre_mm, coarse.centre_mm):
        try:
            registration = refine_on_surface(points_mm, field, pose, settings=solver)
        except SurfacePointsRefusedError:  # a result so poor that too few points are near the surface
            continue
        refined.append(_weighed(points_mm, registration, solver))
    return _concluded(sorted(refined, key=lambda end: end.cost), points_mm, settings)


def _checked(points_reference: ArrayLike, surface_ct: Surface, solver: SurfaceFitSettings) -> Floats:
    if surface_ct.frame != CT:
        raise FrameMismatchError(f"a surface in '{surface_ct.frame}'", f"a surface in '{CT}'", "map it to ct")
    check_triangles(surface_ct)
    points_mm = checked_points(points_reference, solver)
    _check_size(points_mm, surface_ct)
    return points_mm


def _check_size(points_mm: Floats, surface_ct: Surface) -> None:
    """Refuses a sweep far smaller than the surface, such as one in metres, or far larger: it would fit anywhere."""
    sweep_mm, surface_mm = (float(np.linalg.norm(np.ptp(p, axis=0))) for p in _middles(points_mm, surface_ct))
    if not 0.02 < sweep_mm / surface_mm < 2.0:
        raise SurfacePointsRefusedError(
            f"swept points that spread over {sweep_mm:.3g} on a surface of {surface_mm:.3g} mm",
            "millimetres on both sides, and a sweep over a good part of the surface",
            "convert metres to millimetres, or sweep more of the surface",
        )


def _middles(points_mm: Floats, surface_ct: Surface) -> tuple[Floats, Floats]:
    """The box of the middle 90 % of the sweep along each axis, to exclude outliers, and the surface's box."""
    return np.percentile(points_mm, [5.0, 95.0], axis=0), surface_ct.bounds_mm


def _transforms(ends: Poses, sweep_centre_mm: Floats, surface_centre_mm: Floats) -> list[Transform]:
    """``T_reference_ct`` of poses that take the centred sweep to the centred surface."""
    poses = []
    for matrix, translation in zip(ends.rotations, ends.translations, strict=True):
        u, _, vt = np.linalg.svd(matrix.astype(np.float64))  # the nearest rotation: the matrix is in single precision
        T_ct_reference = np.eye(4)
        T_ct_reference[:3, :3] = u @ vt
        T_ct_reference[:3, 3] = translation + surface_centre_mm - u @ vt @ sweep_centre_mm
        poses.append(Transform(T_ct_reference, CT, REFERENCE).inverse())
    return poses


def _weighed(points_mm: Floats, registration: SurfaceRegistration, solver: SurfaceFitSettings) -> StartPose:
    noise_mm = np.full(len(points_mm), solver.point_noise_mm)
    counts = neighbour_counts(points_mm, solver.correlation_length_mm, noise_mm)
    weights = point_weights(counts, noise_mm, solver.model_error_mm)
    # An outlier is alone in its patch and would get the patch's whole weight: outliers would decide between poses.
    weights = np.minimum(weights, np.median(weights))
    cutoff_mm = solver.tukey_cutoff * math.hypot(solver.point_noise_mm, solver.model_error_mm)
    off_mm = np.minimum(np.abs(registration.residuals_mm - registration.offset_mm), cutoff_mm)
    # Not the solver's inliers: their scale follows the residuals, and grows with a bad fit.
    on_surface = float(np.mean(off_mm < cutoff_mm))
    stretch = registration.offset_mm / solver.offset_sd_mm if solver.offset_sd_mm > 0.0 else 0.0
    return StartPose(registration, float(weights @ off_mm**2 + stretch**2), on_surface)


def _concluded(ends: list[StartPose], points_mm: Floats, settings: GlobalStartSettings) -> GlobalStart:
    fitting = [end for end in ends if _fits(end, settings)]
    if not fitting:
        reason = _nothing(ends, settings)
        action = "check that it is this surface that was swept, or touch three landmarks"
        return GlobalStart(None, (), ends[0] if ends else None, reason, action)
    best = fitting[0]
    margin = 2.0 * math.log(settings.odds) * max(1.0, best.registration.noise_inflation)
    possible: list[StartPose] = [best]
    excluded: list[StartPose] = []
    for end in ends:
        if any(_same(end, known, points_mm, settings) for known in (*possible, *excluded)):
            continue
        close = end.cost - best.cost <= margin and _fits(end, settings)
        (possible if close else excluded).append(end)
    runner_up = excluded[0] if excluded else None
    if len(possible) > 1:
        action = "sweep where the surface has features that tell them apart, or touch three landmarks"
        return GlobalStart(None, tuple(possible), runner_up, _ambiguity(possible, points_mm), action)
    weakest = best.registration.weakest_direction
    if not best.registration.converged or weakest.surface_sd_mm > settings.loosest_mm:
        reason = f"the sweep fits, but does not hold the pose ({best.registration.reason}): {weakest.description}"
        return GlobalStart(None, (), best, reason, "sweep more of the surface, or touch three landmarks")
    said = f"one pose fits, cost {best.cost:.0f}"
    if runner_up is not None:
        said += f"; the next best has the cost {runner_up.cost:.0f}"
    return GlobalStart(best.registration, (best,), runner_up, said)


def _fits(end: StartPose, settings: GlobalStartSettings) -> bool:
    return end.on_surface >= settings.minimum_fit


def _same(one: StartPose, other: StartPose, points_mm: Floats, settings: GlobalStartSettings) -> bool:
    """Whether two results are the same pose: near together, or not farther apart than the known one is uncertain."""
    if _apart_mm(one, other, points_mm) < settings.same_within_mm:
        return True
    known = other.registration.uncertainty
    T_motion = one.T_reference_ct @ other.T_reference_ct.inverse()
    pivot_mm = known.pivot_reference_mm
    motion = np.concatenate([T_motion.rotation.as_rotvec(), T_motion.apply(pivot_mm) - pivot_mm])
    return bool(motion @ np.linalg.solve(known.covariance, motion) < chdtri(6, SAME_POSE_CHANCE))


def _apart_mm(one: StartPose, other: StartPose, points_mm: Floats) -> float:
    """RMS distance in mm between the points mapped to ct by either pose."""
    apart_mm = one.T_reference_ct.inverse().apply(points_mm) - other.T_reference_ct.inverse().apply(points_mm)
    return float(np.sqrt(np.mean(np.sum(apart_mm**2, axis=1))))


def _ambiguity(possible: list[StartPose], points_mm: Floats) -> str:
    costs = ", ".join(f"{end.cost:.1f}" for end in possible)
    apart_mm = _apart_mm(possible[1], possible[0], points_mm)
    return (
        f"{len(possible)} poses, the first two {apart_mm:.0f} mm apart, explain the sweep about equally well (costs "
        f"{costs}); none is chosen"
    )


def _nothing(ends: list[StartPose], settings: GlobalStartSettings) -> str:
    if not ends:
        return "no pose puts the sweep near the surface"
    share = max(end.on_surface for end in ends)
    return f"no pose puts {settings.minimum_fit:.0%} of the points onto the surface, the best {share:.0%}"
