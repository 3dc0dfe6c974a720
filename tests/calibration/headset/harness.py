"""Simulated headsets: touched points, and poses of one marker that two devices see from places that are known here."""

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.headset.alignment import HeadsetToTracker
from calibration.headset.touches import TargetTouch
from calibration.streams import PoseStream
from geometry import Transform

EYES_MM = np.zeros(3)
# No exchange of two of them looks the same, and they do not lie in a plane.
SHOWN_MM = np.array(
    [[-180, -120, 480], [170, -150, 520], [150, 130, 430], [-90, 160, 590], [20, -20, 380], [-200, 40, 640]], float
)
TARGET_HEADSET_MM = np.array([60.0, -80.0, 620.0])


def truth(rng: np.random.Generator) -> Transform:
    """Any ``T_headset_tracker``."""
    return Transform.from_rotation(Rotation.random(rng=rng), rng.normal(size=3) * 1500.0, "headset", "tracker")


def touches(T_headset_tracker: Transform, errors_mm: np.ndarray, shown_mm: np.ndarray = SHOWN_MM) -> list[TargetTouch]:
    """The points touched with these errors ``(n, 3)`` in ``headset``."""
    tips_mm = T_headset_tracker.inverse().apply(shown_mm + errors_mm)
    return [
        TargetTouch(str(number + 1), shown, tip, "anchor-1", EYES_MM)
        for number, (shown, tip) in enumerate(zip(shown_mm, tips_mm, strict=True))
    ]


def touch_errors_mm(rng: np.random.Generator, count: int, rms_mm: float, depth_ratio: float) -> np.ndarray:
    """Errors ``(count, 3)`` at the first points, larger along the line of sight."""
    errors = rng.normal(size=(count, 3))
    sight = SHOWN_MM[:count] / np.linalg.norm(SHOWN_MM[:count], axis=1, keepdims=True)
    errors += (depth_ratio - 1.0) * sight * np.sum(errors * sight, axis=1, keepdims=True)
    return errors * rms_mm / np.sqrt(2.0 + depth_ratio**2)


def marker_streams(
    T_headset_tracker: Transform,
    rng: np.random.Generator,
    places: int = 9,
    shift_mm: float = 1.5,
    turn_deg: float = 0.5,
    offset_s: float = 0.0,
    lost_places: tuple[int, ...] = (),
    jump: tuple[int, float] | None = None,
    depth_ratio: float = 1.0,
    wrong_share: float = 0.0,
) -> tuple[PoseStream, PoseStream]:
    """A marker carried from place to place, as the tracker and as the headset see it.

    Args:
        shift_mm, turn_deg: RMS errors of the headset per axis, the same as long as the marker stays at a place.
        offset_s: by which the tracker's clock is ahead.
        lost_places: where the headset is wrong by 60 mm.
        jump: from which place on the headset's world has moved, and by how many mm.
        depth_ratio: error of the headset along its line of sight over that across it.
        wrong_share: of the places, where the headset is off by some 15 mm per axis more.
    """
    hold_s, go_s = 0.8, 0.5
    corner = np.array([-150.0, -450.0, 400.0])
    at_mm = corner + rng.permutation(np.stack(np.meshgrid(*[np.arange(3) * 140.0] * 3), -1).reshape(-1, 3))[:places]
    turned = Rotation.from_rotvec(rng.normal(size=(places, 3)) * 0.3)

    def path(time_s: np.ndarray) -> tuple[np.ndarray, Rotation, np.ndarray]:
        place = np.clip((time_s / (hold_s + go_s)).astype(int), 0, places - 1)
        following = np.minimum(place + 1, places - 1)
        share = np.clip((time_s - place * (hold_s + go_s) - hold_s) / go_s, 0.0, 1.0)[:, None]
        share = share**2 * (3.0 - 2.0 * share)
        turn = Rotation.from_rotvec((turned[place].inv() * turned[following]).as_rotvec() * share)
        return at_mm[place] * (1.0 - share) + at_mm[following] * share, turned[place] * turn, place

    ends_s = places * (hold_s + go_s) - go_s
    tracker_s, headset_s = np.arange(0.0, ends_s, 1 / 40), np.arange(0.25, ends_s - 0.25, 1 / 20)
    inverse = T_headset_tracker.inverse()
    position, rotation, place = path(tracker_s)
    seen_by_tracker = _matrices(
        inverse.apply(position + 0.05 * rng.normal(size=position.shape)), inverse.rotation * rotation
    )
    position, rotation, place = path(headset_s)
    bias_mm, bias_rad = shift_mm * rng.normal(size=(places, 3)), np.deg2rad(turn_deg) * rng.normal(size=(places, 3))
    sight = at_mm / np.linalg.norm(at_mm, axis=1, keepdims=True)
    bias_mm += (depth_ratio - 1.0) * sight * np.sum(bias_mm * sight, axis=1, keepdims=True)
    bias_mm += 15.0 * rng.normal(size=(places, 3)) * (rng.random((places, 1)) < wrong_share)
    bias_mm[list(lost_places)] += 60.0
    if jump is not None:
        bias_mm[jump[0] :] += jump[1] * np.array([0.6, 0.0, 0.8])
    seen_by_headset = _matrices(
        position + bias_mm[place] + 0.2 * shift_mm * rng.normal(size=position.shape),
        Rotation.from_rotvec(bias_rad[place]) * rotation,
    )
    return (
        PoseStream("tracker", "cube", tracker_s + offset_s, seen_by_tracker, 0, "tracker.csv"),
        PoseStream("headset", "cube", headset_s, seen_by_headset, 0, "headset.csv"),
    )


