"""From what the cameras see of a tool to an observation: a pose with its covariance, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import TRACKER
from geometry.points import Bools, Floats
from navigation.devices.optical_markers.bodies import Body
from navigation.devices.optical_markers.finding import View
from navigation.devices.optical_markers.pose import Fit, Sighting, fit_pose
from navigation.devices.tracker import ToolObservation, Visibility

# Two answers are told apart by noise alone with this many standard deviations between them: one in 10^9 would be taken
# for the other if errors were normal, and they have heavier tails than that.
AMBIGUOUS_BELOW = 36.0
# The stated noise of the edges weighs as much as so many distances in excess of the six of a pose.
_PRIOR_FREEDOM = 6.0
_LARGEST_RMS_PX = 1.5
# Beyond this doubt a covariance, which is for small errors, does not describe it any more.
_LARGEST_TILT_RAD = np.deg2rad(4.0)
_LARGEST_DEPTH_SHARE = 0.05
# Where the mirrored pose runs into the same one there is no rival to compare, only one wide valley between the two.
# Four standard deviations (one in 16,000) of its tilt stay below the 5 degrees from which a pose counts as mirrored.
_LARGEST_TILT_IN_ONE_VALLEY_RAD = np.deg2rad(5.0) / 4.0


def judge(body: Body, views: Sequence[View]) -> ToolObservation:
    """What the cameras together say of a body.

    Args:
        views: of pictures that were taken at the same time.
    """
    remarks = tuple(dict.fromkeys(remark for view in views for remark in view.remarks))
    usable = [view for view in views if view.sighting is not None]
    if not usable:
        return ToolObservation(Visibility.OCCLUDED, reason="; ".join(_unseen(body, views, remarks)))
    fit, left_out = _robust(usable)
    if fit is None or fit.rms_px > _LARGEST_RMS_PX:
        off = "do not determine a pose" if fit is None else f"do not fit the tool, by {fit.rms_px:.1f} px RMS"
        why = f"what is seen of its markers {off}: partly hidden, moved or of another tool"
        return ToolObservation(Visibility.OCCLUDED, reason="; ".join((why, *remarks)))
    if left_out:
        remarks = (*remarks, "a marker that does not fit is left out")
    scale = (_PRIOR_FREEDOM + fit.squares) / (_PRIOR_FREEDOM + fit.freedom)
    lead = (fit.rival - fit.squares) / scale
    if lead < AMBIGUOUS_BELOW:
        why = (
            f"flat and far: tilted to one side or to the other (a lead of {lead:.0f}, {AMBIGUOUS_BELOW:.0f} is enough)"
        )
        return ToolObservation(Visibility.AMBIGUOUS, reason="; ".join((why, *remarks)))
    covariance = np.asarray(scale * np.linalg.inv(fit.information), dtype=np.float64)
    depth_mm = float(np.mean([_depth_mm(fit, view.sighting) for view in usable if view.sighting is not None]))
    largest_tilt = _LARGEST_TILT_RAD if np.isfinite(fit.rival) else _LARGEST_TILT_IN_ONE_VALLEY_RAD
    vague = _vague(covariance, depth_mm, largest_tilt)
    if vague:
        return ToolObservation(Visibility.AMBIGUOUS, reason="; ".join((vague, *remarks)))
    focal_px = float(np.mean([view.sighting.camera.fx_px for view in usable if view.sighting is not None]))
    pose = Transform.from_rotation(Rotation.from_matrix(fit.rotation), fit.translation_mm, TRACKER, body.tool)
    return ToolObservation(
        Visibility.VISIBLE,
        pose,
        fit_rms_mm=fit.rms_px * depth_mm / focal_px,
        reason="; ".join(remarks),
        covariance=(covariance + covariance.T) / 2.0,
    )


def _unseen(body: Body, views: Sequence[View], remarks: tuple[str, ...]) -> tuple[str, ...]:
    if any(view.seen for view in views):
        return ("too little is seen of it: partly hidden, or moved while the picture was taken", *remarks)
    some = ", ".join(str(number) for number in list(body.ids)[:4])
    more = ", ..." if len(body.ids) > 4 else ""
    return (f"none of its markers ({some}{more}) is seen: hidden, turned away, too far or blurred", *remarks)


def _robust(views: Sequence[View]) -> tuple[Fit | None, bool]:
    """The fit; if it is bad, that without the one marker that does not fit. And whether one was left out."""
    sightings = [view.sighting for view in views if view.sighting is not None]
    fit = fit_pose(sightings)
    if fit is None or fit.rms_px <= _LARGEST_RMS_PX:
        return fit, False
    groups = [(number, group) for number, view in enumerate(views) for group in np.unique(view.groups)]
    if len(groups) < 3:
        return fit, False
    best = None
    for number, group in groups:
        kept = [
            sighting if number != other else _without(sighting, views[other].groups == group)
            for other, sighting in enumerate(sightings)
        ]
        left = fit_pose([sighting for sighting in kept if len(sighting.offsets_px)])
        if left is not None and (best is None or left.rms_px < best.rms_px):
            best = left
    return (best, True) if best is not None and best.rms_px <= _LARGEST_RMS_PX else (fit, False)


def _without(sighting: Sighting, is_out: Bools) -> Sighting:
    kept = ~is_out
    return replace(
        sighting,
        points_tool_mm=sighting.points_tool_mm[kept],
        normals=sighting.normals[kept],
        offsets_px=sighting.offsets_px[kept],
        covariance_px2=sighting.covariance_px2[kept],
    )


def _depth_mm(fit: Fit, sighting: Sighting) -> float:
    middle = fit.rotation @ sighting.corners_tool_mm.mean(axis=0) + fit.translation_mm
    return float(sighting.T_camera_tracker.apply(middle)[2])


def _vague(covariance: Floats, depth_mm: float, largest_tilt_rad: float) -> str:
    """Why a pose is too vague for its covariance to hold, which is for small errors; empty if it is not."""
    tilt = float(np.sqrt(np.linalg.eigvalsh(covariance[:3, :3])[-1]))
    shift_mm = float(np.sqrt(np.linalg.eigvalsh(covariance[3:, 3:])[-1]))
    if tilt < largest_tilt_rad and shift_mm < _LARGEST_DEPTH_SHARE * depth_mm:
        return ""
    return f"too little is seen to tell its pose: {np.degrees(tilt):.1f} degrees and {shift_mm:.0f} mm of doubt"
