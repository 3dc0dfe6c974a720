"""Runs a whole registration: from the measurements to a pose, its expected error and the findings for the verdict.

The steps: pair touched points of unknown order, register the landmarks, refine on the swept surface with the landmarks
in the same cost, add the errors that all measurements share, test each landmark against the others, and gather the
findings. Nothing is written here; `record/attempts.py` keeps the outcome in the case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from geometry import Surface, SurgNavError, Transform
from geometry.points import Floats
from registration.assumptions import Assumptions, with_tracker
from registration.distance.closest_point import DistanceField, ExactDistance
from registration.errors import RegisteringError
from registration.landmarks.correspondence import CorrespondenceSettings, LandmarkMatch, match_landmarks
from registration.landmarks.fit import (
    LandmarkRegistration,
)
from registration.landmarks.kinds import SKIN, kinds_of
from registration.marks import Marks, leave_one_out
from registration.measurements import Measured, TouchedPoint
from registration.surface.evidence import neighbour_counts
from registration.surface.global_start import register_from_nothing
from registration.surface.refine import SurfaceFitSettings, SurfaceRegistration, refine_on_surface
from registration.surface.sweep_units import check_sweep_units
from registration.uncertainty.drift import OrderTrend
from registration.uncertainty.expected_error import ExpectedTre, PoseUncertainty, expected_tre
from registration.uncertainty.localisation_error import isotropic_mm2
from registration.uncertainty.mobility import LandmarkKind
from registration.uncertainty.shared_errors import SharedErrors
from registration.verdict.findings import gather_findings
from registration.verdict.next_touch import NextTouch, next_touch
from registration.verdict.suspects import name_suspects
from registration.verdict.verdict import Findings
from registration.verdict.verification import Verification
from registration.verdict.what_is_assumed import with_contradictions, words_of

# With at least this many landmarks in bone, the pose does not rest on the skin.
LEAST_IN_BONE = 3


@dataclass(frozen=True, eq=False)
class RegistrationOutcome:
    """The result of one registration, successful or not.

    Attributes:
        findings: the numbers that the verdict rests on; where they hold a `failure`, there is no pose.
        by_landmarks: the registration from landmarks alone; None without landmarks.
        by_surface: the registration from the swept surface, with the landmarks; None without a sweep. Where it exists,
            its pose is the result.
        uncertainty: covariance of the resulting pose, including the errors that all measurements share.
        expected: expected TRE at the targets, in their order; None without targets.
        with_tool: the same, including the error of the tool's tip; None where that error is unknown.
        left_out: leave-one-out: each landmark as a verification of the pose from the others, where they give one.
        next_touch: the touch that would reduce the expected error at the worst target most; None if none would.
        paired: for touched points of unknown order: the touched point by the name of its landmark.
        unpaired: touched points that match no planned landmark.
        kinds: the kind of each planned landmark, stated or inferred.
    """

    findings: Findings
    by_landmarks: LandmarkRegistration | None = None
    by_surface: SurfaceRegistration | None = None
    uncertainty: PoseUncertainty | None = None
    expected: ExpectedTre | None = None
    with_tool: ExpectedTre | None = None
    left_out: Mapping[str, Verification] = field(default_factory=dict)
    next_touch: NextTouch | None = None
    paired: Mapping[str, TouchedPoint] = field(default_factory=dict)
    unpaired: tuple[TouchedPoint, ...] = ()
    kinds: Mapping[str, LandmarkKind] = field(default_factory=dict)

    @property
    def T_reference_ct(self) -> Transform | None:
        """The resulting pose, ct to reference in mm; None where the registration failed."""
        registered = self.by_surface or self.by_landmarks
        return None if registered is None else registered.T_reference_ct


def register(
    measured: Measured, surface_ct: Surface, assumptions: Assumptions, field_ct: DistanceField | None = None
) -> RegistrationOutcome:
    """Registers from landmarks, then on the sweep with the landmarks in the same cost, or from the sweep alone.

    Measurements that cannot be registered are no exception: the outcome's findings hold the reason as `failure`.

    Args:
        measured: landmarks, touched points, swept points and targets.
        surface_ct: the surface that was swept, in ct.
        assumptions: standard deviations, settings and limits.
        field_ct: distance to `surface_ct`, where it was built before; else the exact distance is used.
    """
    try:
        ordered, match = put_in_order(measured, assumptions)
        outcome = _register(ordered, surface_ct, assumptions, field_ct or ExactDistance(surface_ct), match)
    except SurgNavError as error:
        return RegistrationOutcome(Findings(failure=str(error)), unpaired=measured.unordered)
    if match is None:
        return outcome
    unpaired = tuple(measured.unordered[number] for number in match.extra)
    return replace(outcome, paired=ordered.touched, unpaired=unpaired)


def _register(
    measured: Measured,
    surface_ct: Surface,
    assumptions: Assumptions,
    field_ct: DistanceField,
    match: LandmarkMatch | None,
) -> RegistrationOutcome:
    names, planned, touched = measured.pairs()
    swept_skin = surface_ct.name in SKIN
    kinds = kinds_of(measured.landmarks_ct, measured.kinds, field_ct, swept_skin=swept_skin)
    marks = Marks(names, planned, touched, tuple(kinds[name] for name in names))
    shared = assumptions.shared(marks.kinds, swept_skin and len(measured.swept_reference_mm) > 0)
    by_landmarks, by_surface, beginning = _pose(measured, surface_ct, field_ct, marks, shared, match, assumptions)
    registered = by_surface or by_landmarks
    if registered is None:  # neither branch leaves both out
        raise RegisteringError("no measurements", "landmarks or a sweep", "touch landmarks, or sweep the surface")
    known = registered.uncertainty if by_surface else marks.registered(assumptions, shared).uncertainty
    uncertainty = in_use(known, registered.trend, measured.tip_error_rms_mm, assumptions)
    expected, with_tool = _expected(measured, registered.T_reference_ct, uncertainty)
    left_out = leave_one_out(marks, assumptions)
    doubts = (*_doubts(measured, names, swept=by_surface is not None), *(left_over(match) if match else ()))
    suspects = _suspects(marks, left_out, doubts, assumptions)
    findings = gather_findings(by_landmarks, by_surface, measured.targets_ct, expected, suspects)
    findings = replace(findings, beginning=beginning)
    findings = _with_assumptions(findings, measured, marks, registered, surface_ct.name, assumptions)
    spot = next_touch(
        registered.T_reference_ct,
        uncertainty,
        measured.targets_ct,
        np.vstack([touched, measured.swept_reference_mm]),
        field_ct,
        measured.landmarks_ct,
        assumptions.surface,
        surface_on_skin=swept_skin,
        landmarks_on_skin=[name for name, kind in kinds.items() if kind != "bone"],
    )
    return RegistrationOutcome(
        findings, by_landmarks, by_surface, uncertainty, expected, with_tool, left_out, spot, kinds=kinds
    )


def _pose(
    measured: Measured,
    surface_ct: Surface,
    field_ct: DistanceField,
    marks: Marks,
    shared: SharedErrors,
    match: LandmarkMatch | None,
    assumptions: Assumptions,
) -> tuple[LandmarkRegistration | None, SurfaceRegistration | None, str]:
    """The registration from landmarks, the one from the sweep, and in words how the pose was found."""
    swept = measured.swept_reference_mm
    if measured.start == "global":
        return None, *from_sweep_alone(swept, surface_ct, field_ct, assumptions, shared)
    order = measured.touch_order() if match is None else ()
    by_landmarks = marks.registered(assumptions, replace(shared, skin_rms_mm=0.0), order)
    beginning = "" if match is None else match.reason
    if not len(swept):
        return by_landmarks, None, beginning
    start = by_landmarks.T_reference_ct
    return by_landmarks, _with_sweep(start, marks, swept, field_ct, assumptions, shared, order), beginning


def _suspects(
    marks: Marks, left_out: Mapping[str, Verification], doubts: tuple[str, ...], assumptions: Assumptions
) -> tuple[str, ...] | None:
    """What speaks against single landmarks, in words; None if there are too few landmarks to test."""
    fle_mm = marks.worst_fle_mm(assumptions)
    suspects = name_suspects(marks.names, marks.planned_ct, marks.touched, fle_mm, left_out)
    return (*(suspects or ()), *doubts) if doubts else suspects


def _with_sweep(
    start: Transform,
    marks: Marks,
    swept: Floats,
    field_ct: DistanceField,
    assumptions: Assumptions,
    shared: SharedErrors,
    order: tuple[int, ...],
) -> SurfaceRegistration:
    """Refines the landmarks' pose on the sweep, with the landmarks in the same cost."""
    check_sweep_units(swept, field_ct, start)
    return refine_on_surface(
        swept,
        field_ct,
        start,
        (marks.planned_ct, marks.touched),
        assumptions.surface,
        landmark_error=marks.error(assumptions),
        shared=shared,
        touch_order=order,
    )


