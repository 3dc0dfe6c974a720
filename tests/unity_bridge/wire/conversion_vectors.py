"""Makes tests/golden/conversion/: what Unity's convention makes of points, poses, chains and rotations in between.

    python -m tests.unity_bridge.wire.conversion_vectors

Both languages read the file. Interpolations are SciPy's; the rest is `unity_bridge.wire.convention`.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from geometry.transform import Transform
from tests.conftest import REPOSITORY
from unity_bridge.wire.convention import points_to_unity, pose_to_unity

FILE = REPOSITORY / "tests" / "golden" / "conversion" / "conversion.json"
_SHARES = (0.0, 0.25, 0.5, 1.0, 1.75)


def vectors() -> dict[str, Any]:
    """Everything in the file; the numbers are written so that they read back to the same bits."""
    rng = np.random.default_rng(20261125)
    transforms = [*_quarter_turns(), *(_random(rng, "reference", "stylus") for _ in range(20))]
    return {
        "points": [_point(point) for point in [*np.eye(3) * 1000.0, *rng.uniform(-500.0, 500.0, (10, 3))]],
        "poses": [_pose(transform) for transform in transforms],
        "chains": [_chain(rng) for _ in range(10)],
        "interpolations": [_interpolation(rng, share) for share in _SHARES for _ in range(4)],
    }


def text() -> str:
    return json.dumps(vectors(), indent=1) + "\n"


def _quarter_turns() -> list[Transform]:
    turns = [Rotation.from_euler(axis, 90, degrees=True) for axis in "xyz"]
    return [Transform.from_rotation(turn, [10.0, 20.0, 30.0], "reference", "stylus") for turn in turns]


def _random(rng: np.random.Generator, to_frame: str, from_frame: str) -> Transform:
    return Transform.from_rotation(_rotation(rng), rng.uniform(-500.0, 500.0, 3), to_frame, from_frame)


def _rotation(rng: np.random.Generator) -> Rotation:
    return Rotation.from_rotvec(rng.normal(size=3))


def _point(point_mm: np.ndarray) -> dict[str, Any]:
    return {"point_mm": point_mm.tolist(), "point_m": points_to_unity(point_mm).tolist()}


def _pose(transform: Transform) -> dict[str, Any]:
    pose = pose_to_unity(transform)
    return {
        "position_mm": transform.translation_mm.tolist(),
        "right_handed_xyzw": transform.rotation.as_quat().tolist(),
        "position_m": pose.position_m.tolist(),
        "rotation_xyzw": pose.rotation_xyzw.tolist(),
    }


def _chain(rng: np.random.Generator) -> dict[str, Any]:
    """A point of a tool that hangs from a tool: mapped right-handed in mm, and only then converted."""
    outer, inner = _random(rng, "reference", "probe"), _random(rng, "probe", "image")
    point_mm = rng.uniform(-100.0, 100.0, 3)
    return {
        "outer": _pose(outer),
        "inner": _pose(inner),
        "point_m": points_to_unity(point_mm).tolist(),
        "placed_m": points_to_unity((outer @ inner).apply(point_mm)).tolist(),
    }


def _interpolation(rng: np.random.Generator, share: float) -> dict[str, Any]:
    """On the shortest arc at constant angular velocity; beyond 1 it goes on with it, which SciPy's Slerp refuses."""
    first = _rotation(rng)
    step = Rotation.from_rotvec(rng.normal(size=3) * 0.5)
    second = first * step
    between = first * Rotation.from_rotvec(share * step.as_rotvec())
    if share <= 1.0:
        slerp = Slerp([0.0, 1.0], Rotation.concatenate([first, second]))
        between = slerp([share])[0]
    return {
        "from_xyzw": first.as_quat().tolist(),
        "to_xyzw": (-second.as_quat()).tolist(),  # the same rotation: a client must not go the long way round
        "share": share,
        "between_xyzw": between.as_quat().tolist(),
    }


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), "utf-8")
