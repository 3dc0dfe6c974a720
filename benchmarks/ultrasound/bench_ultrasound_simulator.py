"""How long the simulated ultrasound takes for an image, beside SciPy's interpolation for two of its steps.

    python benchmarks/ultrasound/bench_ultrasound_simulator.py [--images 60]

The tissues are a vertebra-like block of bone under muscle and fat; all on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.ndimage import map_coordinates

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from navigation.simulation.ultrasound.formation import _FIELD_MM, _FIELD_VOXELS, UltrasoundSimulator
from navigation.simulation.ultrasound.tissue import BONE, FAT, MUSCLE, TissueGrid

_GEOMETRIES = {
    "convex, 400 x 340 px": ScanGeometry.convex((400, 340), (0.25, 0.25), 50.0, 0.56, 80.0),
    "linear, 640 x 480 px": ScanGeometry.linear((640, 480), (0.1, 0.1), 60.0, 47.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    images = parser.parse_args().images
    box = np.array([[-70.0, -40.0, -5.0], [70.0, 40.0, 90.0]])
    shapes = {FAT: lambda points: points[:, 2] - 8.0, BONE: lambda points: 28.0 + 0.3 * points[:, 0] - points[:, 2]}
    tissue = TissueGrid.of_shapes(shapes, MUSCLE, box)
    for name, geometry in _GEOMETRIES.items():
        compare(name, UltrasoundSimulator(tissue, geometry), images)


def compare(name: str, simulator: UltrasoundSimulator, images: int) -> None:
    geometry, plane = simulator.geometry, np.eye(4)
    plane[:3, :3] = np.column_stack([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]) * geometry.pixel_mm[0]
    plane[:3, 3] -= plane[:3, :2] @ geometry.face_px
    taken = ms(lambda: simulator.image(plane), images)
    print(f"{name}: {taken:.1f} ms an image, {taken * 30.0 / 10.0:.0f} % of a core at 30 a second")
    points = simulator._on_beams(plane)
    own, rival = ms(lambda: simulator._speckle(points), images), ms(lambda: by_scipy(simulator, points), images)
    print(f"  its scatterers {own:.2f} ms, by SciPy's map_coordinates {rival:.2f} ms: {rival / own:.1f} times")


def by_scipy(simulator: UltrasoundSimulator, points: np.ndarray) -> np.ndarray:
    """The scatterers' field at the samples, by linear interpolation, as one would write it with SciPy."""
    field = simulator._field.reshape((_FIELD_VOXELS,) * 3)
    at = points[::-1] / _FIELD_MM
    real, imaginary = (map_coordinates(part, at, order=1, mode="grid-wrap") for part in (field.real, field.imag))
    return real + 1j * imaginary


def ms(step: Callable[[], object], count: int) -> float:
    """Median processor time of a call."""
    step()
    taken = []
    for _ in range(count):
        begun = time.process_time()
        step()
        taken.append(time.process_time() - begun)
    return 1e3 * float(np.median(taken))


if __name__ == "__main__":
    main()
