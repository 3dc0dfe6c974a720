"""The phantom's torso: which shapes lie where, in mm of its own frame.

Axes as in `ct` (x to the patient's left, y to the back, z to the head), the origin in the middle of the body at the
height of the diaphragm. Nothing here is a patient; sizes are those of an adult (Gray's Anatomy, 42nd edition).
Asymmetric on purpose: liver and vena cava on the right (-x), heart, aorta, spleen and stomach on the left (+x).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from reconstruction.phantom.shapes import (
    Shape,
    Union,
    Values,
    capsule,
    ellipsoid,
    ellipsoid_field,
    smooth_max,
    smooth_min,
    tube,
    union,
)
from reconstruction.phantom.skeleton import (
    SIDES,
    along_spine,
    cartilage,
    half_depth_mm,
    half_width_mm,
    ribs,
    spine,
    spine_centre_mm,
    sternum,
)

HALF_LENGTH_MM = 400.0  # the body goes on beyond every scan

LESION_CENTRE_MM, LESION_RADIUS_MM = (-84.0, -26.0, -22.0), 9.0
PORTAL_BIFURCATION_MM = (-34.0, -8.0, -42.0)

# Outward directions (azimuth from the front, to the left positive, in degrees; height z in mm) of the skin markers: no
# two distances alike, so that a marker cannot be mistaken for another one.
MARKER_PLACES = {
    "sternum": (-2.0, 96.0),
    "chest_right": (-38.0, 71.0),
    "chest_left": (46.0, 58.0),
    "epigastrium": (5.0, -28.0),
    "flank_right": (-78.0, -52.0),
    "flank_left": (71.0, -74.0),
    "abdomen_right": (-31.0, -96.0),
    "abdomen_left": (22.0, -113.0),
}


def section(x: Values, y: Values, z: Values, inset_mm: float, y_centre_mm: float = 0.0) -> Values:
    """A superelliptic torso, `inset_mm` within the skin: separable powers keep it cheap on a grid."""
    power = 2.5
    across = (np.abs(x) / (half_width_mm(z) - inset_mm)) ** power
    through = (np.abs(y - y_centre_mm) / (half_depth_mm(z) - inset_mm)) ** power
    return ((across + through + 1e-9) ** (1.0 / power) - 1.0) * (120.0 - inset_mm)


def body_field(x: Values, y: Values, z: Values) -> Values:
    """The skin: the torso's section with a groove along the spine and one below the sternum."""
    groove = 6.0 * np.exp(-np.square(x / 17.0)) / (1.0 + np.exp(-(y - 60.0) / 10.0))
    linea = 3.0 * np.exp(-np.square(x / 24.0)) / (1.0 + np.exp((y + 70.0) / 10.0))
    return section(x, y, z, 0.0) + groove + linea


def muscle_field(x: Values, y: Values, z: Values) -> Values:
    """Inner border of the fat, which is thicker at the flanks than over the sternum and the spine."""
    return section(x, y, z, 11.0) + 5.0 * np.square(x / 150.0) + 2.0


def abdomen_field(x: Values, y: Values, z: Values) -> Values:
    """The peritoneal cavity with its fat: below the diaphragm, in front of the back's muscles."""
    domes = smooth_min(dome_field(x, y, z, -1.0), dome_field(x, y, z, 1.0), 20.0) + 5.0
    return smooth_max(section(x, y, z, 31.0, -9.0), smooth_min(domes, z + 22.0, 20.0), 8.0)


def dome_field(x: Values, y: Values, z: Values, side: float) -> Values:
    """One half of the diaphragm: an ellipsoidal dome, an elliptic cylinder below it."""
    centre = (-61.0, 4.0, -48.0) if side < 0 else (64.0, 6.0, -55.0)
    axes = (70.0, 82.0, 88.0) if side < 0 else (66.0, 80.0, 78.0)
    return ellipsoid_field(centre, axes)(x, y, np.maximum(z, centre[2]))