def _with_assumptions(
    findings: Findings,
    measured: Measured,
    marks: Marks,
    registered: LandmarkRegistration | SurfaceRegistration,
    surface: str,
    assumptions: Assumptions,
) -> Findings:
    """Adds to the findings what the expected errors assume, and what the measurements say against it."""
    swept = measured.swept_reference_mm
    by_surface = registered if isinstance(registered, SurfaceRegistration) else None
    swept_skin = by_surface is not None and surface in SKIN
    words = words_of(
        marks.kinds,
        tuple(assumptions.mobility(kind) for kind in marks.kinds),
        assumptions.skin_rms_mm,
        surface if len(swept) else "",
        swept_skin,
        assumptions.scale_sd,
        max(assumptions.tip_rms_mm, measured.tip_error_rms_mm or 0.0),
        None if by_surface is None else by_surface.residual_field,
    )
    held_by_bone = marks.kinds.count("bone") >= LEAST_IN_BONE or (by_surface is not None and not swept_skin)
    return with_contradictions(
        replace(findings, assumes=words),
        np.vstack([marks.touched, swept]),
        registered.scale,
        registered.trend,
        None if by_surface is None else (by_surface.offset_mm, assumptions.skin_offset_sd_mm),
        rests_on_skin=not held_by_bone,
    )


