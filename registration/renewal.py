"""Registers bone from a sweep of tracked ultrasound, from a pose that is nearly right: a registration is renewed.

The steps: place the bone of all frames, fit it to all bone that is known, compare that with fits one vertebra off and
of mirrored images, fit the one surface that is asked for, estimate the errors that the whole sweep shares, and say what
is expected of the result. A sweep that does not hold a pose, or contradicts its start, gives a failure with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from geometry import Surface, SurgNavError, Transform
from geometry.points import Floats
from registration.assumptions import Assumptions
from registration.distance.closest_point import DistanceField, ExactDistance
from registration.errors import RegisteringError
from registration.landmarks.fit import LandmarkRegistration
from registration.register import RegistrationOutcome, in_use, swept_area_cm2
from registration.surface.bone_errors import SharedEstimate, Told, estimate_shared, seen_by_beams
from registration.surface.bone_places import Place, fit_at, fit_settings, places, thinned
from registration.surface.bone_points import register_bone
from registration.surface.bone_sweep import SHARED, BoneSweep, ProbeMap, TrackedBone, locate_bone_sweep
from registration.surface.refine import SurfaceRegistration
from registration.uncertainty.expected_error import PoseUncertainty, expected_tre, target_errors_mm
from registration.verdict.findings import gather_findings
from registration.verdict.verdict import Findings

# Less bone does not show which bone it is.
LEAST_FRAMES, LEAST_AREA_CM2 = 8, 8.0
# Points farther from a vertebra than this belong to another bone, or to none.
NEAR_MM = 12.0
# With a smaller share of the points near it, one bone is not all that was swept.
MOSTLY = 0.7
# Rounds in which the pose, the points that can be bone, and the shared errors follow from one another.
ROUNDS = 4
# 95 % of the error of a start that does not state it.
UNKNOWN_P95_MM = 5.0
# A shared error this many standard deviations off is a mistake; a lag must be off by this much besides.
MISTAKE_SD, LEAST_LAG_S = 4.0, 0.02


@dataclass(frozen=True, eq=False)
class Start:
    """The pose that is nearly right.

    Attributes:
        T_reference_ct: the pose.
        words: where it is from.
        uncertainty: its own; None where it is not known.
        by_landmarks: the registration that it is, where it is one from landmarks touched now.
    """

    T_reference_ct: Transform
    words: str
    uncertainty: PoseUncertainty | None = None
    by_landmarks: LandmarkRegistration | None = None


@dataclass(frozen=True, eq=False)
class Bones:
    """The bone of the CT.

    Attributes:
        target: what is registered.
        others: the other bones, which tell where along the spine the sweep is.
    """

    target: Surface
    others: tuple[Surface, ...] = ()

    @property
    def all(self) -> Surface:
        """All of them as one surface."""
        every = (self.target, *self.others)
        first = np.cumsum([0, *(len(each.vertices_mm) for each in every[:-1])])
        triangles = np.vstack([each.triangles + start for each, start in zip(every, first, strict=True)])
        vertices = np.vstack([each.vertices_mm for each in every])
        return Surface(vertices, triangles, self.target.frame, "bone")


@dataclass(frozen=True, eq=False)
class Renewal:
    """What became of a sweep.

    Attributes:
        outcome: the registration, or why there is none.
        swept_reference_mm: the points of bone that it is from, ``(n, 3)``; before the first fit, all.
    """

    outcome: RegistrationOutcome
    swept_reference_mm: Floats


def renew_on_bone(
    frames: Sequence[TrackedBone],
    probe: ProbeMap,
    bones: Bones,
    start: Start,
    targets_ct: Mapping[str, Floats],
    assumptions: Assumptions,
) -> Renewal:
    """Registers the bones' target by the bone of tracked frames. Refused sweeps are no exception: see the outcome.

    Args:
        frames: in the order of time.
        probe: its calibration.
        bones: of the CT.
        start: the registration so far, or one from landmarks.
        targets_ct: name -> ``(3,)`` in ct, in mm.
        assumptions: also `Assumptions.ultrasound`.
    """
    swept = np.empty((0, 3))
    try:
        sweep = locate_bone_sweep(frames, probe, assumptions.scale_sd, assumptions.ultrasound)
        swept = sweep.bone.points_reference_mm
        _check_enough(sweep)
        field = ExactDistance(bones.all)
        sweep, alone = _of_lone_bone(sweep, bones, field, start)
        place, elsewhere = _the_place(sweep, field, start, assumptions)
        _check_mirrored(frames, probe, thinned(sweep), field, place, assumptions)
        chosen, target = _of_target(sweep, bones, place)
        fitted = _fit(chosen, target or field, place.registration.T_reference_ct, assumptions)
        _check_lag(fitted.shared.lag)
        outcome = _outcome(fitted, start, targets_ct, assumptions, (*elsewhere, *alone))
        return Renewal(outcome, fitted.sweep.bone.points_reference_mm)
    except SurgNavError as error:
        return Renewal(RegistrationOutcome(Findings(failure=str(error))), swept)


@dataclass(frozen=True, eq=False)
class _Fitted:
    sweep: BoneSweep
    found: SurfaceRegistration
    shared: SharedEstimate
    uncertainty: PoseUncertainty


def _check_enough(sweep: BoneSweep) -> None:
    area_cm2 = swept_area_cm2(sweep.bone.points_reference_mm)
    if sweep.frames < LEAST_FRAMES or area_cm2 < LEAST_AREA_CM2:
        raise RegisteringError(
            f"a sweep too short: bone in {sweep.frames} frames, over {area_cm2:.0f} cm² in all",
            f"bone in {LEAST_FRAMES} frames or more, over {LEAST_AREA_CM2:g} cm²",
            "sweep farther: along the spine, and to both sides of it",
        )


def _of_lone_bone(
    sweep: BoneSweep, bones: Bones, field: DistanceField, start: Start
) -> tuple[BoneSweep, tuple[str, ...]]:
    """The points near a bone that is the only one known, where others were swept too; with what that leaves open."""
    if bones.others:
        return sweep, ()
    off_mm = np.abs(field.distance(start.T_reference_ct.inverse().apply(sweep.bone.points_reference_mm)).signed_mm)
    near = off_mm < NEAR_MM
    if near.mean() > MOSTLY or not near.any():
        return sweep, ()
    name = bones.target.name
    return sweep.taken(near), (f"other bone than '{name}' was swept and none is approved: nothing shows the level",)


def _the_place(
    sweep: BoneSweep, field: DistanceField, start: Start, assumptions: Assumptions
) -> tuple[Place, tuple[str, ...]]:
    """Where the sweep fits from its start, unless it fits better elsewhere; with what speaks for elsewhere."""
    first, *elsewhere = places(sweep, field, start.T_reference_ct, assumptions.ultrasound)
    for other in elsewhere:
        side = "head" if other.toward_head_mm > 0.0 else "feet"
        words = f"{other.apart_mm:.0f} mm off, {abs(other.toward_head_mm):.0f} mm toward the {side}"
        costs = f"cost {other.cost:.0f} against {first.cost:.0f}"
        if other.beats(first):
            raise RegisteringError(
                f"a sweep that fits better {words} ({costs}), from {start.words}",
                "a start at the right vertebra, or the sweep of the vertebrae that the start has there",
                "count the vertebrae again: wrong level? Then touch three landmarks: surgnav register --touched",
            )
        if not first.beats(other):
            doubt = f"the sweep fits {words}, about as well ({costs}): make sure of the level, or sweep more vertebrae"
            return first, (doubt,)
    return first, ()


def _check_mirrored(
    frames: Sequence[TrackedBone],
    probe: ProbeMap,
    sweep: BoneSweep,
    field: DistanceField,
    place: Place,
    assumptions: Assumptions,
) -> None:
    """Refuses images whose mirror image fits far better."""
    flip = np.array([-1.0, 1.0])
    turned = [
        replace(each, points_px=each.points_px * flip + [probe.width_px - 1.0, 0.0]) if len(each.points_px) else each
        for each in frames
    ]
    mirrored = thinned(locate_bone_sweep(turned, probe, assumptions.scale_sd, assumptions.ultrasound))
    pose = place.registration.T_reference_ct
    here, there = (fit_at(each, field, pose, assumptions.ultrasound) for each in (sweep, mirrored))
    if here is not None and there is not None and there.beats(here):
        raise RegisteringError(
            f"images that fit the bone when left and right are exchanged (cost {there.cost:.0f} against "
            f"{here.cost:.0f})",
            "images as those that the probe was calibrated with",
            "turn off the mirroring at the scanner or at the source, or calibrate the probe with it",
        )


def _of_target(sweep: BoneSweep, bones: Bones, place: Place) -> tuple[BoneSweep, DistanceField | None]:
    """The points nearest to the target, with its field; all of them, and None, where no other bones are known."""
    if not bones.others:
        return sweep, None
    target, rest = ExactDistance(bones.target), ExactDistance(Bones(bones.others[0], bones.others[1:]).all)
    points = place.registration.T_reference_ct.inverse().apply(sweep.bone.points_reference_mm)
    off_mm, other_mm = (np.abs(each.distance(points).signed_mm) for each in (target, rest))
    chosen = sweep.taken((off_mm < NEAR_MM) & (off_mm < other_mm))
    area_cm2 = swept_area_cm2(chosen.bone.points_reference_mm)
    if not len(chosen) or chosen.frames < LEAST_FRAMES or area_cm2 < LEAST_AREA_CM2:
        raise RegisteringError(
            f"a sweep of other bones: {len(chosen)} points over {area_cm2:.0f} cm² on '{bones.target.name}'",
            f"bone of it in {LEAST_FRAMES} frames or more, over {LEAST_AREA_CM2:g} cm²",
            f"sweep over '{bones.target.name}', or register another surface",
        )
    return chosen, target


def _fit(sweep: BoneSweep, field: DistanceField, start: Transform, assumptions: Assumptions) -> _Fitted:
    """Pose, possible points and shared errors, each from the others, in turns."""
    errors, pose = np.zeros(SHARED), start
    settings, assumed = fit_settings(assumptions.ultrasound), assumptions.ultrasound
    used = sweep
    for _ in range(ROUNDS):
        corrected = used.corrected(errors)
        found = register_bone(corrected.bone, field, pose, None, settings)
        shared = estimate_shared(corrected, found, field, assumed, errors)
        errors, pose = shared.errors, found.T_reference_ct
        last = _Fitted(corrected, found, shared, found.uncertainty.plus(shared.added))
        used = sweep.taken(seen_by_beams(sweep.corrected(errors), found, field))
    return last


def _check_lag(lag: Told | None) -> None:
    if lag is not None and lag.excess > MISTAKE_SD and abs(lag.value) > LEAST_LAG_S:
        raise RegisteringError(
            f"a sweep whose ways to and fro agree only with a lag other by {1e3 * lag.value:.0f} ms "
            f"(± {1e3 * lag.sd:.0f} ms)",
            f"the calibrated lag, known to {1e3 * lag.prior_sd:.1f} ms",
            "calibrate the lag of the probe again: surgnav calibrate probe-time",
        )


def _outcome(
    fitted: _Fitted, start: Start, targets_ct: Mapping[str, Floats], assumptions: Assumptions, doubts: tuple[str, ...]
) -> RegistrationOutcome:
    # The stylus's tip has no part in it.
    uncertainty = in_use(fitted.uncertainty, None, None, replace(assumptions, tip_rms_mm=0.0))
    pose, points_ct = fitted.found.T_reference_ct, list(targets_ct.values())
    expected = expected_tre(pose, uncertainty, points_ct) if points_ct else None
    findings = gather_findings(start.by_landmarks, fitted.found, targets_ct, expected, None)
    findings = replace(
        findings,
        beginning=f"ultrasound of bone in {fitted.sweep.frames} frames, from {start.words}",
        assumes=_assumed(fitted, assumptions),
        doubts=(*doubts, *_sound_doubt(fitted.shared.sound), *_moved_doubts(fitted, start, uncertainty, targets_ct)),
    )
    return RegistrationOutcome(findings, start.by_landmarks, fitted.found, uncertainty, expected)


def _assumed(fitted: _Fitted, assumptions: Assumptions) -> tuple[str, ...]:
    assumed, lag = assumptions.ultrasound, fitted.shared.lag
    told = "the sweep does not tell" if lag is None else f"the sweep alone tells it to ± {1e3 * lag.sd:.0f} ms"
    return (
        f"the speed of sound differs by {assumed.sound_sd:.1%} RMS from what the scanner takes",
        f"bone is marked within {assumed.offset_sd_mm:g} mm RMS of where it reflects, alike in all frames",
        f"the bone did not move or bend since the CT; its surface there is right to {assumed.model_error_mm:g} mm RMS",
        f"the probe's map and lag are as well known as their calibrations say; of the lag, {told}",
    )


def _sound_doubt(sound: Told | None) -> tuple[str, ...]:
    if sound is None or sound.excess <= MISTAKE_SD:
        return ()
    return (f"the sweep fits a speed of sound other by {sound.value:+.1%}: is the probe's depth as it was calibrated?",)


def _moved_doubts(
    fitted: _Fitted, start: Start, uncertainty: PoseUncertainty, targets_ct: Mapping[str, Floats]
) -> tuple[str, ...]:
    """Where the new pose is farther from the one so far than both errors together explain."""
    pose, pivot = fitted.found.T_reference_ct, fitted.uncertainty.pivot_reference_mm
    points_ct = {"the middle of the sweep": pose.inverse().apply(pivot)} | dict(targets_ct)
    points = list(points_ct.values())
    moved_mm = target_errors_mm(pose, start.T_reference_ct, points)
    old_mm = np.full(len(points), UNKNOWN_P95_MM)
    if start.uncertainty is not None:
        old_mm = expected_tre(start.T_reference_ct, start.uncertainty, points).p95_mm
    both_mm = np.hypot(expected_tre(pose, uncertainty, points).p95_mm, old_mm)
    worst = int(np.argmax(moved_mm / both_mm))
    if moved_mm[worst] <= both_mm[worst]:
        return ()
    return (
        f"it moves {list(points_ct)[worst]!r} by {moved_mm[worst]:.1f} mm, {both_mm[worst]:.1f} mm expected in 95 % by "
        f"the errors of both: patient or reference moved since {start.words}, or one of the two is wrong",
    )
