"""The points that a tip rested on, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.streams import PoseStream
from geometry.points import Floats, read_only


@dataclass(frozen=True, kw_only=True)
class VisitSettings:
    """What counts as a visit.

    Attributes:
        hold_s: how long the tip rests at least.
        still_mm: how far from the visit's own median it may be meanwhile.
        longest_gap_s: a tip that was elsewhere, or out of sight, for no longer is still there.
        same_mm: a tip that comes back as near as this is at the same point again.
        least_tilt_deg: a tool that is turned by less is not held in a hand, but lies somewhere.
    """

    hold_s: float = 1.0
    still_mm: float = 2.0
    longest_gap_s: float = 0.5
    same_mm: float = 5.0
    least_tilt_deg: float = 1.0


@dataclass(frozen=True, eq=False)
class Visit:
    """One point that the tip rested on.

    Attributes:
        place_mm: median position of the tip, ``(3,)``.
        off_mm: distance of each position from it, ``(n,)``.
        begin_s, end_s: when, on the device's clock.
        tilt_deg: how far the tool was turned meanwhile, from its mean orientation.
        poses: indices of the poses in the stream, ``(n,)``; those between them at which the tip was elsewhere left out.
    """

    place_mm: Floats
    off_mm: Floats
    begin_s: float
    end_s: float
    tilt_deg: float
    poses: np.ndarray


def find_visits(stream: PoseStream, tip_mm: Floats, settings: VisitSettings | None = None) -> list[Visit]:
    """The points that the tip rested on, in the order of time; at the same point again is the same visit.

    Args:
        stream: poses of the tool.
        tip_mm: its tip ``(3,)`` in the tool's frame.
    """
    settings = settings or VisitSettings()
    tips_mm = stream.poses[:, :3, :3] @ tip_mm + stream.poses[:, :3, 3]
    found: list[list[int]] = []
    for held in _held(tips_mm, stream.time_s, settings):
        place = np.median(tips_mm[held], axis=0)
        last = np.median(tips_mm[found[-1]], axis=0) if found else None
        if last is not None and np.linalg.norm(place - last) < settings.same_mm:
            found[-1] += held
        else:
            found.append(held)
    visits = [_visit(stream, tips_mm, np.array(held)) for held in found]
    return [visit for visit in visits if visit.tilt_deg >= settings.least_tilt_deg]


def _held(tips_mm: Floats, time_s: Floats, settings: VisitSettings) -> list[list[int]]:
    """Runs of positions near to their own median, as long as is needed, as indices."""
    runs: list[list[int]] = []
    run: list[int] = []
    first_recent = 0
    for index in range(len(tips_mm)):
        if run and time_s[index] - time_s[run[-1]] > settings.longest_gap_s:
            runs.append(run)
            run, first_recent = [], 0
        while first_recent < len(run) - 1 and time_s[index] - time_s[run[first_recent]] > settings.hold_s:
            first_recent += 1
        # The median of the last second: a tip that creeps away leaves it, and one that slipped for a moment does not.
        recent = tips_mm[run[first_recent:]] if run else tips_mm[index : index + 1]
        if np.linalg.norm(tips_mm[index] - np.median(recent, axis=0)) <= settings.still_mm:
            run.append(index)
    runs.append(run)
    return [run for run in runs if time_s[run[-1]] - time_s[run[0]] >= settings.hold_s]


def _visit(stream: PoseStream, tips_mm: Floats, held: np.ndarray) -> Visit:
    place = np.median(tips_mm[held], axis=0)
    off = np.linalg.norm(tips_mm[held] - place, axis=1)
    rotations = Rotation.from_matrix(stream.poses[held, :3, :3])
    tilt_deg = float(np.rad2deg((rotations.mean().inv() * rotations).magnitude().max()))
    begin_s, end_s = float(stream.time_s[held[0]]), float(stream.time_s[held[-1]])
    return Visit(read_only(place), read_only(off), begin_s, end_s, tilt_deg, read_only(held))