def lung_field(x: Values, y: Values, z: Values, side: float) -> Values:
    cavity = section(x, y, z, 33.0)
    spine_x, spine_y = spine_centre_mm(z)
    spine = 30.0 - np.hypot(x - spine_x, y - spine_y)
    mediastinum = 25.0 + 12.0 * np.exp(-np.square((y + 5.0) / 45.0)) - side * x
    heart = -ellipsoid_field((30.0, -34.0, 78.0), (52.0, 47.0, 58.0))(x, y, z)
    floor = (-16.0 - 0.38 * y - z) * 0.9
    medial = smooth_max(mediastinum, spine, 12.0)
    basal = smooth_max(-dome_field(x, y, z, side) + 3.0, floor, 8.0)
    inner = smooth_max(smooth_max(cavity, medial, 14.0), smooth_max(basal, heart + 4.0, 8.0), 10.0)
    if side < 0:
        return smooth_max(inner, 5.0 - liver_field(x, y, z), 2.0)
    return smooth_max(inner, 5.0 - SPLEEN.field(x, y, z), 2.0)


def liver_field(x: Values, y: Values, z: Values) -> Values:
    right = ellipsoid_field((-63.0, 2.0, -50.0), (66.0, 78.0, 84.0))(x, y, z)
    left = ellipsoid_field((4.0, -46.0, -16.0), (70.0, 28.0, 34.0))(x, y, z)
    lobes = smooth_min(right, left, 26.0)
    fossa = -ellipsoid_field((-8.0, 14.0, -86.0), (58.0, 48.0, 40.0))(x, y, z)
    slope = (-106.0 - 0.35 * x - z) * 0.85
    lower = smooth_max(smooth_max(lobes, fossa, 16.0), slope, 20.0)
    cava = 13.0 - np.hypot(x + 21.0, y - 15.0)
    wall = section(x, y, z, 36.0)
    kidney = 4.0 - KIDNEYS.parts[0].field(x, y, z)
    return smooth_max(smooth_max(lower, wall, 8.0), smooth_max(cava, kidney, 4.0), 6.0)


SPLEEN = ellipsoid((95.0, 34.0, -28.0), (22.0, 40.0, 48.0))
KIDNEYS = union(
    [ellipsoid((-66.0, 44.0, -112.0), (25.0, 20.0, 50.0)), ellipsoid((64.0, 42.0, -98.0), (25.0, 21.0, 52.0))]
)


def build_anatomy() -> Mapping[str, Shape]:
    """Every shape by name. `bone` is spine, ribs and sternum; `lung` both lungs; `vessel` all vessels."""
    bones = {"spine": spine(), "ribs": ribs(), "sternum": sternum()}
    lungs = [Shape(partial(lung_field, side=side), *_box(side, -80.0, HALF_LENGTH_MM)) for side in SIDES.values()]
    vessels = _vessels()
    long_box = ((-190.0, -150.0, -HALF_LENGTH_MM), (190.0, 150.0, HALF_LENGTH_MM))
    return {
        "body": Shape(body_field, *long_box),
        "muscle": Shape(muscle_field, *long_box),
        "abdomen": Shape(abdomen_field, (-140.0, -105.0, -HALF_LENGTH_MM), (140.0, 90.0, 40.0)),
        "lung": union(lungs, 0.5),
        "liver": Shape(liver_field, (-130.0, -82.0, -135.0), (78.0, 82.0, 38.0)),
        **bones,
        "bone": union(list(bones.values()), 1.0),
        "cartilage": cartilage(),
        **vessels,
        "vessel": union(list(vessels.values()), 2.0),
        "lesion": ellipsoid(LESION_CENTRE_MM, [LESION_RADIUS_MM] * 3),
        "heart": ellipsoid((30.0, -34.0, 78.0), (49.0, 44.0, 55.0)),
        "mediastinal_fat": ellipsoid((22.0, -34.0, 74.0), (66.0, 54.0, 72.0)),
        "spleen": SPLEEN,
        "kidneys": KIDNEYS,
        "stomach": ellipsoid((55.0, -30.0, -48.0), (40.0, 34.0, 46.0)),
        "stomach_gas": ellipsoid((57.0, -52.0, -38.0), (24.0, 9.0, 24.0)),
        "canal": tube(along_spine(np.linspace(-250, 250, 26), 24.0), 8.0),
        "discs": tube(along_spine(np.linspace(-250, 250, 26), 0.0), 16.5),
        "psoas": union([tube(_psoas(side), [6.0, *[15.0] * 8]) for side in SIDES.values()]),
        "bowel": _bowel(),
        "lung_vessels": _lung_vessels(),
    }


