"""Made B-mode frames with a known surface of bone."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def made_frame(rows_of_bone: np.ndarray | None, seed: int = 0) -> np.ndarray:
    """Tissue of speckle with a fascia, and under the bone's ridge a shadow."""
    rng = np.random.default_rng(seed)
    rows, columns = 400, 300
    tissue = gaussian_filter(rng.rayleigh(60.0, (rows, columns)), (1.0, 2.5))
    tissue *= np.exp(-np.arange(rows) / 300.0)[:, None]
    tissue[90:94] += 70.0  # a fascia: bright, but no shadow under it
    if rows_of_bone is not None:
        depth = np.arange(rows)[:, None] - rows_of_bone[None, :]
        tissue = np.where(depth > 0, 0.08 * tissue, tissue) + 170.0 * np.exp(-((depth / 4.0) ** 2))
    return np.clip(tissue, 0, 255).astype(np.uint8)


def bone_frame(seed: int) -> np.ndarray:
    """One frame of a moving femur, with speckle of its own."""
    return made_frame(200.0 + 30.0 * np.sin(np.arange(300) / 60.0) + seed % 8, seed)
