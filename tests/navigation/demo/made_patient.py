"""A made patient for the demo's steps, without a CT or a network: a torso of 30 cm with uneven sides, known exactly."""

from __future__ import annotations

import numpy as np

from geometry import Surface
from geometry.frames import CT
from geometry.points import Floats
from navigation.simulation.patient import PatientSkin

_AROUND, _UP, _LENGTH_MM = 72, 31, 300.0


def made_skin() -> Surface:
    """The skin in ``ct``: an oval whose radius differs all around and along, so that it fits in one place only."""
    height, angle = np.meshgrid(np.linspace(0.0, 1.0, _UP), np.arange(_AROUND) * 2 * np.pi / _AROUND, indexing="ij")
    swell = 1.0 + 0.08 * np.sin(2 * angle + 5.0 * height) + 0.06 * np.cos(3 * angle - 7.0 * height) + 0.1 * height
    x, y = 165.0 * swell * np.sin(angle), -115.0 * swell * np.cos(angle)
    sides = np.stack([x, y, _LENGTH_MM * height], axis=-1).reshape(-1, 3)
    vertices = np.vstack([sides, [[0.0, 0.0, 0.0], [0.0, 0.0, _LENGTH_MM]]])
    triangles = []
    for row in range(_UP - 1):
        for column in range(_AROUND):
            a, b = row * _AROUND + column, row * _AROUND + (column + 1) % _AROUND
            triangles += [(a, b, a + _AROUND), (b, b + _AROUND, a + _AROUND)]
    foot, top, last = len(sides), len(sides) + 1, (_UP - 1) * _AROUND
    for column in range(_AROUND):
        following = (column + 1) % _AROUND
        triangles += [(foot, following, column), (top, last + column, last + following)]
    return Surface(vertices, np.array(triangles), CT, "body")


def made_bone(skin: PatientSkin) -> dict[str, Floats]:
    """Two points of bone, 25 mm under the skin of the front."""
    places = skin.reach(np.array([-20.0, 25.0]), np.array([0.4, 0.6]))
    return {
        f"bone_{i}": point - 25.0 * out
        for i, (point, out) in enumerate(zip(places.points_ct_mm, places.outward_ct, strict=True))
    }