def put_in_order(measured: Measured, assumptions: Assumptions) -> tuple[Measured, LandmarkMatch | None]:
    """Pairs touched points of unknown order with their landmarks; the match is None where all points have names.

    Raises:
        LandmarksRefusedError: no pairing fits.
        RegisteringError: several pairings fit about equally well, or only some of the points have names.
    """
    if not measured.unordered:
        return measured, None
    if measured.touched:
        raise RegisteringError(
            "touched points of which only some have names",
            "names for all of them, or for none",
            "name every touched point, or none",
        )
    points = [touch.point_reference_mm for touch in measured.unordered]
    settings = CorrespondenceSettings(fle_rms_mm=assumptions.landmark_fle_rms_mm)
    planned = np.array(list(measured.landmarks_ct.values())).reshape(-1, 3)
    match = match_landmarks(planned, points, list(measured.landmarks_ct), settings)
    if match.ambiguous:
        raise RegisteringError(
            f"an ambiguous pairing: {match.reason}", "touched points that fit in one way only", match.action
        )
    touched = {name: measured.unordered[number] for name, number in match.pairings[0].touched.items()}
    return replace(measured, touched=touched, unordered=()), match


def _doubts(measured: Measured, names: tuple[str, ...], *, swept: bool) -> tuple[str, ...]:
    """Doubts about the landmarks used. None with a sweep: it would not fit landmarks given in other axes."""
    return () if swept else tuple(measured.doubts[name] for name in names if name in measured.doubts)


def left_over(match: LandmarkMatch) -> tuple[str, ...]:
    """One sentence for each touched point that matches no planned landmark."""
    return tuple(f"touched point {number + 1} matches no planned landmark, and was left out" for number in match.extra)


def from_sweep_alone(
    swept_reference_mm: Floats,
    surface_ct: Surface,
    field_ct: DistanceField,
    assumptions: Assumptions,
    shared: SharedErrors,
) -> tuple[SurfaceRegistration, str]:
    """Registers swept points ``(n, 3)`` in reference without landmarks: the registration, and how it was found.

    Raises:
        RegisteringError: no pose fits, or more than one.
        SurfacePointsRefusedError: the points or the surface cannot be registered.
    """
    rng = np.random.default_rng(assumptions.search_seed)
    found = register_from_nothing(
        swept_reference_mm, surface_ct, rng, field=field_ct, surface_settings=assumptions.surface
    )
    if found.registration is None:
        raise RegisteringError(
            f"a sweep without a single best pose: {found.reason}", "a sweep that fits in one pose only", found.action
        )
    pose = found.registration.T_reference_ct
    refined = refine_on_surface(swept_reference_mm, field_ct, pose, None, assumptions.surface, shared=shared)
    return refined, f"from the sweep alone: {found.reason}"


def _expected(
    measured: Measured, T_reference_ct: Transform, uncertainty: PoseUncertainty
) -> tuple[ExpectedTre | None, ExpectedTre | None]:
    """Expected TRE at the targets: of the registration alone, and including the error of the tool's tip."""
    targets_ct = list(measured.targets_ct.values())
    if not targets_ct:
        return None, None
    expected = expected_tre(T_reference_ct, uncertainty, targets_ct)
    if measured.tip_error_rms_mm is None:
        return expected, None
    # The orientation of the tool at the target is not known: the tip's error is taken as isotropic.
    tip_mm2 = isotropic_mm2(measured.tip_error_rms_mm)
    return expected, expected_tre(T_reference_ct, uncertainty, targets_ct, tip_mm2)


def in_use(
    known: PoseUncertainty, trend: OrderTrend | None, tip_error_rms_mm: float | None, assumptions: Assumptions
) -> PoseUncertainty:
    """Adds the errors that all measurements share: tracker, tip, and motion of the reference during measurement."""
    tip_mm = max(assumptions.tip_rms_mm, tip_error_rms_mm or 0.0)
    moved_mm = 0.0 if trend is None else trend.moved_mm
    return with_tracker(known, assumptions).with_common_error(math.hypot(tip_mm, moved_mm), 0.0)


def swept_area_cm2(points_mm: Floats) -> float:
    """Area in cm^2 that swept points ``(n, 3)`` cover: square patches of the correlation length, each counted once."""
    if not len(points_mm):
        return 0.0
    side_mm = SurfaceFitSettings().correlation_length_mm
    return float(np.sum(1.0 / neighbour_counts(points_mm, side_mm))) * side_mm**2 / 100.0
