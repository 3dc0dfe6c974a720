"""A tool that touches the points of a block one after the other."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.accuracy.block import Block
from calibration.streams import PoseStream
from tests.calibration.streams_of import PIVOT_MM, TIP_MM

RATE_HZ = 20.0
BLOCK = Block(
    format="surgnav_block",
    name="cube",
    points_mm={"a": (0.0, 0.0, 0.0), "b": (100.0, 0.0, 0.0), "c": (100.0, 80.0, 0.0), "d": (0.0, 80.0, 40.0)},
    limit_mm=1.0,
)


def touched(
    block: Block = BLOCK, *, noise_mm: float = 0.1, scale: float = 1.0, seed: int = 4, tip_mm: np.ndarray = TIP_MM
) -> PoseStream:
    """Two seconds on each point, tilted to all sides on the first, a little on the others; a second between them."""
    rng, turn = np.random.default_rng(seed), Rotation.from_rotvec([0.3, -0.2, 0.5])
    places = PIVOT_MM + scale * turn.apply(list(block.points_mm.values()))
    tips, sizes = [], []
    for number, place in enumerate(places):
        if number:
            tips.append(np.linspace(places[number - 1], place, 22)[1:-1])
            sizes += [0.05] * 20
        held = 80 if number == 0 else 40
        tips.append(np.tile(place, (held, 1)))
        sizes += [0.5 if number == 0 else 0.05] * held
    every = np.concatenate(tips)
    phase = np.arange(len(every)) / 6.0
    angles = np.stack([np.sin(phase), np.cos(1.3 * phase), np.sin(0.7 * phase)], axis=1)
    rotations = Rotation.from_rotvec(np.array(sizes)[:, None] * angles)
    poses = np.tile(np.eye(4), (len(every), 1, 1))
    poses[:, :3, :3] = rotations.as_matrix()
    poses[:, :3, 3] = every - rotations.apply(tip_mm) + rng.normal(0.0, noise_mm, every.shape)
    return PoseStream("tracker", "stylus", np.arange(len(every)) / RATE_HZ, poses, 0, "block.csv")
