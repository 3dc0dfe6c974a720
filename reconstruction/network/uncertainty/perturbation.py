"""Small changes of a CT that leave the patient the same: test-time augmentation.

A shift moves the scan against the network's strides and against the borders of its windows; rotation, scale, offset
and noise of HU are smaller than those of the training. There are no flips: the liver has a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Floats, Singles


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """One change of a CT on the network's grid.

    Attributes:
        shift: voxels along k, j, i that are put before the scan, 0 or more; its edges continue.
        rotation_deg: about the body's axis (k).
        scale: 1 leaves the size.
        offset_hu: added to all.
        noise_hu: standard deviation of what is added to each voxel.
        seed: of the noise.
    """

    shift: tuple[int, int, int] = (0, 0, 0)
    rotation_deg: float = 0.0
    scale: float = 1.0
    offset_hu: float = 0.0
    noise_hu: float = 0.0
    seed: int = 0

    def apply(self, hu: Singles) -> Singles:
        """The changed CT: ``(nk, nj, ni)`` to the shape plus `shift`."""
        changed = self._turned(hu, forward=True)
        changed = np.pad(changed, [(n, 0) for n in self.shift], mode="edge") + np.float32(self.offset_hu)
        if self.noise_hu > 0.0:
            noise = np.random.default_rng(self.seed).standard_normal(changed.shape, np.float32)
            changed += np.float32(self.noise_hu) * noise
        return changed

    def undo(self, values: Singles) -> Singles:
        """Values ``(c, ...)`` on the changed CT, back on the grid of the CT itself."""
        k, j, i = self.shift
        back = values[:, k:, j:, i:]
        if self.rotation_deg == 0.0 and self.scale == 1.0:
            return np.ascontiguousarray(back)
        turned = np.stack([self._turned(plane, forward=False) for plane in back])
        return turned / np.maximum(turned.sum(axis=0), np.float32(1e-6))

    def _turned(self, values: Singles, forward: bool) -> Singles:
        """Values rotated and scaled about the grid's centre, by linear interpolation; edges continue."""
        if self.rotation_deg == 0.0 and self.scale == 1.0:
            return values
        from scipy import ndimage

        matrix = self._matrix() if forward else np.linalg.inv(self._matrix())
        centre = (np.array(values.shape) - 1) / 2
        offset = centre - matrix @ centre
        return np.asarray(ndimage.affine_transform(values, matrix, offset, order=1, mode="nearest"), np.float32)

    def _matrix(self) -> Floats:
        cosine, sine = np.cos(np.deg2rad(self.rotation_deg)), np.sin(np.deg2rad(self.rotation_deg))
        return np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]]) / self.scale
