"""Tables of poses without a heading, as ROS tools write them: time, x, y, z, quaternion x, y, z, w in each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.errors import PoseStreamError
from calibration.streams import PoseStream

_COLUMNS = 8
_UNIT_LENGTH = 1e-3
_MM = {"mm": 1.0, "m": 1000.0}


def is_pose_table(path: Path) -> bool:
    """Whether a file is such a table, or an empty one: its first line is eight numbers, or there is none."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as stream:
        first = stream.readline().strip()
    cells = first.split(",")
    try:
        return not first or len([float(cell) for cell in cells]) == _COLUMNS
    except ValueError:
        return False


def read_pose_table(path: Path, to_frame: str, from_frame: str, unit: str) -> PoseStream:
    """Reads ``T_to_from`` from such a table; rows that came late, or again, are left out and counted as missing.

    Args:
        unit: of the positions, which the table does not say: "mm" or "m".

    Raises:
        PoseStreamError: no rows, other than eight numbers in a row, quaternions of another length than 1, or as
            `PoseStream`.
    """
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if not lines:
        action = "record it again; the tool was not seen, or the recording was cut off"
        raise PoseStreamError(f"{path.name}, which is empty", "a row with time and pose for each frame", action)
    try:
        rows = np.array([[float(cell) for cell in line.split(",")] for line in lines])
    except ValueError as error:
        action = "record or export it again; it may have been cut off"
        raise PoseStreamError(
            f"{path.name} with a row that is not like the others", "rows of numbers", action
        ) from error
    if rows.ndim != 2 or rows.shape[1] != _COLUMNS or not np.isfinite(rows).all():
        allowed = "time, x, y, z, and a quaternion x, y, z, w in each row"
        raise PoseStreamError(
            f"{path.name} with rows of {rows.shape[-1]} columns or without numbers", allowed, "export it so"
        )
    lengths = np.linalg.norm(rows[:, 4:], axis=1)
    if np.abs(lengths - 1.0).max() > _UNIT_LENGTH:
        came = f"{path.name} with a quaternion of length {lengths[np.abs(lengths - 1.0).argmax()]:.4g}"
        raise PoseStreamError(came, "quaternions of length 1 in the order x, y, z, w", "export it so; no other angles")
    in_time = np.r_[True, rows[1:, 0] > np.maximum.accumulate(rows[:, 0])[:-1]]
    kept = rows[in_time]
    poses = np.tile(np.eye(4), (len(kept), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = Rotation.from_quat(kept[:, 4:]).as_matrix(), _MM[unit] * kept[:, 1:4]
    return PoseStream(to_frame, from_frame, kept[:, 0], poses, int((~in_time).sum()), path.name)
