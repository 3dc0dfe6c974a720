"""A block measured by the tests of ASTM F2554, by a tracker whose error is another than that of any model here.

Its noise lasts from frame to frame and is larger along the line of sight; its scale is wrong; and its tool's tip can
lie elsewhere than where it is calibrated.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from calibration.accuracy.block import Block
from calibration.accuracy.f2554 import F2554Streams
from calibration.streams import PoseStream
from tests.calibration.accuracy.block_touched import BLOCK, RATE_HZ
from tests.calibration.streams_of import PIVOT_MM, TIP_MM

TURN = Rotation.from_rotvec([0.3, -0.2, 0.5])
LIFT_MM = 15.0


def measured(
    *,
    noise_mm: tuple[float, float, float] = (0.03, 0.03, 0.1),
    hand_mm: float = 0.0,
    scale: float = 1.0,
    tip_mm: np.ndarray = TIP_MM,
    moved_mm: float = 0.0,
    touches: int = 20,
    span_deg: float = 40.0,
    rounds: int = 1,
    block: Block = BLOCK,
    seed: int = 4,
) -> F2554Streams:
    """The three streams.

    Args:
        noise_mm: standard deviation along each axis of the tracker.
        hand_mm: standard deviation, along each axis, of where the tip lies in the point at a touch.
        tip_mm: where the tool's tip really is.
        moved_mm: how far the block slipped between the single point and the rotation.
        span_deg: how far the tool is turned about each axis, from side to side.
    """
    rng = np.random.default_rng(seed)
    places = PIVOT_MM + scale * TURN.apply(list(block.points_mm.values()))
    held, lifted = 40, 12

    def stream(tips: np.ndarray, turns: np.ndarray) -> PoseStream:
        rotations = Rotation.from_rotvec(turns, degrees=True)
        white = rng.normal(size=(len(tips) + 200, 3))
        # An autoregressive process of the first order, 0.6 from frame to frame, with a standard deviation of one.
        noise = lfilter([np.sqrt(1.0 - 0.6**2)], [1.0, -0.6], white, axis=0)[200:] * noise_mm
        poses = np.tile(np.eye(4), (len(tips), 1, 1))
        poses[:, :3, :3] = rotations.as_matrix()
        poses[:, :3, 3] = tips - rotations.apply(tip_mm) + noise
        return PoseStream("tracker", "stylus", np.arange(len(tips)) / RATE_HZ, poses, 0, "f2554.csv")

    def sway(n: int) -> np.ndarray:
        phase = np.arange(n) / 6.0
        return 2.0 * np.stack([np.sin(phase), np.cos(1.3 * phase), np.sin(0.7 * phase)], axis=1)

    single = []
    for _ in range(touches):
        put_down = places[0] + rng.normal(0.0, 1.0, 3) * hand_mm
        single += [np.tile(put_down, (held, 1)), np.tile(put_down + [0.0, 0.0, LIFT_MM], (lifted, 1))]
    # Lifted for less than a second: that is no touch.
    tips = np.concatenate(single)

    half = span_deg / 2.0 * np.sin(np.linspace(0.0, 2.0 * np.pi, 120))
    shaft = TIP_MM / np.linalg.norm(TIP_MM)
    across = np.cross(shaft, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    turns = np.concatenate([half[:, None] * axis for axis in (shaft, across, np.cross(shaft, across))])

    lifted_once = np.zeros((len(turns), 3))
    lifted_once[85:93, 2] = LIFT_MM  # which is no fault of the tip

    visits = np.concatenate([np.tile(place, (held, 1)) for place in np.tile(places, (rounds, 1))])
    return F2554Streams(
        stream(visits, sway(len(visits))),
        stream(tips, sway(len(tips))),
        stream(places[0] + [moved_mm, 0.0, 0.0] + lifted_once, turns),
    )
