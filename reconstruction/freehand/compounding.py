"""Frames into a volume, one by one: the same for a live sweep and for a recorded one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats, Singles
from geometry.volume import Volume
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid, Mask, mask_corners
from reconstruction.freehand.plus_mean import add_8_bit
from reconstruction.freehand.scatter import PAD, Placed, place
from reconstruction.freehand.settings import Compounding, CompoundingSettings, Interpolation

Grey = NDArray[np.uint8]
# PLUS: a pixel in the middle of eight voxels counts for each of them, else for those that are nearer.
_LEAST_PART = 0.125
# Of a pixel; PLUS holds weights in 256ths, and a voxel of which less is known is not known.
LEAST_WEIGHT = 1.0 / 512.0


@dataclass(frozen=True, eq=False)
class Compounded:
    """What a volume holds at one moment.

    Attributes:
        grid: of both arrays.
        grey: ``(nk, nj, ni)`` uint8; 0 where not seen.
        seen: voxels that a frame gave a value. A black voxel that was seen is not an unseen one.
    """

    grid: FreehandGrid
    grey: Grey
    seen: Mask

    @property
    def volume(self) -> Volume:
        """The grey values in the grid's frame."""
        return self.grid.volume(self.grey)


class Compounder:
    """A freehand volume that grows frame by frame.

    A frame takes time by its own pixels, not by the size of the volume or the number of frames before; memory is
    16 bytes a voxel and does not grow. Adding the frames of a sweep in turn gives
    what adding them at once would: there is no other way.

    Args:
        grid: the voxels. Pixels beyond are left out, and counted.
        mask: the pixels that are used of every frame, ``(h, w)``.
        settings: interpolation and compounding.

    Attributes:
        grid, settings: as given.
        n_frames, n_outside: frames that were added; pixels of them that lay beyond the grid.

    Raises:
        FreehandError: a mask without pixels, or PLUS's mean with another interpolation than linear.
    """

    def __init__(self, grid: FreehandGrid, mask: Mask, settings: CompoundingSettings | None = None) -> None:
        self.grid, self.settings = grid, settings or CompoundingSettings()
        mask_corners(mask)
        self._mask, (ys, xs) = mask, np.nonzero(mask)
        self._pixels = xs, ys
        self._xs, self._ys = xs.astype(np.float32), ys.astype(np.float32)
        self._linear = self.settings.interpolation is Interpolation.LINEAR
        self._8_bit = self.settings.compounding is Compounding.MEAN_8_BIT
        if self._8_bit and not self._linear:
            came = f"{Compounding.MEAN_8_BIT} with the interpolation {self.settings.interpolation}"
            raise FreehandError(came, f"the interpolation {Interpolation.LINEAR}", "choose that, or the mean")
        pad = 0 if self._8_bit else PAD
        shape = tuple(n + 2 * pad for n in grid.shape)
        # Of the mean, the sum of weighted values; else the value.
        self._values: NDArray[Any] = np.zeros(shape, np.int64 if self._8_bit else np.float64)
        self._weights: NDArray[Any] = np.zeros(shape, np.int64 if self._8_bit else np.float64)
        self._inner = (slice(pad, -pad or None),) * 3
        self.n_frames = self.n_outside = 0

    def add(self, grey: Grey, T_frame_image_px: Floats | None) -> None:
        """Adds one frame.

        Args:
            grey: ``(h, w)`` uint8, as the mask.
            T_frame_image_px: ``(4, 4)``, pixel (x, y, 0, 1) to mm in the grid's frame.

        Raises:
            FreehandError: another shape, no pose, or a pose that is no affine map of a plane. Nothing was added then.
        """
        self._check(grey, T_frame_image_px)
        voxel_from_px = self.grid.voxel_from_px(np.asarray(T_frame_image_px, np.float64))
        used = grey[self._mask]
        self.n_frames += 1
        if self._8_bit:
            add_8_bit(self._values, self._weights, used, self._pixels, voxel_from_px)
            return
        where = place(self._xs, self._ys, voxel_from_px, self.grid.shape, nearest=not self._linear)
        used = used[where.chosen]
        self.n_outside += len(self._xs) - len(used)
        if self.settings.compounding is Compounding.MEAN:
            self._add_mean(where, used.astype(np.float32))
        else:
            self._add_picked(where, used)

    def read(self) -> Compounded:
        """The volume as it is now; a copy, which later frames do not change."""
        values, weights = self._values[self._inner], self._weights[self._inner]
        seen = weights > (0 if self._8_bit else LEAST_WEIGHT)
        if self.settings.compounding is Compounding.MEAN:
            values = np.rint(np.divide(values, weights, out=np.zeros_like(values), where=seen))
        return Compounded(self.grid, np.where(seen, values, 0).astype(np.uint8), seen)

    def moved_to(self, grid: FreehandGrid) -> Compounder:
        """The same content in a grid around this one, whose voxels lie on the same places."""
        larger = Compounder(grid, self._mask, self.settings)
        offset = np.rint((self.grid.origin_mm - grid.origin_mm) / grid.spacing_mm).astype(int)[::-1]
        box = tuple(slice(at, at + n) for at, n in zip(offset, self.grid.shape, strict=True))
        larger._values[larger._inner][box] = self._values[self._inner]
        larger._weights[larger._inner][box] = self._weights[self._inner]
        larger.n_frames, larger.n_outside = self.n_frames, self.n_outside
        return larger

    def _add_mean(self, where: Placed, used: Singles) -> None:
        pairs = where.corners() if self._linear else [(where.nearest(), np.ones_like(used))]
        for voxels, parts in pairs:
            np.add.at(self._weights.reshape(-1), voxels, parts.astype(np.float64))
            np.add.at(self._values.reshape(-1), voxels, (parts * used).astype(np.float64))

    def _add_picked(self, where: Placed, used: Grey) -> None:
        """The brightest or the last pixel of each voxel."""
        voxels, values = self._pairs(where, used)
        if self.settings.compounding is Compounding.MAXIMUM:
            np.maximum.at(self._values.reshape(-1), voxels, values.astype(np.float64))
        else:
            self._values.reshape(-1)[voxels] = values  # of several for one voxel, NumPy keeps the last
        self._weights.reshape(-1)[voxels] = 1.0

    def _pairs(self, where: Placed, used: Grey) -> tuple[NDArray[np.intp], Grey]:
        """Voxels and the values that they are offered, in the order of the pixels."""
        if not self._linear:
            return where.nearest(), used
        voxels, parts = (np.stack(each, axis=1) for each in zip(*where.corners(), strict=True))
        near = parts >= _LEAST_PART
        return voxels[near], np.broadcast_to(used[:, None], near.shape)[near]

    def _check(self, grey: Grey, T_frame_image_px: Floats | None) -> None:
        if T_frame_image_px is None:
            came = "a frame without a pose"
            raise FreehandError(came, "the pose of every frame that is added", "leave the frame out, and count it")
        if grey.shape != self._mask.shape or grey.dtype != np.uint8:
            came = f"a frame of shape {grey.shape}, {grey.dtype}"
            raise FreehandError(
                came, f"{self._mask.shape}, uint8, as the frames before", "begin a new volume for another image size"
            )
        pose = np.asarray(T_frame_image_px, np.float64)
        known = pose.shape == (4, 4) and np.isfinite(pose).all() and np.array_equal(pose[3], (0.0, 0.0, 0.0, 1.0))
        area = float(np.linalg.norm(np.cross(pose[:3, 0], pose[:3, 1]))) if known else 0.0
        if not area > 0.0:
            came = f"the map {pose.tolist()} from pixels to mm"
            raise FreehandError(came, "a finite (4, 4) map of a plane", "check the probe's calibration and its pose")
