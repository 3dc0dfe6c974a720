"""The offset between two devices' clocks from the motion that both saw.

Both bodies are one, so the hand's rotation rate in its own axes is the eye's in other axes, whatever the frames of the
devices are. At each lag the rotation between the two rates that fits best (Kabsch) gives their correlation; its highest
lags are where the refinement starts (compare Furrer et al., "Evaluation of combined time-offset estimation and hand-eye
calibration on robotic datasets", FSR 2017, which correlates the rates' lengths).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.signal import correlate
from scipy.spatial.transform import Rotation

from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.model import rigid, rotation_vectors
from calibration.streams import PoseStream
from geometry.points import Bools, Floats

# A hand turns at a few Hz at most: shorter differences are the tracker's noise.
_SHORTEST_WINDOW_S = 0.1
_LONGEST_GRID = 20_000
# Poses farther apart than this many usual steps, or than this time, have a gap between them that nothing is known of.
_GAP_STEPS, _GAP_S = 4.0, 0.25
_MOST_SVD = 4000
_APART_S = 0.3
# Two motions that have nothing in common look alike somewhere, if only for a few seconds.
_LEAST_SHARE = 1.0 / 3.0


class Track:
    """A stream between its poses: cubics through the two poses before and the two after.

    Straight lines cut the bends: at 20 poses a second a hand's path by a quarter of a millimetre, always to the inside.
    Rotations are taken as rotation vectors from the pose before. Beside an end or a gap the way is straight.
    """

    def __init__(self, stream: PoseStream) -> None:
        self.time_s = stream.time_s
        self.poses = stream.poses
        steps_s = np.diff(self.time_s)
        self.step_s = float(np.median(steps_s))
        self.is_gap: Bools = steps_s > max(_GAP_S, _GAP_STEPS * self.step_s)

    def at(self, time_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Poses ``(n, 4, 4)``, rotation rates in rad/s in axes of the body, and velocities in mm/s, ``(n, 3)`` each."""
        segment = self._segment(time_s)
        nodes, weights, slopes = self._cubic(segment, time_s)
        rotations = self.poses[segment, :3, :3]
        near = self.poses[nodes]
        turns = rotation_vectors((np.swapaxes(rotations, 1, 2)[:, None] @ near[..., :3, :3]).reshape(-1, 3, 3))
        turns = turns.reshape(-1, 4, 3)
        turned = np.einsum("nk,nkj->nj", weights, turns)
        rates = np.einsum("nk,nkj->nj", slopes, turns)
        positions = np.einsum("nk,nkj->nj", weights, near[..., :3, 3])
        velocities = np.einsum("nk,nkj->nj", slopes, near[..., :3, 3])
        poses = rigid(rotations @ Rotation.from_rotvec(turned).as_matrix(), positions)
        # The right Jacobian of SO(3) to its first order; from pose to pose a body turns by some degrees.
        return poses, rates - 0.5 * np.cross(turned, rates), velocities

    def _cubic(self, segment: np.ndarray, time_s: Floats) -> tuple[np.ndarray, Floats, Floats]:
        """Four poses around each time, their weights, and the weights' derivatives by time, ``(n, 4)`` each."""
        last = len(self.time_s) - 1
        before, after = np.maximum(segment - 1, 0), np.minimum(segment + 2, last)
        gap = np.concatenate([[True], self.is_gap, [True]])  # an end is a gap; gap[i] lies before pose i
        straight = gap[segment] | gap[segment + 2]
        nodes = np.stack([before, segment, segment + 1, after], axis=1)
        since = (self.time_s[nodes] - time_s[:, None]) / self.step_s
        weights, slopes = _lagrange(since)
        linear, linear_slopes = _lagrange(since[straight, 1:3])
        weights[straight], slopes[straight] = 0.0, 0.0
        weights[straight, 1:3], slopes[straight, 1:3] = linear, linear_slopes
        return nodes, weights, slopes / self.step_s

    def knows(self, time_s: Floats, margin_s: float) -> Bools:
        """Which times lie inside the stream and in none of its gaps, by `margin_s` to either side."""
        known = np.ones(len(time_s), dtype=np.bool_)
        for shift_s in (-margin_s, 0.0, margin_s):
            shifted = time_s + shift_s
            known &= (shifted >= self.time_s[0]) & (shifted <= self.time_s[-1]) & ~self.is_gap[self._segment(shifted)]
        return known

    def rates(self, time_s: Floats, window_s: float) -> tuple[Floats, Bools]:
        """Rotation rates over `window_s` around each time, ``(n, 3)``, zero where unknown; and where they are known."""
        known = self.knows(time_s, 0.5 * window_s)
        before, after = self.at(time_s - 0.5 * window_s)[0], self.at(time_s + 0.5 * window_s)[0]
        rates = rotation_vectors(np.swapaxes(before[:, :3, :3], 1, 2) @ after[:, :3, :3]) / window_s
        rates[~known] = 0.0
        return rates, known

    def _segment(self, time_s: Floats) -> np.ndarray:
        return np.clip(np.searchsorted(self.time_s, time_s, side="right") - 1, 0, len(self.time_s) - 2)


