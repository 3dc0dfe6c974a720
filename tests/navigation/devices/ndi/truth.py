"""Where the fake's tools truly are: the process that plays the device and the tests both ask here."""

from __future__ import annotations

import math


def true_pose(number: int, frame: int) -> tuple[float, ...]:
    """Quaternion (scalar first), position in mm and fit error in mm of the tool with this number, in a frame."""
    phase = 0.7 * (number % 97) + 0.031 * frame
    axis = (math.sin(phase), math.cos(1.3 * phase), math.sin(0.4 * phase + 1.0))
    length = math.sqrt(sum(part * part for part in axis))
    half = 0.5 * 3.0 * math.sin(0.7 * phase)
    quaternion = (math.cos(half), *(math.sin(half) * part / length for part in axis))
    position = (200.0 * math.sin(phase), -150.0 * math.cos(phase), -1500.0 + 300.0 * math.sin(0.5 * phase))
    return (*quaternion, *position, 0.05 + 0.03 * math.sin(phase))
