"""A freehand volume whose bounds grow with the sweep, for frames that come one by one."""

from __future__ import annotations

import numpy as np

from geometry.points import Floats
from reconstruction.freehand.compounding import Compounded, Compounder, Grey
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid, Mask, mask_corners
from reconstruction.freehand.settings import CompoundingSettings

MARGIN_MM = 20.0


class GrowingVolume:
    """Compounds frames wherever they lie.

    Voxel centres lie on whole multiples of the spacing. Where a frame leaves the grid, a larger one is laid around both
    with `MARGIN_MM` to spare, and what is there is copied: most frames take time by their own pixels alone. Where the
    larger grid would exceed `reconstruction.freehand.grid.MOST_VOXELS`, the frame is refused and the volume stays.

    Args:
        frame: that the poses lead to.
        spacing_mm: of the voxels, along all axes.
        mask: the pixels that are used of every frame, ``(h, w)``.
        settings: interpolation and compounding.
    """

    def __init__(self, frame: str, spacing_mm: float, mask: Mask, settings: CompoundingSettings | None = None) -> None:
        self._frame, self._spacing_mm, self._mask, self._settings = frame, spacing_mm, mask, settings
        self._corners_px = mask_corners(mask)
        self._volume: Compounder | None = None

    @property
    def n_frames(self) -> int:
        """Frames that were added."""
        return 0 if self._volume is None else self._volume.n_frames

    def add(self, grey: Grey, T_frame_image_px: Floats | None) -> None:
        """Adds one frame, as `Compounder.add`.

        Raises:
            FreehandError: as there, or a grid that would be too large. Nothing was added then.
        """
        if T_frame_image_px is None or np.shape(T_frame_image_px) != (4, 4) or not np.isfinite(T_frame_image_px).all():
            came = "a frame without a pose"
            raise FreehandError(came, "the pose of every frame that is added", "leave the frame out, and count it")
        corners = (self._corners_px @ np.asarray(T_frame_image_px, np.float64).T)[:, :3] / self._spacing_mm
        self._make_room(np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0)))
        if self._volume is not None:
            self._volume.add(grey, T_frame_image_px)

    def read(self) -> Compounded | None:
        """The volume as it is now; None before the first frame."""
        return None if self._volume is None or self._volume.n_frames == 0 else self._volume.read()

    def _make_room(self, first: Floats, last: Floats) -> None:
        """For voxels `first` to `last`, in multiples of the spacing."""
        margin = np.ceil(MARGIN_MM / self._spacing_mm)
        if self._volume is None:
            grid = self._grid(first - margin, last + margin)
            self._volume = Compounder(grid, self._mask, self._settings)
            return
        grid = self._volume.grid
        there = np.rint(grid.origin_mm / self._spacing_mm)
        ends = there + np.array(grid.shape_ijk) - 1
        if (first < there).any() or (last > ends).any():
            low = np.where(first < there, first - margin, there)
            high = np.where(last > ends, last + margin, ends)
            self._volume = self._volume.moved_to(self._grid(low, high))

    def _grid(self, first: Floats, last: Floats) -> FreehandGrid:
        i, j, k = (int(n) for n in last - first + 1)
        return FreehandGrid(self._frame, first * self._spacing_mm, np.full(3, self._spacing_mm), (i, j, k))
