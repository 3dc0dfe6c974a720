"""Streams of poses written as recordings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.streams import PoseStream
from navigation.devices.replay.table import COLUMNS

FIRST_NS = 1_378_476_416_930_770_400


def write_csv(path: Path, stream: PoseStream, hidden: tuple[int, ...] = ()) -> Path:
    """One row a frame; frames in `hidden` have no pose."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for index, (time_s, pose) in enumerate(zip(stream.time_s, stream.poses, strict=True)):
            numbers = [*pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat()]
            shown = ["occluded", *[""] * 7] if index in hidden else ["visible", *(f"{value:.9f}" for value in numbers)]
            writer.writerow([index, f"{time_s:.6f}", stream.from_frame, *shown])
    return path


def write_folder(folder: Path, stream: PoseStream, *, named_by_time: bool = True) -> Path:
    """A text file for each pose, as MPHY0026 has them."""
    folder.mkdir()
    for index, (time_s, pose) in enumerate(zip(stream.time_s, stream.poses, strict=True)):
        name = str(FIRST_NS + round(time_s * 1e9)) if named_by_time else f"pose_{index}"
        np.savetxt(folder / f"{name}.txt", pose, fmt="%.6f")
    return folder
