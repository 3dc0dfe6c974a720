"""The registrations of the ultrasound demo: by a stylus, and renewed by the bone sweep after a knock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from case.case import Case
from case.levels import REFUSE
from geometry import Surface, Transform
from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.demo.ultrasound.patient import ScannedBack, true_room
from navigation.demo.ultrasound.sweep import SweptFrame
from navigation.errors import AcquisitionError
from navigation.ultrasound.live.bone import bone_of_placed, present_start, probe_map
from navigation.ultrasound.placing import ProbeInForce
from registration.assumptions import Assumptions
from registration.measurements import Measured, TouchedPoint
from registration.record.accepted import AcceptedRegistration
from registration.record.attempts import Circumstances, keep_attempt, verdict_of
from registration.record.in_force import put_in_force
from registration.register import RegistrationOutcome, register
from registration.renewal import Bones, renew_on_bone
from registration.uncertainty.expected_error import target_errors_mm
from registration.uncertainty.mobility import LandmarkKind
from registration.verdict.verdict import Verdict

# Of a touch, along each axis: evenly spread up to this.
_HAND_MM = 0.6
# What happens to the reference after the first registration.
KNOCK_DEG, KNOCK_MM = 2.0, 3.0


@dataclass(frozen=True, eq=False)
class Registered:
    """One registration, what was expected of it, and what is true.

    Attributes:
        accepted: as it is in force.
        verdict: the case's.
        expected_p95_mm, true_mm: by target.
        outcome: with all that it rests on.
        swept_reference_mm: the points of bone that it is from, ``(n, 3)``; empty of the first one.
    """

    accepted: AcceptedRegistration
    verdict: Verdict
    expected_p95_mm: Mapping[str, float]
    true_mm: Mapping[str, float]
    outcome: RegistrationOutcome
    swept_reference_mm: Floats


def by_stylus(
    case: Case, back: ScannedBack, bone_ct: Surface, targets_ct: Mapping[str, Floats], by: Circumstances
) -> Registered:
    """Points of the vertebrae, touched through the skin before somebody knocked against the reference.

    Raises:
        AcquisitionError: it was refused.
    """
    rng = np.random.default_rng([back.room.seed, 12])
    planned = {f"vertebra_{number}": point for number, point in enumerate(back.landmarks_ct(), 1)}
    turned = Rotation.from_rotvec(np.deg2rad(KNOCK_DEG) * _direction(rng))
    knock = Transform.from_rotation(turned, KNOCK_MM * _direction(rng), REFERENCE, REFERENCE)
    before = knock @ true_room(back).T_reference_ct
    touched = {
        name: TouchedPoint(before.apply(point + rng.uniform(-_HAND_MM, _HAND_MM, 3)), None, None)
        for name, point in planned.items()
    }
    kinds: dict[str, LandmarkKind] = dict.fromkeys(planned, "bone")
    measured = Measured(planned, touched, targets_ct=targets_ct, tip_error_rms_mm=0.2, kinds=kinds)
    return _kept(case, back, measured, register(measured, bone_ct, Assumptions()), by)


def by_sweep(
    case: Case,
    back: ScannedBack,
    frames: Sequence[SweptFrame],
    probe: ProbeInForce,
    bone_ct: Surface,
    targets_ct: Mapping[str, Floats],
    by: Circumstances,
) -> Registered:
    """The registration in force, renewed by the bone of a sweep.

    Raises:
        AcquisitionError: it was refused.
        RegisteringError: no registration is in force.
    """
    bone, start = bone_of_placed([frame.placed for frame in frames]), present_start(case)
    renewal = renew_on_bone(bone, probe_map(probe), Bones(bone_ct), start, targets_ct, Assumptions())
    measured = Measured({}, {}, renewal.swept_reference_mm, targets_ct)
    return replace(_kept(case, back, measured, renewal.outcome, by), swept_reference_mm=renewal.swept_reference_mm)


def _kept(
    case: Case, back: ScannedBack, measured: Measured, outcome: RegistrationOutcome, by: Circumstances
) -> Registered:
    """Proposed, and accepted by the demo's person unless it is refused."""
    attempt = keep_attempt(case, measured, outcome, Assumptions(), by)
    verdict = verdict_of(case, attempt)
    if verdict.level == REFUSE or outcome.expected is None:
        raise AcquisitionError(
            f"a registration that was refused: {'; '.join(verdict.reasons) or outcome.findings.failure}",
            "one that may be put in force",
            "use another --seed",
        )
    accepted = put_in_force(case, attempt, by.person, by.time, consent=True)
    points = np.array(list(measured.targets_ct.values()))
    true_mm = target_errors_mm(accepted.T_reference_ct, true_room(back).T_reference_ct, points)
    names = list(measured.targets_ct)
    return Registered(
        accepted=accepted,
        verdict=verdict,
        expected_p95_mm=dict(zip(names, outcome.expected.p95_mm.tolist(), strict=True)),
        true_mm=dict(zip(names, true_mm.tolist(), strict=True)),
        outcome=outcome,
        swept_reference_mm=np.empty((0, 3)),
    )


def _direction(rng: np.random.Generator) -> Floats:
    vector = rng.normal(size=3)
    unit: Floats = vector / np.linalg.norm(vector)
    return unit
