"""From what was measured to a pose, its expected error, and everything that the verdict rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from geometry import Surface, SurgNavError, Transform
from geometry.points import Floats
from navigation.acquisition import TouchedPoint
from navigation.errors import RegisteringError
from navigation.registering.suspects import name_suspects
from registration.attempt import Start
from registration.closest_point import DistanceField, ExactDistance
from registration.correspondence import CorrespondenceSettings, LandmarkMatch, match_landmarks
from registration.errors import LandmarksRefusedError
from registration.evidence import neighbour_counts
from registration.expected_error import ExpectedTre, PoseUncertainty, expected_tre
from registration.findings import gather_findings
from registration.global_start import register_from_nothing
from registration.landmarks import LandmarkRegistration, LandmarkSettings, register_landmarks
from registration.next_touch import NextTouch, next_touch
from registration.surfaces import SurfaceRegistration, SurfaceSettings, refine_on_surface
from registration.sweep_units import check_sweep_units
from registration.verdict import Findings, VerdictSettings
from registration.verification import Verification, VerificationSettings, verify_landmark


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is taken for granted about the errors. The verdict is worth what these are worth.

    Attributes:
        landmark_fle_rms_mm: RMS length of the 3-D error of a landmark: picked in the CT, touched, tracked.
        skin_offset_sd_mm: how far swept skin may lie beside the segmented one, everywhere.
        tracker_shift_mm, tracker_turn_rad: the tracker's distortion over the field of operation, RMS.
        verdict, verification: where the lines are drawn, and what a verification touch is worth.
        search_seed: of the search for a pose without landmarks, so that the same points give the same result.
    """

    landmark_fle_rms_mm: float = 0.8
    skin_offset_sd_mm: float = 1.0
    tracker_shift_mm: float = 0.25
    tracker_turn_rad: float = 1e-3
    verdict: VerdictSettings = field(default_factory=VerdictSettings)
    verification: VerificationSettings = field(default_factory=VerificationSettings)
    search_seed: int = 1

    def to_json(self) -> dict[str, Any]:
        """With the settings of the solvers, for the record."""
        settings = asdict(self) | {"landmarks": asdict(self.landmarks), "surface": asdict(self.surface)}
        plain: dict[str, Any] = json.loads(json.dumps(settings))  # JSON knows no tuples
        return plain

    @property
    def landmarks(self) -> LandmarkSettings:
        return LandmarkSettings(fle_rms_mm=self.landmark_fle_rms_mm)

    @property
    def surface(self) -> SurfaceSettings:
        return SurfaceSettings(landmark_fle_rms_mm=self.landmark_fle_rms_mm, offset_sd_mm=self.skin_offset_sd_mm)


@dataclass(frozen=True, eq=False)
class Measured:
    """What was planned and measured for one registration.

    Attributes:
        landmarks_ct: planned, name -> ``(3,)`` in ct; only those in `touched` take part.
        touched: by the same names, in reference.
        unordered: touched points of which nobody knows the landmark, in place of `touched`.
        swept_reference_mm: ``(n, 3)``; empty without a sweep.
        targets_ct: name -> ``(3,)`` in ct.
        tip_error_rms_mm: expected error of the tip that touched; None if unknown.
        doubts: about planned landmarks whose place nothing vouches for, in words, by name.
    """

    landmarks_ct: Mapping[str, Floats]
    touched: Mapping[str, TouchedPoint]
    swept_reference_mm: Floats = field(default_factory=lambda: np.empty((0, 3)))
    targets_ct: Mapping[str, Floats] = field(default_factory=dict)
    tip_error_rms_mm: float | None = None
    unordered: tuple[TouchedPoint, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)

    @property
    def start(self) -> Start:
        """Where the pose begins: without any touched point, from the sweep alone."""
        return "landmarks" if self.touched or self.unordered or not len(self.swept_reference_mm) else "global"

    def pairs(self) -> tuple[tuple[str, ...], Floats, Floats]:
        """Names, and the landmarks in ct and in reference, ``(n, 3)`` each."""
        unknown = [name for name in self.touched if name not in self.landmarks_ct]
        if unknown:
            raise RegisteringError(
                f"touched landmarks that nobody planned: {', '.join(unknown)}",
                f"names among {', '.join(self.landmarks_ct) or 'none'}",
                "give both sides the same names",
            )
        names = tuple(name for name in self.landmarks_ct if name in self.touched)
        planned = np.array([self.landmarks_ct[name] for name in names]).reshape(-1, 3)
        touched = np.array([self.touched[name].point_reference_mm for name in names]).reshape(-1, 3)
        return names, planned, touched


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it.

    Attributes:
        by_landmarks, by_surface: the two registrations; the second is the one that counts, where it is there.
        uncertainty: of the pose that counts, with what all measurements share.
        expected: TRE at the targets, in their order. `with_tool`: the same with the error of the tip that touched.
        left_out: each landmark as a verification of the others; only where the others give a pose.
        next_touch: the spot whose touch would bring the worst target's error down most.
        findings: for the verdict; with a `failure`, everything else is None.
        paired: touched points of unknown order, by the landmark that each turned out to be. `unpaired`: the others.
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

    @property
    def T_reference_ct(self) -> Transform | None:
        registered = self.by_surface or self.by_landmarks
        return None if registered is None else registered.T_reference_ct


