"""Balls in ``ct`` that lie beside the probe of `probes`, by hand."""

from __future__ import annotations

from functools import cache

import numpy as np

from geometry import Surface
from geometry.frames import CT
from registration.distance.distance_grid import DistanceGrid, GridSettings
from tests.navigation.ultrasound.live.probes import T_REFERENCE_CT, pose_at
from tests.navigation.ultrasound.live.vessels import SHOWS_NS
from tests.registration.shapes import icosphere


@cache
def ball(centre_probe: tuple[float, float, float], radius_mm: float) -> DistanceGrid:
    """A ball that lies there beside the probe at the instant that is shown."""
    vertices, triangles = icosphere(4)
    centre_ct = T_REFERENCE_CT.inverse().apply(pose_at(SHOWS_NS).apply(np.array([centre_probe])))
    surface = Surface(centre_ct + radius_mm * vertices, triangles, CT, "artery")
    return DistanceGrid.from_surface(surface, GridSettings(spacing_mm=0.5))
