"""A calibration on images that it has not seen, by the measure that PLUS publishes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.wires.fit import middle_points
from calibration.ultrasound_probe.wires.n_wire import NWireSettings, n_wire_scene
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from geometry import Transform
from geometry.points import Floats


def n_wire_errors_mm(
    image_map: ImageToProbe,
    samples: Sequence[ProbeSample],
    phantom: NWirePhantom,
    T_fixed_phantom: Transform,
    motion: ProbeMotion | None = None,
    lag_s: float = 0.0,
) -> Floats:
    """Distances in mm between middle wires where the map puts them, and where similar triangles say they are.

    PLUS calls it the 3D reprojection error. With `motion`, each image takes its pose at its time plus `lag_s`; images
    whose pose would lie outside the motion are left out.
    """
    scene, _ = n_wire_scene(samples, phantom, T_fixed_phantom, motion, NWireSettings(minimum_images=1))
    T_probe_phantom, known = scene.T_probe_phantom(lag_s)
    pixels, places_mm, image = middle_points(scene, T_probe_phantom)
    errors: Floats = np.linalg.norm(image_map.to_probe_mm(pixels) - places_mm, axis=1)[known[image]]
    return errors


def trimmed_mean(errors: Floats, share: float = 0.95) -> float:
    """Mean of the smallest `share` of the errors: what PLUS prints, without the worst twentieth."""
    return float(np.sort(errors)[: max(1, round(share * len(errors)))].mean())
