"""Hand-eye calibration from two recordings whose clocks have nothing to do with one another."""

from __future__ import annotations

import numpy as np

from calibration.hand_eye.closed_form import robust_start
from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.hand_eye import HandEyeCalibration, as_calibration, check_count, solve
from calibration.hand_eye.model import Pairs, inverse
from calibration.hand_eye.motion import check_agreement, checked_tilt_rms_rad
from calibration.hand_eye.refine import evaluate
from calibration.hand_eye.settings import HandEyeSettings
from calibration.hand_eye.time_offset import OffsetCandidate, Track, offset_candidates
from calibration.streams import PoseStream
from geometry.points import Bools, Floats

# A lag whose rates fit nearly as well as at the best one may be the right one where the motion repeats itself.
_NEARLY = 0.85
# Rates that correlate better than this are of one motion; below, those of its inverse may do so by this much better.
_SURELY_ALIKE, _BETTER, _ALIKE = 0.95, 0.03, 0.8
# Pairs that are enough to tell candidates apart.
_ENOUGH = 300
# Two offsets are told apart by as much evidence as two poses ten standard deviations off bring.
_SURE_COST = 50.0
_ROUNDS = 4
# A body that turned and moved less since the last pose that counts is at rest; some noise wakes it.
_AT_REST_MM, _AT_REST_COSINE = 2.0, float(np.cos(np.deg2rad(0.5)))


def _has_moved(poses: Floats) -> Bools:
    """Which poses differ from the last that was kept: a body at rest brings the same error again, not more of them."""
    kept = np.zeros(len(poses), dtype=np.bool_)
    last = None
    for i, pose in enumerate(poses):
        if last is not None:
            cosine = 0.5 * (float(np.vdot(last[:3, :3], pose[:3, :3])) - 1.0)
            shift = pose[:3, 3] - last[:3, 3]
            if cosine > _AT_REST_COSINE and float(shift @ shift) < _AT_REST_MM**2:
                continue
        kept[i], last = True, pose
    return kept


class Matched:
    """Pairs of two streams at any offset near a first one: the slower stream's poses, the faster one's in between.

    Attributes:
        index: which poses of the slower stream take part.
        time_s: their times, on the slower stream's clock.
        is_eye_slower: whether the eye's stream is the slower one.
        margin_s: how far an offset may be from the first one before pairs would leave what is known.
    """

    def __init__(self, hand: Track, eye: Track, offset_s: float) -> None:
        self.is_eye_slower = eye.step_s >= hand.step_s
        self._slow, self._fast = (eye, hand) if self.is_eye_slower else (hand, eye)
        self._first_s = offset_s
        self.margin_s = 2.0 * self._fast.step_s
        known = self._fast.knows(self._slow.time_s + self._sign * offset_s, self.margin_s)
        known[known] = _has_moved(self._slow.poses[known])
        self.index = np.flatnonzero(known)
        self.time_s: Floats = self._slow.time_s[self.index]

    @property
    def _sign(self) -> float:
        return 1.0 if self.is_eye_slower else -1.0

    def at(self, offset_s: float) -> Pairs:
        """The pairs at this offset."""
        between, turn, velocity = self._fast.at(self.time_s + self._sign * offset_s)
        standing = self._slow.poses[self.index]
        if self.is_eye_slower:
            return Pairs(between, standing, turn, velocity)
        return Pairs(standing, between, turn, velocity, is_eye_moved=True)

    def covers(self, offset_s: float) -> bool:
        """Whether this offset is near enough to the first one."""
        return abs(offset_s - self._first_s) <= self.margin_s

    def thinned(self, count: int) -> Matched:
        """The same with `count` pairs at most, spread evenly."""
        thin = object.__new__(Matched)
        thin.__dict__.update(self.__dict__)
        chosen = np.unique(np.linspace(0, len(self.index) - 1, min(count, len(self.index))).round().astype(int))
        thin.index, thin.time_s = self.index[chosen], self.time_s[chosen]
        return thin


