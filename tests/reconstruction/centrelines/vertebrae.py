"""Four vertebrae of the phantom, as labels, for tests of the curve of the spine."""

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.volume import Volume
from reconstruction.phantom.skeleton import _vertebra

LEVELS = {1: -1, 2: 0, 3: 1, 4: 2}  # label -> the phantom's level, which counts upward


def vertebrae() -> Volume:
    """Four vertebrae with arches and processes at 1.5 mm, turned by 0.4 rad against `ct`."""
    axes = [np.arange(-45.0, 45.0, 1.5), np.arange(10.0, 125.0, 1.5), np.arange(-60.0, 90.0, 1.5)]
    labels = np.zeros([len(axis) for axis in axes[::-1]], dtype=np.uint8)
    for label, level in LEVELS.items():
        window, field = _vertebra(level).on_grid(axes)
        labels[window][field < 0.0] = label
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    affine[:3, 3] = [axis[0] for axis in axes]
    return Volume(labels, turn() @ affine)


def turn() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec([0.2, 0.3, -0.1]).as_matrix()
    return matrix