def worn_streams(true: Transform, rng: np.random.Generator, rate_hz: float = 30.0) -> tuple[PoseStream, PoseStream]:
    """20 s of a head that looks around, with a marker fixed to its headset, whose own pose drifts slowly."""
    seconds, offset_s = 20.0, rng.uniform(-0.05, 0.05)
    turns, shifts = 0.35 * rng.normal(size=(3, 3)), 80.0 * rng.normal(size=(3, 3))
    speeds, phases = rng.uniform(0.8, 2.5, size=(3, 1)), rng.uniform(0, 6.28, size=(3, 1))
    centre = np.array([0.0, 50.0, 0.0])
    sits = Transform.from_rotation(Rotation.random(rng=rng), rng.normal(size=3) * 60.0, "head", "cap")

    def head(time_s: np.ndarray) -> tuple[np.ndarray, Rotation]:
        waves = np.sin(speeds * time_s + phases).T
        return centre + waves @ shifts, Rotation.from_rotvec(waves @ turns)

    tracker_s, headset_s = np.arange(0.0, seconds, 0.5 / rate_hz), np.arange(0.2, seconds - 0.2, 1.0 / rate_hz)
    seen = true.inverse().matrix @ _matrices(*head(tracker_s)) @ sits.matrix
    seen = seen @ _matrices(
        0.1 * rng.normal(size=(len(seen), 3)), Rotation.from_rotvec(0.001 * rng.normal(size=(len(seen), 3)))
    )
    drift_mm, drift_rad = rng.uniform(1.0, 3.0), np.deg2rad(rng.uniform(0.1, 0.3))
    slow = np.stack([np.sin(rng.uniform(0.3, 1.5) * headset_s + rng.uniform(0, 6.28)) for _ in range(6)], axis=1)
    positions, rotations = head(headset_s)
    own = _matrices(
        positions + drift_mm * np.sqrt(2.0 / 3.0) * slow[:, :3] + 0.2 * rng.normal(size=positions.shape),
        Rotation.from_rotvec(drift_rad * slow[:, 3:] + 0.0005 * rng.normal(size=positions.shape)) * rotations,
    )
    return (
        PoseStream("tracker", "cap", tracker_s + offset_s, seen, 0, "tracker"),
        PoseStream("headset", "head", headset_s, own, 0, "headset"),
    )


def error_mm(found: HeadsetToTracker, true: Transform, at_headset_mm: np.ndarray = TARGET_HEADSET_MM) -> float:
    """How far from its place a point is shown."""
    point = true.inverse().apply(at_headset_mm)
    return float(np.linalg.norm(found.T_headset_tracker.apply(point) - at_headset_mm))


def expected_p95_mm(found: HeadsetToTracker, true: Transform, at_headset_mm: np.ndarray = TARGET_HEADSET_MM) -> float:
    return float(found.expected_p95_mm(true.inverse().apply(at_headset_mm))[0])


def _matrices(positions_mm: np.ndarray, rotations: Rotation) -> np.ndarray:
    matrices = np.tile(np.eye(4), (len(positions_mm), 1, 1))
    matrices[:, :3, :3], matrices[:, :3, 3] = rotations.as_matrix(), positions_mm
    return matrices