def register(
    measured: Measured, surface_ct: Surface, assumptions: Assumptions, field_ct: DistanceField | None = None
) -> Outcome:
    """Landmarks first, then the sweep with the landmarks in the same cost; without any, the sweep from nothing.

    A refusal is an outcome, with its reason.

    Args:
        field_ct: the surface's distance, where it was built before.
    """
    try:
        ordered, match = put_in_order(measured, assumptions)
        outcome = _register(ordered, surface_ct, assumptions, field_ct or ExactDistance(surface_ct), match)
    except SurgNavError as error:
        return Outcome(Findings(failure=str(error)), unpaired=measured.unordered)
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
) -> Outcome:
    names, planned, touched = measured.pairs()
    by_landmarks, by_surface, beginning = None, None, "" if match is None else match.reason
    if measured.start == "global":
        by_surface, beginning = from_sweep_alone(measured.swept_reference_mm, surface_ct, field_ct, assumptions)
    else:
        by_landmarks = register_landmarks(planned, touched, names, assumptions.landmarks)
        if len(measured.swept_reference_mm):
            start, pairs = by_landmarks.T_reference_ct, (planned, touched)
            check_sweep_units(measured.swept_reference_mm, field_ct, start)
            by_surface = refine_on_surface(measured.swept_reference_mm, field_ct, start, pairs, assumptions.surface)
    registered = by_surface or by_landmarks
    if registered is None:  # neither branch leaves both out
        raise RegisteringError("nothing measured", "landmarks or a sweep", "touch three landmarks, or sweep")
    uncertainty = with_tracker(registered.uncertainty, assumptions)
    expected, with_tool = _expected(measured, registered.T_reference_ct, uncertainty)
    left_out = leave_one_out(names, planned, touched, assumptions)
    suspects = name_suspects(names, planned, touched, assumptions.landmark_fle_rms_mm, left_out)
    doubts = (*_doubts(measured, names, swept=by_surface is not None), *(left_over(match) if match else ()))
    suspects = (*(suspects or ()), *doubts) if doubts else suspects
    findings = gather_findings(by_landmarks, by_surface, measured.targets_ct, expected, suspects)
    findings = replace(findings, beginning=beginning)
    spot = next_touch(
        registered.T_reference_ct,
        uncertainty,
        measured.targets_ct,
        np.vstack([touched, measured.swept_reference_mm]),
        field_ct,
        measured.landmarks_ct,
        assumptions.surface,
    )
    return Outcome(findings, by_landmarks, by_surface, uncertainty, expected, with_tool, left_out, spot)


