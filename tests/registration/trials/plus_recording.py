"""PlusToolkit's recording of a stylus rocked in the eight landmarks of its fCal phantom, and its own results."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry import Transform
from navigation.devices.ultrasound.plus.header import read_header
from navigation.devices.ultrasound.plus.poses import read_poses as read_plus_poses

# The stylus tip of PlusToolkit's configuration for this recording (PlusDeviceSet_fCal_Sim_RecordPhantomLandmarks.xml),
# calibrated on another day with a residual of 0.46 mm.
PLUS_TIP_STYLUS_MM = np.array([108.565, 7.77385, 2.5389])
# Its detector: the tip still within 1.5 mm while a point 100 mm up the shaft moves by 30 mm, in windows of 0.2 s.
WINDOW, WINDOWS_NEEDED, STILL_MM, SHAFT_MM, SAME_LANDMARK_MM = 3, 5, 1.5, 30.0, 5.0
SHAFT_STYLUS_MM = PLUS_TIP_STYLUS_MM + 100.0 * np.array([0.997175, 0.0714032, 0.0233199])


@dataclass(frozen=True)
class PlusResult:
    """What PlusToolkit computed from the same recording; its phantom frame stands in for ct."""

    T_reference_ct: Transform
    landmarks_ct: np.ndarray
    fre_mm: float


def rigid(values: np.ndarray, to_frame: str, from_frame: str) -> Transform:
    """A printed 4x4, its rotation made orthonormal to the last digit again."""
    u, _, vt = np.linalg.svd(values[:3, :3])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = u @ vt, values[:3, 3]
    return Transform(matrix, to_frame, from_frame)


def read_poses(folder: Path) -> list[Transform]:
    """``T_reference_stylus`` of each of the 1,000 frames, in the order of time."""
    header = read_header(folder / "EightLandmarkPointsTrackedForPhantomRegistration.igs.mha")
    frames, notes = read_plus_poses(header)
    assert len(frames) == 1000
    assert not notes
    found = []
    for frame in frames:
        T_tracker_reference, T_tracker_stylus = frame["T_tracker_reference"], frame["T_tracker_stylus"]
        assert T_tracker_reference is not None
        assert T_tracker_stylus is not None
        found.append(T_tracker_reference.inverse() @ T_tracker_stylus)
    return found


def read_result(folder: Path) -> PlusResult:
    root = ET.parse(folder / "PhantomRegistrationLandmarkDetection.results.xml").getroot()
    pose = next(item for item in root.iter("Transform") if item.get("From") == "Phantom")
    matrix = np.array(pose.attrib["Matrix"].split(), float).reshape(4, 4)
    landmarks = [item.attrib["Position"].split() for item in root.iter("Landmark")]
    return PlusResult(rigid(matrix, "reference", "ct"), np.array(landmarks, float), float(pose.attrib["Error"]))


def detect_landmarks(poses: list[Transform]) -> list[tuple[np.ndarray, slice]]:
    """Landmarks as PlusToolkit's detector finds them, with the frames of each.

    It averages frames 1 to 4 of a detection only, an oddity kept here so that the same numbers go in.
    """
    tips = np.array([pose.apply(PLUS_TIP_STYLUS_MM) for pose in poses])
    shafts = np.array([pose.apply(SHAFT_STYLUS_MM) for pose in poses])
    found: list[tuple[np.ndarray, slice]] = []
    start = 0
    for end in range(WINDOW, len(poses) + 1):
        if (end - start) % WINDOW:
            continue
        windows = tips[start:end].reshape(-1, WINDOW, 3).mean(axis=1)
        if np.linalg.norm(np.ptp(windows, axis=0)) > STILL_MM:
            start = end
            continue
        moved_mm = np.linalg.norm(np.ptp(shafts[start + WINDOW - 1 : end : WINDOW], axis=0))
        if len(windows) >= WINDOWS_NEEDED and moved_mm >= SHAFT_MM:
            landmark = tips[start + 1 : start + 5].mean(axis=0)
            if all(np.linalg.norm(landmark - other) > SAME_LANDMARK_MM for other, _ in found):
                found.append((landmark, slice(start, end)))
            start = end
    return found
