"""Two devices' poses of one marker: brought to one clock, paired, and averaged at each place where the marker was.

The errors of a headset's marker tracking hardly change from frame to frame but from place to place, so a place counts
once, however many frames it has. The mean of rotations (chordal, Markley et al., J. Guidance 30(4), 2007) and that of
positions over the same times keep the relation between the two devices, whether the marker stood or moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation, Slerp

from calibration.headset.alignment import misfit_rms_mm
from calibration.headset.errors import HeadsetRefusedError
from calibration.streams import PoseStream
from geometry.points import Bools, Floats

# A pose of the tracker between two of its frames is known only where these are near.
_LONGEST_GAP_S = 0.1
# A block of poses that is shorter has been passed, not visited.
_SHORTEST_S = 0.2
_FEWEST_POSES = 3
# Frames this many median distances from the mean of their place are left out of it.
_CUTOFF = 5.0
_FARTHEST_OFFSET_S, _STEP_S = 0.5, 0.025
# Poses spread over the recording that are enough to compare two paths.
_COMPARED = 400


@dataclass(frozen=True, eq=False)
class Pairs:
    """Poses of the marker that two devices saw at the same times.

    Attributes:
        time_s: ``(n,)``, on the headset's clock.
        tracker, headset: ``(n, 4, 4)``, ``T_tracker_marker`` and ``T_headset_marker``.
        offset_s: time on the tracker's clock minus that on the headset's, as estimated.
        offset_sd_s: its standard deviation; infinite where the marker did not move enough to tell.
    """

    time_s: Floats
    tracker: Floats
    headset: Floats
    offset_s: float
    offset_sd_s: float


@dataclass(frozen=True, eq=False)
class Places:
    """The mean poses of the marker at the places where it was.

    Attributes:
        time_s: ``(m,)``, the middle of each.
        tracker, headset: ``(m, 4, 4)``.
        n_poses: pairs that were averaged, ``(m,)``.
    """

    time_s: Floats
    tracker: Floats
    headset: Floats
    n_poses: Floats

    def __len__(self) -> int:
        return len(self.time_s)


def pair(tracker: PoseStream, headset: PoseStream) -> Pairs:
    """Brings two streams of one marker to one clock and interpolates the tracker's poses at the headset's times.

    Raises:
        HeadsetRefusedError: the streams do not overlap in time.
    """
    offset_s, sd_s = _time_offset(tracker, headset)
    time_s = headset.time_s + offset_s
    known = _is_known(tracker.time_s, time_s)
    if known.sum() < _FEWEST_POSES:
        raise HeadsetRefusedError(
            f"{int(known.sum())} moments at which both devices saw the marker: {tracker.source} from "
            f"{tracker.time_s[0]:.2f} to {tracker.time_s[-1]:.2f} s, {headset.source} from {headset.time_s[0]:.2f} to "
            f"{headset.time_s[-1]:.2f} s",
            "two recordings of the same minutes on nearly the same clock",
            "record both together, or shift the times of one where it is read",
        )
    return Pairs(headset.time_s[known], _poses_at(tracker, time_s[known]), headset.poses[known], offset_s, sd_s)


def places_of(pairs: Pairs, step_mm: float, step_rad: float) -> Places:
    """A new place begins where the marker has moved by `step_mm` or turned by `step_rad` since the last one began."""
    starts = [0]
    for index in range(1, len(pairs.time_s)):
        if _is_apart(pairs.tracker[starts[-1]], pairs.tracker[index], step_mm, step_rad):
            starts.append(index)
    blocks = np.split(np.arange(len(pairs.time_s)), starts[1:])
    kept = [b for b in blocks if len(b) >= _FEWEST_POSES and pairs.time_s[b[-1]] - pairs.time_s[b[0]] >= _SHORTEST_S]
    means = [_mean(pairs, block) for block in kept]
    return Places(
        np.array([pairs.time_s[block].mean() for block in kept]),
        np.array([tracker for tracker, _, _ in means]).reshape(-1, 4, 4),
        np.array([headset for _, headset, _ in means]).reshape(-1, 4, 4),
        np.array([float(count) for _, _, count in means]),
    )


def _is_apart(first: Floats, other: Floats, step_mm: float, step_rad: float) -> bool:
    cosine = (np.sum(first[:3, :3] * other[:3, :3]) - 1.0) / 2.0
    return bool(np.linalg.norm(other[:3, 3] - first[:3, 3]) > step_mm or cosine < np.cos(step_rad))


def _mean(pairs: Pairs, block: NDArray[np.intp]) -> tuple[Floats, Floats, int]:
    """The mean poses of a block and how many were averaged; frames that contradict the others are left out."""
    tracker, headset = pairs.tracker[block], pairs.headset[block]
    used = np.ones(len(block), dtype=np.bool_)
    for _ in range(3):
        turn = _mean_rotation(headset[used, :3, :3] @ tracker[used, :3, :3].transpose(0, 2, 1))
        angles = _angles_rad(turn.T @ headset[:, :3, :3] @ tracker[:, :3, :3].transpose(0, 2, 1))
        moves = headset[:, :3, 3] - tracker[:, :3, 3] @ turn.T
        away = np.linalg.norm(moves - np.median(moves[used], axis=0), axis=1)
        used = (away <= _CUTOFF * np.median(away) + 1e-9) & (angles <= _CUTOFF * np.median(angles) + 1e-9)
    means = []
    for poses in (tracker[used], headset[used]):
        mean = np.eye(4)
        mean[:3, :3] = _mean_rotation(poses[:, :3, :3])
        mean[:3, 3] = poses[:, :3, 3].mean(axis=0)
        means.append(mean)
    return means[0], means[1], int(used.sum())


def _mean_rotation(rotations: Floats) -> Floats:
    left, _, right = np.linalg.svd(rotations.sum(axis=0))
    mean: Floats = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    return mean


def _angles_rad(rotations: Floats) -> Floats:
    return np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))


# --------------------------------------------------------------------------------------------------------------- clocks
def _time_offset(tracker: PoseStream, headset: PoseStream) -> tuple[float, float]:
    """The offset between the clocks at which the two paths of the marker fit one another best, and its deviation.

    The misfit of the best rigid motion between the paths does not depend on where the devices are. Its curvature at the
    minimum, beside the misfit itself, says how well the offset is known.
    """

    chosen = np.unique(np.linspace(0, len(headset) - 1, min(_COMPARED, len(headset))).astype(int))
    seen_s, seen_mm = headset.time_s[chosen], headset.poses[chosen, :3, 3]

    def misfit_mm(offset_s: float) -> float:
        time_s = seen_s + offset_s
        known = _is_known(tracker.time_s, time_s)
        if known.sum() < max(10, 0.5 * len(time_s)):
            return np.inf
        at_mm = np.stack([np.interp(time_s[known], tracker.time_s, axis) for axis in tracker.poses[:, :3, 3].T], axis=1)
        return misfit_rms_mm(at_mm, seen_mm[known])

    offsets_s = np.arange(-_FARTHEST_OFFSET_S, _FARTHEST_OFFSET_S + _STEP_S / 2, _STEP_S)
    misfits_mm = np.array([misfit_mm(offset_s) for offset_s in offsets_s])
    best = int(np.argmin(misfits_mm))
    if not np.isfinite(misfits_mm[best]) or best in (0, len(offsets_s) - 1):
        return 0.0, np.inf
    bounds = (offsets_s[best] - _STEP_S, offsets_s[best] + _STEP_S)
    found = minimize_scalar(misfit_mm, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    squares = [misfit_mm(float(found.x) + step_s) ** 2 for step_s in (-_STEP_S, 0.0, _STEP_S)]
    curvature = (squares[0] - 2.0 * squares[1] + squares[2]) / _STEP_S**2
    if not np.isfinite(curvature) or curvature <= 0.0:
        return 0.0, np.inf
    # Errors that hardly change from frame to frame: a second counts once.
    independent = max(float(headset.time_s[-1] - headset.time_s[0]), 1.0)
    sd_s = float(np.sqrt(2.0 * squares[1] / 3.0 / (curvature * independent)))
    return (float(found.x), sd_s) if sd_s < _STEP_S else (0.0, np.inf)


def _is_known(tracker_s: Floats, time_s: Floats) -> Bools:
    """At which times ``(n,)`` the tracker's pose lies between two frames that are near to one another."""
    after = np.searchsorted(tracker_s, time_s)
    inside = (after > 0) & (after < len(tracker_s))
    after = np.clip(after, 1, max(len(tracker_s) - 1, 1))
    gap_s = tracker_s[np.minimum(after, len(tracker_s) - 1)] - tracker_s[after - 1]
    known: Bools = inside & (gap_s <= _LONGEST_GAP_S)
    return known


def _poses_at(stream: PoseStream, time_s: Floats) -> Floats:
    poses = np.tile(np.eye(4), (len(time_s), 1, 1))
    poses[:, :3, :3] = Slerp(stream.time_s, Rotation.from_matrix(stream.poses[:, :3, :3]))(time_s).as_matrix()
    poses[:, :3, 3] = np.stack([np.interp(time_s, stream.time_s, axis) for axis in stream.poses[:, :3, 3].T], axis=1)
    return poses