def put_in_order(measured: Measured, assumptions: Assumptions) -> tuple[Measured, LandmarkMatch | None]:
    """With touched points of unknown order paired with their landmarks, where there are any.

    Raises:
        LandmarksRefusedError: points that fit in no way.
        RegisteringError: points that fit in several ways, or some with names and some without.
    """
    if not measured.unordered:
        return measured, None
    if measured.touched:
        raise RegisteringError("touched points with and without names", "one kind of the two", "name all, or none")
    points = [touch.point_reference_mm for touch in measured.unordered]
    settings = CorrespondenceSettings(fle_rms_mm=assumptions.landmark_fle_rms_mm)
    planned = np.array(list(measured.landmarks_ct.values())).reshape(-1, 3)
    match = match_landmarks(planned, points, list(measured.landmarks_ct), settings)
    if match.ambiguous:
        raise RegisteringError(match.reason, "touched points that fit in one way only", match.action)
    touched = {name: measured.unordered[number] for name, number in match.pairings[0].touched.items()}
    return replace(measured, touched=touched, unordered=()), match


def _doubts(measured: Measured, names: tuple[str, ...], *, swept: bool) -> tuple[str, ...]:
    """About the landmarks used. A sweep would not fit landmarks in other axes; without one, nothing would notice."""
    return () if swept else tuple(measured.doubts[name] for name in names if name in measured.doubts)


def left_over(match: LandmarkMatch) -> tuple[str, ...]:
    """In words, each touched point that is no planned landmark."""
    return tuple(
        f"touched point {number + 1} is none of the planned landmarks, and was left out" for number in match.extra
    )


def from_sweep_alone(
    swept_reference_mm: Floats, surface_ct: Surface, field_ct: DistanceField, assumptions: Assumptions
) -> tuple[SurfaceRegistration, str]:
    """The one pose that fits, and how it was found.

    Raises:
        RegisteringError: no pose, or more than one.
        SurfacePointsRefusedError: points or a surface that cannot be registered.
    """
    rng = np.random.default_rng(assumptions.search_seed)
    found = register_from_nothing(
        swept_reference_mm, surface_ct, rng, field=field_ct, surface_settings=assumptions.surface
    )
    if found.registration is None:
        raise RegisteringError(found.reason, "a sweep that fits in one pose only", found.action)
    return found.registration, f"from the sweep alone: {found.reason}"


def _expected(
    measured: Measured, T_reference_ct: Transform, uncertainty: PoseUncertainty
) -> tuple[ExpectedTre | None, ExpectedTre | None]:
    """At the targets: of the registration, and with the error of the tip that points at them."""
    targets_ct = list(measured.targets_ct.values())
    if not targets_ct:
        return None, None
    expected = expected_tre(T_reference_ct, uncertainty, targets_ct)
    if measured.tip_error_rms_mm is None:
        return expected, None
    # How the tool will be held is not known: the same along every axis.
    tip_mm2 = measured.tip_error_rms_mm**2 / 3.0 * np.eye(3)
    return expected, expected_tre(T_reference_ct, uncertainty, targets_ct, tip_mm2)


def leave_one_out(
    names: tuple[str, ...], planned_ct: Floats, touched: Floats, assumptions: Assumptions
) -> dict[str, Verification]:
    """Each landmark held against where all others ``(n - 1, 3)`` put it; those the others cannot place are left out."""
    settings = replace(assumptions.verification, fle_rms_mm=assumptions.landmark_fle_rms_mm)
    found = {}
    for i, name in enumerate(names):
        others = np.arange(len(names)) != i
        try:
            made = register_landmarks(planned_ct[others], touched[others], None, assumptions.landmarks)
        except LandmarksRefusedError:
            continue
        uncertainty = with_tracker(made.uncertainty, assumptions)
        pair = (planned_ct[i], touched[i])
        found[name] = verify_landmark(made.T_reference_ct, uncertainty, name, pair, {}, settings)
    return found


def with_tracker(uncertainty: PoseUncertainty, assumptions: Assumptions) -> PoseUncertainty:
    """With the tracker's distortion, which all measurements share."""
    return uncertainty.with_common_error(assumptions.tracker_shift_mm, assumptions.tracker_turn_rad)


def swept_area_cm2(points_mm: Floats) -> float:
    """Of the surface that swept points ``(n, 3)`` are evidence for: patches of the correlation length, each once."""
    if not len(points_mm):
        return 0.0
    side_mm = SurfaceSettings().correlation_length_mm
    return float(np.sum(1.0 / neighbour_counts(points_mm, side_mm))) * side_mm**2 / 100.0
