"""Bone in placed ultrasound frames, as a registration takes it, and the case's registration renewed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from case.case import Case
from geometry import Surface, Transform
from geometry.points import Floats
from navigation.devices.ultrasound.source import GreyPixels
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.placing import ProbeInForce
from reconstruction.ultrasound.bone_surface import BoneSurface, find_bone_surface
from registration.errors import RegisteringError
from registration.measurements import Measured, TouchedPoint
from registration.record.attempt import Attempt
from registration.record.attempts import keep_attempt, load_attempt
from registration.record.in_force import in_force
from registration.record.plan import RegistrationPlan
from registration.renewal import Bones, Renewal, Start, renew_on_bone
from registration.surface.bone_sweep import ProbeMap, TrackedBone

# Structures whose surfaces tell, beside the one that is registered, where along the spine a sweep is.
SPINE = ("vertebra_", "sacrum")
# A lag whose error the calibration does not state.
UNKNOWN_LAG_SD_S = 0.01


def bone_in(pixels: GreyPixels, T_reference_probe: Transform, twist: Floats) -> TrackedBone:
    """The bone that the bone finder is sure of in an image; without points where it is of none.

    Args:
        pixels: grey ``(h, w)``.
        T_reference_probe: the probe's pose at the instant that the image shows.
        twist: its speed then, as `TrackedBone`.
    """
    return bone_found(find_bone_surface(pixels), T_reference_probe, twist)


def bone_found(found: BoneSurface, T_reference_probe: Transform, twist: Floats) -> TrackedBone:
    """What the bone finder found, with the probe's pose and speed at the instant that the image shows."""
    points_px = np.column_stack([found.columns, found.rows]).astype(np.float64)
    return TrackedBone(points_px, np.maximum(found.likelihood, 1e-3), T_reference_probe, twist)


def bone_of_placed(frames: Sequence[PlacedFrame]) -> list[TrackedBone]:
    """The bone of placed frames; those without a place, or of which nobody knows how fast the probe was, are left out.

    Args:
        frames: in the order of time.
    """
    return [
        bone_in(frame.result.pixels, frame.T_reference_probe, frame.errors.twist)
        for frame in frames
        if frame.result.pixels is not None and frame.T_reference_probe is not None and frame.errors is not None
    ]


def probe_map(probe: ProbeInForce) -> ProbeMap:
    """The calibrations of a probe, as a registration takes them."""
    size = {"image_width_px": float(probe.size_px[0]), "image_height_px": float(probe.size_px[1])}
    scan = ScanGeometry.of_numbers({**probe.spatial.numbers, **size})
    # Where no geometry of the scan is known, beams are taken as those of a linear probe at the image's first row.
    face_px = (0.5 * (probe.size_px[0] - 1), 0.0) if scan is None else scan.face_px
    lag_sd_s = UNKNOWN_LAG_SD_S if probe.lag_sd_s is None else probe.lag_sd_s
    radius_mm = 0.0 if scan is None else scan.radius_mm
    return ProbeMap(
        probe.image_map.columns_mm, probe.image_map.covariance, lag_sd_s, probe.size_px[0], face_px, radius_mm
    )


def present_start(case: Case) -> Start:
    """The registration in force, to start from.

    Raises:
        RegisteringError: there is none, or it no longer holds.
    """
    accepted = in_force(case)
    if accepted is None:
        raise RegisteringError(
            "a case without a registration in force, from which a sweep could start",
            "a registration that a person accepted, or touched landmarks",
            "register by landmarks first, or pass --touched",
        )
    attempt = load_attempt(case, accepted.registration_id)
    known = None if attempt.result is None else attempt.result.pose.uncertainty()
    return Start(accepted.T_reference_ct, f"{accepted.registration_id}, in force", known)


def bones_of(plan: RegistrationPlan) -> Bones:
    """The surface that is registered, with the other approved bones of the spine if it is one of them."""
    if not plan.structure.startswith(SPINE):
        return Bones(plan.surface)
    approved = (artefact.details["structure"] for artefact in plan.case.approved_surfaces())
    names = [name for name in approved if name != plan.structure and name.startswith(SPINE)]
    return Bones(plan.surface, tuple[Surface, ...](plan.case.read_surface(name) for name in names))


def propose_renewal(
    plan: RegistrationPlan,
    frames: Sequence[TrackedBone],
    probe: ProbeMap,
    start: Start,
    by: tuple[str, str, str],
    touched: Mapping[str, TouchedPoint] | None = None,
) -> tuple[Attempt, Renewal]:
    """Registers the plan's bone by tracked bone, and keeps it in the case as an attempt: nothing comes into force.

    Args:
        plan: the case, with the bone to register (`open_plan`).
        frames: in the order of time (`bone_of_placed`, `bone_in`).
        probe: its calibration (`probe_map`).
        start: the registration in force (`present_start`), or one from landmarks.
        by: who proposes it, when (ISO 8601 with a time zone), and what the sweep is from.
        touched: the landmarks that the start is from, for the record; None where it is from none.
    """
    person, time, measured_with = by
    renewal = renew_on_bone(frames, probe, bones_of(plan), start, plan.targets_ct, plan.assumptions)
    measured = Measured(plan.landmarks_ct, touched or {}, renewal.swept_reference_mm, plan.targets_ct)
    circumstances = plan.circumstances(person, time, measured_with, start="registration")
    return keep_attempt(plan.case, measured, renewal.outcome, plan.assumptions, circumstances), renewal
