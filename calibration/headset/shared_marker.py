"""Headset to tracker from one marker that both see, at several places: the poses are averaged, place by place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.headset.alignment import HeadsetToTracker
from calibration.headset.errors import HeadsetRefusedError
from calibration.headset.places import Pairs, Places, pair, places_of
from calibration.headset.pose_faults import explain_misfit, jump_between
from calibration.headset.pose_fit import PoseFit, fit_places
from calibration.headset.touches import check_expected
from calibration.streams import PoseStream
from geometry.errors import FrameMismatchError
from geometry.frames import HEADSET, TRACKER
from geometry.points import Floats, read_only


@dataclass(frozen=True, kw_only=True)
class MarkerSettings:
    """Conditions under which poses of a marker are accepted.

    Attributes:
        minimum_places: so many places of the marker at least.
        place_step_mm, place_step_rad: a new place begins where the marker has moved or turned by so much.
        minimum_width_mm: RMS distance of the places from the line that fits them best.
        maximum_shift_rms_mm, maximum_turn_rms_rad: what the pose may leave at the places.
        maximum_jump_mm: a headset whose world moved by more between two places is not averaged.
        maximum_rejected_fraction: more places that contradict the others are no outliers.
        maximum_error_p95_mm: of what is shown in the middle of the places.
    """

    minimum_places: int = 5
    place_step_mm: float = 50.0
    place_step_rad: float = np.deg2rad(20.0)
    minimum_width_mm: float = 30.0
    maximum_shift_rms_mm: float = 8.0
    maximum_turn_rms_rad: float = np.deg2rad(5.0)
    maximum_jump_mm: float = 5.0
    maximum_rejected_fraction: float = 0.34
    maximum_error_p95_mm: float = 10.0


def align_by_shared_marker(
    tracker: PoseStream, headset: PoseStream, *, anchor: str, settings: MarkerSettings | None = None
) -> HeadsetToTracker:
    """Where the tracker is in the headset's world.

    Args:
        tracker: ``T_tracker_<marker>``, as the tracker saw it.
        headset: ``T_headset_<marker>``, as the headset saw the same marker, its axes those of the tracker's marker. The
            offset between the two clocks is estimated where the marker moves.
        anchor: the headset's name of the place of its world, the same for all poses.

    Raises:
        HeadsetRefusedError: streams that do not overlap, too few places or places on a line, another unit, a mirrored
            or an inverted frame, a marker with other axes, a world that moved, or poses that do not fit.
        FrameMismatchError: streams of two markers, or not from the tracker and the headset.
    """
    settings = settings or MarkerSettings()
    check_frames(tracker, headset)
    pairs = pair(tracker, headset)
    places = places_of(pairs, settings.place_step_mm, settings.place_step_rad)
    _check_places(places, settings)
    fit = fit_places(places)
    _check_fit(places, fit, settings)
    found = HeadsetToTracker(
        T_headset_tracker=fit.pose,
        covariance=read_only(fit.covariance),
        degrees=fit.degrees,
        anchor=anchor,
        method="a marker that tracker and headset both see",
        centre_tracker_mm=read_only(places.tracker[fit.used, :3, 3].mean(axis=0)),
        residuals_mm=read_only(np.linalg.norm(fit.shifts_mm, axis=1)),
        used=read_only(fit.used),
        coverage=(*_coverage(places, fit), offset_in_words(pairs)),
    )
    check_expected(found, settings.maximum_error_p95_mm)
    return found


def check_frames(tracker: PoseStream, headset: PoseStream) -> None:
    """Refuses streams that are not of one marker in ``tracker`` and ``headset``.

    Raises:
        FrameMismatchError: as said.
    """
    if (tracker.to_frame, headset.to_frame) != (TRACKER, HEADSET) or tracker.from_frame != headset.from_frame:
        raise FrameMismatchError(
            f"{tracker.name} of {tracker.source} beside {headset.name} of {headset.source}",
            f"poses of one marker in '{TRACKER}' and in '{HEADSET}'",
            "name the same marker for both, the tracker's recording first",
        )


def offset_in_words(pairs: Pairs) -> str:
    """What is known of the clocks, as a sentence."""
    if not np.isfinite(pairs.offset_sd_s):
        return "the marker moved too little to compare the clocks: they are taken as one"
    off_ms, sd_ms = 1e3 * pairs.offset_s, 1e3 * pairs.offset_sd_s
    return f"the tracker's clock is {off_ms:+.1f} ms off the headset's, known to {sd_ms:.1f} ms"


def _check_places(places: Places, settings: MarkerSettings) -> None:
    if len(places) < settings.minimum_places:
        raise HeadsetRefusedError(
            f"{len(places)} places of the marker",
            f"at least {settings.minimum_places}, each held for half a second",
            "hold the marker still, to the left and right, above and below, nearer and farther",
        )
    spreads_mm = _spreads_mm(places.tracker[:, :3, 3])
    if spreads_mm[1] < settings.minimum_width_mm:
        raise HeadsetRefusedError(
            f"places of the marker on a line: {spreads_mm[1]:.0f} mm RMS beside it",
            f"at least {settings.minimum_width_mm:g} mm RMS beside the line that fits them best",
            "hold the marker beside that line as well: above and below, nearer and farther",
        )


def _check_fit(places: Places, fit: PoseFit, settings: MarkerSettings) -> None:
    rejected = float(np.mean(~fit.used))
    is_loose = fit.shift_rms_mm > settings.maximum_shift_rms_mm or fit.turn_rms_rad > settings.maximum_turn_rms_rad
    if is_loose or rejected > settings.maximum_rejected_fraction:
        raise explain_misfit(places, fit)
    jump = jump_between(places, fit, settings.maximum_jump_mm)
    if jump is not None:
        raise jump


def _coverage(places: Places, fit: PoseFit) -> tuple[str, ...]:
    first, second, third = _spreads_mm(places.tracker[fit.used, :3, 3])
    turn_deg, shift_mm = np.rad2deg(fit.turn_rms_rad), fit.shift_rms_mm
    said = [
        f"{int(fit.used.sum())} of {len(places)} places of {int(places.n_poses.sum())} poses, {first:.0f}, "
        f"{second:.0f} and {third:.0f} mm RMS along the axes of their cloud",
        f"the turns differ by {turn_deg:.2f} degrees RMS, the places by {shift_mm:.1f} mm RMS",
    ]
    if not fit.used.all():
        times = ", ".join(f"{time_s:.1f}" for time_s in places.time_s[~fit.used])
        said.append(f"left out, since the others contradict them: the places at {times} s")
    return tuple(said)


def _spreads_mm(points_mm: Floats) -> Floats:
    spreads: Floats = np.linalg.svd(points_mm - points_mm.mean(axis=0), compute_uv=False) / np.sqrt(len(points_mm))
    return spreads