def _lagrange(nodes: Floats) -> tuple[Floats, Floats]:
    """Weights ``(n, k)`` of values at ``nodes`` ``(n, k)`` for the value at 0, and for its derivative."""
    count = nodes.shape[1]
    weights, slopes = np.ones_like(nodes), np.zeros_like(nodes)
    for k in range(count):
        others = [j for j in range(count) if j != k]
        apart = np.prod([nodes[:, k] - nodes[:, j] for j in others], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            weights[:, k] = np.prod([-nodes[:, j] for j in others], axis=0) / apart
            for j in others:
                slopes[:, k] += np.prod([-nodes[:, m] for m in others if m != j], axis=0) / apart
    return weights, slopes


@dataclass(frozen=True)
class OffsetCandidate:
    """A time offset at which the rotation rates fit.

    Attributes:
        offset_s: to be added to the eye's times to get the hand's.
        correlation: of the rates, -1 to 1.
    """

    offset_s: float
    correlation: float


def offset_candidates(hand: Track, eye: Track, least_overlap_s: float, count: int = 4) -> list[OffsetCandidate]:
    """The best offsets, the best first, 0.3 s or more apart, at which the streams share a third of the shorter one.

    Raises:
        HandEyeRefusedError: no lag leaves that much overlap.
    """
    lengths_s = hand.time_s[-1] - hand.time_s[0], eye.time_s[-1] - eye.time_s[0]
    length_s, least_overlap_s = max(lengths_s), max(least_overlap_s, _LEAST_SHARE * min(lengths_s))
    step_s = max(min(hand.step_s, eye.step_s), length_s / _LONGEST_GRID)
    window_s = max(_SHORTEST_WINDOW_S, 2.0 * hand.step_s, 2.0 * eye.step_s)
    grids = [np.arange(track.time_s[0], track.time_s[-1], step_s) for track in (hand, eye)]
    (hand_rates, hand_known), (eye_rates, eye_known) = (
        track.rates(grid, window_s) for track, grid in zip((hand, eye), grids, strict=True)
    )
    lags = np.arange(-(len(grids[1]) - 1), len(grids[0]))
    overlap = _correlated(hand_known.astype(np.float64), eye_known.astype(np.float64)) * step_s
    scores = _scores(hand_rates, hand_known, eye_rates, eye_known)
    scores[overlap < least_overlap_s] = -1.0
    if not (overlap >= least_overlap_s).any():
        raise HandEyeRefusedError(
            f"recordings that overlap by {overlap.max():.1f} s at the most",
            f"{least_overlap_s:.1f} s and more",
            "record both devices at the same time, for longer and without losing sight of the markers",
        )
    offsets_s = grids[0][0] - grids[1][0] + lags * step_s
    return _peaks(offsets_s, scores, step_s, count)


def _correlated(hand: Floats, eye: Floats) -> Floats:
    return correlate(hand, eye, mode="full", method="fft")


def _scores(hand: Floats, hand_known: Bools, eye: Floats, eye_known: Bools) -> Floats:
    """At each lag the correlation of the rates after the best rotation, from the singular values of their products."""
    products = np.stack([np.stack([_correlated(hand[:, i], eye[:, j]) for j in range(3)], 1) for i in range(3)], 1)
    energy_hand = _correlated(np.sum(hand**2, axis=1), eye_known.astype(np.float64))
    energy_eye = _correlated(hand_known.astype(np.float64), np.sum(eye**2, axis=1))
    both = np.sqrt(np.maximum(energy_hand, 0.0) * np.maximum(energy_eye, 0.0))
    both = np.maximum(both, 1e-9 * max(float(both.max()), 1e-30))
    size = np.linalg.norm(products, axis=(1, 2)) / both
    best = np.argsort(size)[-_MOST_SVD:]
    scores = np.full(len(size), -1.0)
    values = np.linalg.svd(products[best], compute_uv=False)
    sign = np.where(np.linalg.det(products[best]) < 0.0, -1.0, 1.0)
    scores[best] = (values[:, 0] + values[:, 1] + sign * values[:, 2]) / both[best]
    return scores


def _peaks(offsets_s: Floats, scores: Floats, step_s: float, count: int) -> list[OffsetCandidate]:
    """The highest tops: lags that are the best within 0.3 s to either side."""
    highest_near = maximum_filter1d(scores, 2 * max(1, round(_APART_S / step_s)) + 1)
    tops = np.flatnonzero((scores == highest_near) & (scores > 0.0))
    found = []
    for top in tops[np.argsort(-scores[tops])][:count]:
        inside = 0 < top < len(scores) - 1 and min(scores[top - 1], scores[top + 1]) > 0.0
        shift = _top(scores[top - 1 : top + 2]) if inside else 0.0
        found.append(OffsetCandidate(float(offsets_s[top] + shift * step_s), float(scores[top])))
    return found


def _top(three: Floats) -> float:
    """Where between -1 and 1 the parabola through three values has its top."""
    bend = three[0] - 2.0 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / bend, -1.0, 1.0)) if bend < 0.0 else 0.0
