"""A body with two markers that is moved as a hand moves it, seen by a tracker and by a camera, with a known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.hand_eye.model import Pairs, inverse, rigid
from calibration.streams import PoseStream
from geometry import Transform

# Per axis, in rad and mm: an optical tracker three times worse in depth, a camera that sees a board at half a metre.
TRACKER_NOISE = np.array([0.002, 0.002, 0.002, 0.15, 0.15, 0.45])
CAMERA_NOISE = np.array([0.003, 0.003, 0.001, 0.1, 0.1, 0.5])
# To be added to the times of the eye in `recorded`.
OFFSET_S = 3.217


@dataclass(frozen=True, eq=False)
class Truth:
    """What is to be found."""

    x: np.ndarray
    z: np.ndarray


def any_rigid(rng: np.random.Generator, reach_mm: float) -> np.ndarray:
    return rigid(Rotation.random(rng=rng).as_matrix(), rng.uniform(-reach_mm, reach_mm, 3))


def hand_motion(
    rng: np.random.Generator, time_s: np.ndarray, turn_deg: np.ndarray | float = 35.0, shift_mm: float = 120.0
) -> np.ndarray:
    """Smooth poses ``T_base_hand`` at these times, 1.5 m from the base."""
    frequencies, phases = rng.uniform(0.1, 0.5, (6, 3)), rng.uniform(0.0, 2.0 * np.pi, (6, 3))
    curves = np.sum(np.sin(2.0 * np.pi * frequencies * time_s[:, None, None] + phases), axis=2) / np.sqrt(3.0)
    turns = Rotation.from_rotvec(np.deg2rad(turn_deg) * curves[:, :3])
    return rigid(turns.as_matrix(), shift_mm * curves[:, 3:] + [0.0, 0.0, -1500.0])


def errors(rng: np.random.Generator, count: int, kind: str = "normal", keep: float = 0.9) -> np.ndarray:
    """Errors ``(n, 6)`` of variance 1: normal, with the heavy tails of Student's t, or correlated in time."""
    values = rng.normal(size=(count, 6))
    if kind == "heavy":
        return values / np.sqrt(rng.chisquare(3, (count, 1)))
    if kind == "correlated":
        for i in range(1, count):
            values[i] = keep * values[i - 1] + np.sqrt(1.0 - keep**2) * values[i]
    return values


def shaken(poses: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Poses with errors along the axes of the device that sees them."""
    turned = Rotation.from_rotvec(values[:, :3]).as_matrix() @ poses[:, :3, :3]
    return rigid(turned, poses[:, :3, 3] + values[:, 3:])


def seen(
    rng: np.random.Generator,
    hand: np.ndarray,
    truth: Truth,
    noise: float = 1.0,
    kind: str = "normal",
    keep: float = 0.9,
) -> tuple[np.ndarray, np.ndarray]:
    """``T_tracker_hand`` and ``T_board_camera`` as tracker and camera see them."""
    count = len(hand)
    board_in_camera = inverse(inverse(truth.z) @ hand @ truth.x)
    return (
        shaken(hand, noise * TRACKER_NOISE * errors(rng, count, kind, keep)),
        inverse(shaken(board_in_camera, noise * CAMERA_NOISE * errors(rng, count, kind, keep))),
    )


def make_case(
    rng: np.random.Generator,
    count: int = 120,
    noise: float = 1.0,
    kind: str = "normal",
    step_s: float = 0.1,
    keep: float = 0.9,
) -> tuple[Pairs, Truth]:
    """Pairs with their truth."""
    truth = Truth(any_rigid(rng, 150.0), any_rigid(rng, 800.0))
    hand = hand_motion(rng, np.arange(count) * step_s)
    return Pairs(*seen(rng, hand, truth, noise, kind, keep)), truth


def as_transforms(pairs: Pairs) -> tuple[list[Transform], list[Transform]]:
    return (
        [Transform(matrix, "tracker", "scope") for matrix in pairs.hand],
        [Transform(matrix, "board", "camera") for matrix in pairs.eye],
    )


def error_of(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The error ``E`` of ``E true = found``: rotation vector in rad and translation in mm, ``(6,)``."""
    error = found @ np.linalg.inv(true)
    return np.concatenate([Rotation.from_matrix(error[:3, :3]).as_rotvec(), error[:3, 3]])


def recorded(
    seed: int,
    rates_hz: tuple[float, float] = (60.0, 25.0),
    length_s: float = 20.0,
    noise: float = 1.0,
    offset_s: float = OFFSET_S,
    kind: str = "normal",
) -> tuple[PoseStream, PoseStream, Truth]:
    """The same motion seen by two devices; the eye's clock is `offset_s` behind the hand's."""
    rng = np.random.default_rng(seed)
    truth = Truth(any_rigid(rng, 150.0), any_rigid(rng, 800.0))
    times = [
        np.arange(0.0, length_s, 1.0 / rate) + 0.1 / rate * rng.random(round(length_s * rate)) for rate in rates_hz
    ]
    motions = [hand_motion(np.random.default_rng([seed, 1]), each) for each in times]
    hand = seen(rng, motions[0], truth, noise, kind)[0]
    eye = seen(rng, motions[1], truth, noise, kind)[1]
    return (
        PoseStream("tracker", "scope", times[0] + 100.0, hand, 0, "tracker.csv"),
        PoseStream("board", "camera", times[1] + 100.0 - offset_s, eye, 0, "camera.csv"),
        truth,
    )