def calibrate_hand_eye_streams(
    hand: PoseStream, eye: PoseStream, settings: HandEyeSettings | None = None
) -> HandEyeCalibration:
    """Finds ``T_hand_eye``, ``T_base_world`` and the time offset from what two devices recorded of one moved body.

    As `calibrate_hand_eye`, with poses between those of the faster stream (slerp and straight lines) at the times of
    the slower one. The offset is one number: both clocks must run at the same rate, and none may jump.

    Args:
        hand: ``T_base_hand``, such as ``T_tracker_laparoscope``.
        eye: ``T_world_eye``, such as ``T_board_camera``, on a clock of its own.
        settings: what is asked of them.

    Raises:
        HandEyeRefusedError: as `calibrate_hand_eye`; recordings that do not overlap, whose rotation rates have nothing
            in common at any time offset, or that fit as well at several.
    """
    settings = settings or HandEyeSettings()
    for stream in (hand, eye):
        check_count(len(stream), settings)
    tilt_rad = checked_tilt_rms_rad(hand.poses, hand.from_frame, settings.minimum_tilt_rms_rad)
    checked_tilt_rms_rad(eye.poses, eye.from_frame, settings.minimum_tilt_rms_rad)
    tracks = Track(hand), Track(eye)
    best = _best_candidate(tracks, (hand, eye), settings)
    matched = Matched(*tracks, best.offset_s)
    for _ in range(_ROUNDS):
        check_count(len(matched.index), settings)
        pairs = matched.at(best.offset_s)
        check_agreement(pairs, *robust_start(pairs), (hand.name, eye.name))
        solved = solve(matched.at, best.offset_s, settings)
        if matched.covers(solved.fit.offset_s):
            break
        best = OffsetCandidate(solved.fit.offset_s, best.correlation)
        matched = Matched(*tracks, best.offset_s)
    checked_tilt_rms_rad(solved.fit.pairs.hand, hand.from_frame, settings.minimum_tilt_rms_rad)
    frames = ((hand.to_frame, hand.from_frame), (eye.to_frame, eye.from_frame))
    return as_calibration(solved, frames, settings, tilt_rad, (matched.index, matched.time_s), best.correlation)


def _best_candidate(
    tracks: tuple[Track, Track], streams: tuple[PoseStream, PoseStream], settings: HandEyeSettings
) -> OffsetCandidate:
    """The candidate at which the poses fit best, not only their rates; refuses what cannot be told."""
    candidates = offset_candidates(*tracks, settings.least_overlap_s)
    highest = candidates[0].correlation if candidates else 0.0
    if highest < _SURELY_ALIKE:
        _check_direction(highest, tracks[0], streams, settings)
    if highest < settings.minimum_correlation:
        raise _nothing_in_common(highest, streams, settings)
    near = [each for each in candidates if each.correlation >= _NEARLY * highest]
    if len(near) == 1:
        return near[0]
    costs = []
    for candidate in near:
        matched = Matched(*tracks, candidate.offset_s).thinned(_ENOUGH)
        if len(matched.index) < settings.minimum_pairs:
            costs.append(np.inf)
            continue
        solved = solve(matched.at, candidate.offset_s, settings, with_opencv=False)
        # As if all candidates had as many pairs; every pair left out counts as one that is very far off.
        all_pairs = evaluate(matched.at, solved.fit.x, solved.fit.z, solved.fit.offset_s, None)
        costs.append(all_pairs.cost / len(matched.index) * _ENOUGH)
    order = np.argsort(costs)
    if costs[order[1]] - costs[order[0]] < _SURE_COST:
        first, second = near[order[0]], near[order[1]]
        pairs = Matched(*tracks, first.offset_s).at(first.offset_s)
        check_agreement(pairs, *robust_start(pairs), (streams[0].name, streams[1].name))
        raise HandEyeRefusedError(
            f"a motion that repeats itself: offsets of {first.offset_s:.2f} s and {second.offset_s:.2f} s fit alike",
            "a motion that fits at one time offset only",
            "move the body unevenly: change pace and direction while recording",
        )
    return near[order[0]]


def _check_direction(
    best: float, hand: Track, streams: tuple[PoseStream, PoseStream], settings: HandEyeSettings
) -> None:
    """Refuses poses whose rates fit better where one of the two is inverted."""
    eye = streams[1]
    turned = PoseStream(eye.from_frame, eye.to_frame, eye.time_s, inverse(eye.poses), eye.n_missing, eye.source)
    inverted = offset_candidates(hand, Track(turned), settings.least_overlap_s, count=1)
    if inverted and inverted[0].correlation > max(best + _BETTER, _ALIKE):
        raise HandEyeRefusedError(
            f"{streams[0].name} or {eye.name} written the other way round: they turn alike where one is inverted",
            f"{streams[0].name} and {eye.name}",
            "invert the poses of the one that maps the other way, where they are read",
        )


def _nothing_in_common(
    best: float, streams: tuple[PoseStream, PoseStream], settings: HandEyeSettings
) -> HandEyeRefusedError:
    return HandEyeRefusedError(
        f"{streams[0].source} and {streams[1].source}, whose rotation rates have nothing in common: their "
        f"correlation is {best:.2f} at the best time offset",
        f"two recordings of one motion, with a correlation of {settings.minimum_correlation:g} and more",
        "check that both were recorded at the same time and of the same body, and turn it faster while recording",
    )