def _box(side: float, low_z: float, high_z: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    x = sorted((side * 5.0, side * 140.0))
    return (x[0], -100.0, low_z), (x[1], 100.0, high_z)


def _vessels() -> Mapping[str, Shape]:
    z = np.linspace(-HALF_LENGTH_MM, 130.0, 40)
    spine_x, spine_y = spine_centre_mm(z)
    aorta = np.stack([spine_x + 14.0 + 4.0 * np.tanh(z / 60.0), spine_y - 29.0, z], axis=1)
    cava_z = np.linspace(-HALF_LENGTH_MM, 40.0, 26)
    cava = np.stack([np.full(26, -21.0), np.full(26, 15.0), cava_z], axis=1)
    cava[cava_z < -100.0, 1] += 4.0
    fork = list(PORTAL_BIFURCATION_MM)
    portal = [
        tube(_path([6, 2, -92], [-6, -4, -70], [-22, -8, -52], fork), 6.5),
        tube(_path(fork, [-52, -8, -36], [-72, -2, -38], [-92, 8, -46]), [5.5, 5.0, 4.0, 2.8]),
        tube(_path(fork, [-24, -24, -30], [-8, -38, -22], [14, -46, -18]), [5.0, 4.5, 3.8, 2.6]),
        tube(_path([-52, -8, -36], [-68, -24, -44], [-80, -36, -58]), [4.0, 3.2, 2.2]),
    ]
    confluence = [-22.0, 14.0, 10.0]
    hepatic = [
        tube(_path(confluence, [-46, 10, 4], [-76, 10, -12], [-100, 14, -30]), [5.0, 4.2, 3.4, 2.4]),
        tube(_path(confluence, [-42, -14, 0], [-58, -38, -16]), [4.6, 3.8, 2.4]),
    ]
    return {
        "aorta": tube(aorta, 11.0),
        "vena_cava": tube(cava, 10.5),
        "portal_vein": union(portal, 2.0),
        "hepatic_veins": union(hepatic, 2.0),
    }


def _path(*points_mm: Sequence[float]) -> Values:
    return np.array(points_mm, dtype=float)


def _psoas(side: float) -> Values:
    z = np.linspace(-30.0, -260.0, 9)
    return along_spine(z, 2.0) + np.stack([side * np.linspace(28.0, 44.0, 9), np.zeros(9), np.zeros(9)], axis=1)


def _lung_vessels() -> Union:
    """Vessels from each hilum toward the pleura, spread by the golden angle; they end 10 mm within the lung."""
    sticks: list[Shape] = []
    for side in SIDES.values():
        hilum = np.array([side * 42.0, 12.0, 62.0])
        for n in range(26):
            height, turn = 1.0 - 2.0 * (n + 0.5) / 26.0, n * np.pi * (3.0 - np.sqrt(5.0))
            flat = np.sqrt(1.0 - height * height)
            outward = np.array([side * (0.35 + 0.65 * abs(flat * np.cos(turn))), flat * np.sin(turn), height])
            reach = np.arange(4.0, 130.0, 2.0)
            path = hilum + reach[:, None] * outward
            free = lung_field(path[:, 0], path[:, 1], path[:, 2], side) < -10.0
            if not free.any():
                continue
            tip = path[np.flatnonzero(free)[-1]]
            bend = (hilum + tip) / 2.0 + np.array([0.0, 0.0, 5.0 * np.sin(turn)])
            sticks += [capsule(hilum, bend, 3.4, 2.2), capsule(bend, tip, 2.2, 0.9)]
    return union(sticks, 1.0)


def _bowel() -> Union:
    t = np.linspace(0.0, 1.0, 26)
    x = 74.0 * np.cos(5.5 * np.pi * t) + 4.0
    y = -42.0 + 22.0 * np.sin(9.0 * np.pi * t)
    return tube(np.stack([x, y, -118.0 - 60.0 * t], axis=1), 13.0, 4.0)
