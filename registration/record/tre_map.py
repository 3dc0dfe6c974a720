"""A map of the expected TRE around the targets, as a volume that 3D Slicer can overlay on the CT."""

from __future__ import annotations

import numpy as np

from geometry import Volume
from geometry.frames import CT
from geometry.points import Floats
from registration.record.attempt import Attempt
from registration.uncertainty.expected_error import expected_tre

SPACING_MM = 4.0
MARGIN_MM = 40.0
# Limit of the map's size: for targets far apart the spacing grows.
MOST_NODES = 200_000


def expected_p95_map(attempt: Attempt) -> Volume | None:
    """Expected 95 % TRE in mm, float32, on a grid in ct around the planned targets; None without targets."""
    if attempt.result is None or not attempt.inputs.targets_ct_mm:
        return None
    targets = np.array(list(attempt.inputs.targets_ct_mm.values()))
    low, high = targets.min(axis=0) - MARGIN_MM, targets.max(axis=0) + MARGIN_MM
    spacing_mm = max(SPACING_MM, float(np.prod(high - low) / MOST_NODES) ** (1 / 3))
    counts = np.ceil((high - low) / spacing_mm).astype(int) + 1
    pose = attempt.result.pose
    expected = expected_tre(pose.transform(), pose.uncertainty(), _nodes(low, spacing_mm, counts))
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = low
    return Volume(expected.p95_mm.reshape(counts[::-1]).astype(np.float32), affine, CT)


def _nodes(low: Floats, spacing_mm: float, counts: np.ndarray) -> Floats:
    """Positions of all nodes ``(n, 3)``, with x varying fastest."""
    z, y, x = np.meshgrid(*(low[axis] + spacing_mm * np.arange(counts[axis]) for axis in (2, 1, 0)), indexing="ij")
    return np.column_stack([x.ravel(), y.ravel(), z.ravel()])
