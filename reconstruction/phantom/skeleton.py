"""The phantom's skeleton: spine, ribs, costal cartilage and sternum, within the chest wall's proportions.

Axes and origin are those of `reconstruction.phantom.anatomy`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reconstruction.phantom.shapes import Shape, Union, Values, capsule, rounded_box, smooth_max, tube, union

VERTEBRA_PITCH_MM = 27.0
VERTEBRA_LEVELS = range(-9, 10)
LOWEST_RIB_LEVEL = -1
HIGHEST_RIB_LEVEL = 9
SIDES = {"right": -1.0, "left": 1.0}


def half_width_mm(z: Values) -> Values:
    return 152.0 + 9.0 * np.tanh((z - 5.0) / 70.0)


def half_depth_mm(z: Values) -> Values:
    return 112.0 + 5.0 * np.tanh((z - 20.0) / 60.0)


def spine_centre_mm(z: Values) -> tuple[Values, Values]:
    """x and y of the vertebral bodies' centres: a slight scoliosis, kyphosis above and lordosis below."""
    return 4.0 * np.sin(z / 95.0), 46.0 + 9.0 * np.sin((z - 40.0) / 85.0)


def along_spine(z: Values, behind_mm: float) -> Values:
    x, y = spine_centre_mm(z)
    return np.stack([x, y + behind_mm, z], axis=1)


def vertebra_centre_mm(level: int) -> Values:
    """Centre of a vertebral body, ``(3,)``; levels count upward from the one at z = 0."""
    return along_spine(np.array([level * VERTEBRA_PITCH_MM]), 0.0)[0]


def pedicle_mm(level: int, side: float) -> Values:
    """Middle of a pedicle, where a pedicle screw passes."""
    return vertebra_centre_mm(level) + np.array([side * 11.5, 19.0, 4.0])


def spine() -> Union:
    return union([_vertebra(level) for level in VERTEBRA_LEVELS], 1.0)


def _vertebra(level: int) -> Union:
    centre = vertebra_centre_mm(level)
    width = 20.0 - 0.35 * level  # lumbar bodies are wider than thoracic ones

    def body(x: Values, y: Values, z: Values) -> Values:
        waist = 1.0 - 0.10 * np.cos(np.clip((z - centre[2]) / 10.0, -1.5, 1.5))
        around = np.sqrt(np.square((x - centre[0]) / width) + np.square((y - centre[1]) / 15.0)) / waist
        return smooth_max((around - 1.0) * 16.5, np.abs(z - centre[2]) - 11.0, 3.0)

    def arch(x: Values, y: Values, z: Values) -> Values:
        ring = np.abs(np.hypot(x - centre[0], (y - centre[1] - 24.0)) - 11.5) - 3.0
        return smooth_max(ring, np.abs(z - centre[2] - 0.0) - 8.0, 4.0)

    def at(x: float, y: float, z: float) -> Values:
        return centre + np.array([x, y, z])

    parts: list[Shape] = [
        Shape(body, *_around(centre, (width + 2, 17.0, 12.0))),
        Shape(arch, *_around(at(0, 24, 0), (15.0, 15.0, 9.0))),
        capsule(at(0, 37, -1), at(0, 54, -13), 3.6, 4.4),
    ]
    for side in SIDES.values():
        parts.append(capsule(at(side * 11.5, 12, 4), at(side * 11.5, 26, 4), 4.2))
        parts.append(capsule(at(side * 12, 27, 3), at(side * 33, 35, 5), 4.6, 3.8))
        parts.append(capsule(at(side * 13, 30, -12), at(side * 13, 29, 12), 4.4))
    return union(parts, 3.0)


def _around(centre: Values, half: tuple[float, float, float]) -> tuple[Any, Any]:
    return tuple((centre - np.array(half)).tolist()), tuple((centre + np.array(half)).tolist())


def _rib_points(level: int, side: float, first_deg: float, last_deg: float, count: int) -> Values:
    """Along the inside of the chest wall from back (0 deg) to front (180 deg), falling, then rising to the sternum."""
    angle = np.radians(np.linspace(first_deg, last_deg, count))
    fall = 62.0 * np.sin(np.clip(angle - 0.2, 0.0, np.radians(130.0)) * 0.69) ** 1.5
    rise = 34.0 * np.clip((angle - np.radians(125.0)) / np.radians(50.0), 0.0, 1.0) ** 1.5
    z = level * VERTEBRA_PITCH_MM + 6.0 - fall + rise
    x, y = np.sin(angle), np.cos(angle)
    scale = 1.0 / (np.abs(x / (half_width_mm(z) - 26.0)) ** 2.5 + np.abs(y / (half_depth_mm(z) - 25.0)) ** 2.5) ** 0.4
    return np.stack([side * x * scale, y * scale, z], axis=1)


def _rib(level: int, side: float) -> Union:
    last = {-1: 75.0, 0: 105.0}.get(level, 138.0)
    centre = vertebra_centre_mm(level)
    head = centre + np.array([[side * 19.0, 10.0, 8.0], [side * 36.0, 30.0, 8.0]])
    points = np.concatenate([head, _rib_points(level, side, 36.0, last, 15)])
    return tube(points, [4.0, 4.0, *np.linspace(4.6, 5.2, 15)])


def ribs() -> Union:
    levels = range(LOWEST_RIB_LEVEL, HIGHEST_RIB_LEVEL + 1)
    return union([_rib(level, side) for level in levels for side in SIDES.values()], 1.0)


def cartilage() -> Union:
    """From the ribs' ends to the sternum: as dense as soft tissue, no bone."""
    sticks = []
    for level in range(1, HIGHEST_RIB_LEVEL + 1):
        for side in SIDES.values():
            points = _rib_points(level, side, 140.0, 171.0, 6)
            points[:, 2] = np.maximum(points[:, 2], np.linspace(points[0, 2], 26.0, 6))
            sticks.append(tube(points, 5.0))
    return union(sticks, 1.0)


def sternum() -> Shape:
    y = -float(half_depth_mm(np.array(90.0))) + 23.0
    return rounded_box((0.0, y, 180.0), (18.0, 5.5, 156.0), 4.0)
