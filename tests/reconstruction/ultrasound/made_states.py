"""Made frames of a probe that is not in contact, from recorded frames or on physical grounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Air:
    """What a probe shows in air. Depths are shares of the frame's height.

    Attributes:
        step: between echoes: sound goes to and fro between the transducer's face and its lens or the gel on it.
        kept: share of its brightness that each echo keeps of the one before.
        noise: mean grey value of the scanner's noise at the bottom, raised in a line from 0 by time-gain compensation.
        share: of the columns that are in air, from the left.
    """

    step: float = 0.03
    kept: float = 0.6
    noise: float = 0.0
    share: float = 1.0


def lifted(frame: np.ndarray, air: Air, seed: int = 0) -> np.ndarray:
    """The frame ``(h, w)`` with air under a share of the probe: ring-down, echoes at equal distances, noise below.

    The field begins at the first row and ends at the last column that is not black.
    """
    rng = np.random.default_rng(seed)
    h, w = frame.shape
    top = int((frame > 16).any(axis=1).argmax())
    lit = np.flatnonzero((frame > 16).mean(axis=0) > 0.02)
    left, right = (int(lit[0]), int(lit[-1]) + 1) if len(lit) else (0, w)
    depth = np.broadcast_to(((np.arange(h) - top) / h)[:, None], (h, w))
    picture = _air(depth, air, rng)
    out = frame.copy()
    end = left + round(air.share * (right - left))
    out[:, left:end] = picture[:, left:end]
    return out


def lifted_convex(air: Air, seed: int = 0) -> np.ndarray:
    """A convex probe wholly in air ``(593, 739)``: the geometry is that of ImFusion's sweep over a liver."""
    row, column = np.indices((593, 739), np.float32)
    x, y = column - 369.0, row + 139.0
    radius, angle = np.hypot(x, y), np.degrees(np.abs(np.arctan2(x, y)))
    picture = _air((radius - 161.0) / 593.0, air, np.random.default_rng(seed))
    picture[(angle > 30.3) | (radius > 724.0)] = 0
    return picture


def _air(depth: np.ndarray, air: Air, rng: np.random.Generator) -> np.ndarray:
    """Ring-down, echoes and noise by depth ``(h, w)`` under the transducer; black above it."""
    echoes = 230.0 * np.exp(-((depth / 0.008) ** 2))
    for number in range(1, 12):
        echoes += 210.0 * air.kept**number * np.exp(-(((depth - number * air.step) / 0.006) ** 2))
    noise = rng.rayleigh(1.0, depth.shape) * air.noise * np.clip(depth, 0.0, 1.0) / 1.25
    picture = echoes * rng.normal(1.0, 0.05, depth.shape) + noise
    picture[depth < 0] = 0.0
    return np.clip(picture, 0, 255).astype(np.uint8)
