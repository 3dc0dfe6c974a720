"""The simulated patient's true skin, with positions for skin markers and a path for the sweep.

The true skin comes from the CT itself (half maximum between air and skin) or, for the phantom, from its formulas; never
from the network whose surfaces are registered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry import Surface
from geometry.extras import from_extra
from geometry.points import Floats
from navigation.errors import PlanError
from navigation.simulation.actions import Sweep

# Angle from the front of the body, positive to the patient's left, and height between the scan's ends.
_MARKER_PLACES = ((-50.0, 0.25), (2.0, 0.20), (50.0, 0.30), (-40.0, 0.78), (8.0, 0.72), (44.0, 0.80))
_MAX_ANGLE_DEG = 55.0
_SWEEP_PASSES = 9
_SWEEP_SAMPLES = 400


@dataclass(frozen=True, eq=False)
class SkinPoints:
    """Points on the true skin, ``(n, 3)`` in ``ct``, with unit vectors away from the body's long axis."""

    points_ct_mm: Floats
    outward_ct: Floats

    def __len__(self) -> int:
        return len(self.points_ct_mm)


class PatientSkin:
    """The true outer surface of the patient, found by rays from outside towards the long axis of the body.

    Args:
        skin_ct: the true skin in ``ct``; it may include inner surfaces (lungs, bowel gas), since only the first hit
            from outside counts.
    """

    def __init__(self, skin_ct: Surface) -> None:
        with from_extra("navigation"):
            import open3d

        self._scene = open3d.t.geometry.RaycastingScene()
        vertices = open3d.core.Tensor(skin_ct.vertices_mm, open3d.core.float32)
        triangles = open3d.core.Tensor(skin_ct.triangles, open3d.core.uint32)
        self._scene.add_triangles(vertices, triangles)
        self._bounds = skin_ct.bounds_mm
        self.centre_mm: Floats = self._bounds.mean(axis=0)

    def reach(self, angle_deg: Floats, height: Floats) -> SkinPoints:
        """Points of the skin at `angle_deg` from the front (positive to the left), ``(n,)``, and `height`, ``(n,)``.

        Heights run from 0 to 1 between the scan's ends.

        Raises:
            PlanError: a ray does not hit the skin.
        """
        with from_extra("navigation"):
            import open3d

        angle = np.deg2rad(angle_deg)
        outward = np.stack([np.sin(angle), -np.cos(angle), np.zeros_like(angle)], axis=1)  # LPS: the front is -y
        low, high = self._bounds[:, 2]
        axis = np.tile(self.centre_mm, (len(angle), 1))
        axis[:, 2] = low + height * (high - low)
        start = axis + 1000.0 * outward
        rays = open3d.core.Tensor(np.hstack([start, -outward]), open3d.core.float32)
        distance = self._scene.cast_rays(rays)["t_hit"].numpy()
        hit = np.isfinite(distance) & (distance < 1000.0)
        if not hit.all():
            raise PlanError(
                f"{int((~hit).sum())} of {len(hit)} rays that do not hit the skin",
                "a CT with the front of the body inside its field of view",
                "use a CT that shows the skin of chest or abdomen",
            )
        return SkinPoints(start - distance[:, None].astype(np.float64) * outward, outward)

    def markers(self) -> SkinPoints:
        """Six positions for skin markers, spread over the front of the body."""
        places = np.array(_MARKER_PLACES)
        return self.reach(places[:, 0], places[:, 1])

    def sweep(self, towards_camera_ct: Floats, duration_s: float) -> Sweep:
        """A zigzag of `duration_s` over the front of the body, between 20 % and 80 % of the scan's height."""
        progress = np.linspace(0.0, 1.0, _SWEEP_SAMPLES)
        zigzag = 2.0 * np.abs((progress * _SWEEP_PASSES) % 2.0 - 1.0) - 1.0
        skin = self.reach(_MAX_ANGLE_DEG * zigzag, 0.2 + 0.6 * progress)
        shafts = shaft_directions(skin.outward_ct, towards_camera_ct)
        return Sweep(skin.points_ct_mm, shafts, skin.outward_ct, duration_s)


def shaft_directions(outward: Floats, towards_camera: Floats) -> Floats:
    """Unit vectors ``(n, 3)`` of the shaft as a hand holds the stylus: away from the body, tilted towards the feet.

    The shaft also stays oblique to the line of sight: if it pointed at the camera, the marker (whose plane contains the
    shaft) would be seen edge-on.
    """
    feet = np.array([0.0, 0.0, -1.0])
    side = feet - (feet @ towards_camera) * towards_camera
    shafts = 0.6 * outward + 0.3 * towards_camera + 0.9 * side / np.linalg.norm(side)
    return shafts / np.linalg.norm(shafts, axis=1, keepdims=True)
