"""What a sweep covered: how far its frames lie apart, and what stayed empty between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Floats, Singles
from reconstruction.freehand.grid import FreehandGrid, Mask, mask_corners
from reconstruction.freehand.holes import Filled
from reconstruction.freehand.scatter import PAD, place

# A probe that was lifted, or lost from view for so long, begins a new pass: what lies between was not swept.
NEW_PASS_MM = 20.0


@dataclass(frozen=True, eq=False)
class Coverage:
    """How well a sweep covered what it swept.

    Attributes:
        steps_mm: the largest distance between pixels of one frame and the same pixels of the next, ``(n - 1,)``.
        new_passes: places in `steps_mm` of at least `NEW_PASS_MM`; the voxels between such frames are no gap.
        seen, filled: numbers of voxels with a value from a frame, and that were filled.
        gap: voxels between two frames of one pass that are empty yet.
    """

    steps_mm: Floats
    new_passes: tuple[int, ...]
    seen: int
    filled: int
    gap: Mask

    @property
    def gaps(self) -> int:
        return int(self.gap.sum())

    @property
    def covered_share(self) -> float:
        """Share of the swept voxels that have a value."""
        have = self.seen + self.filled
        return have / (have + self.gaps) if have else 0.0

    @property
    def worst_step(self) -> tuple[int, float]:
        """The largest step within a pass, in mm, and the frame before it; (0, 0.0) of a single frame."""
        within = np.where(self.steps_mm < NEW_PASS_MM, self.steps_mm, 0.0)
        return (int(within.argmax()), float(within.max())) if len(within) else (0, 0.0)


def sweep_coverage(filled: Filled, mask: Mask, T_frame_image_px: Floats) -> Coverage:
    """Where a volume has a value, and where frames passed by and left none.

    The frame is led in steps of half a voxel from each pose to the next; what it meets was swept.

    Args:
        filled: the volume.
        mask: as of its frames.
        T_frame_image_px: of its frames in their order, ``(n, 4, 4)``.
    """
    steps_mm = sweep_steps_mm(mask, T_frame_image_px)
    grid, covered = filled.compounded.grid, filled.covered
    swept = np.zeros(tuple(n + 2 * PAD for n in grid.shape), bool)
    ys, xs = (each.astype(np.float32) for each in np.nonzero(mask))
    half_mm = 0.5 * float(grid.spacing_mm.min())
    for number, step_mm in enumerate(steps_mm):
        # A step of a voxel leaves no voxel between two frames.
        if half_mm * 2 < step_mm < NEW_PASS_MM:
            _sweep(swept, (xs, ys), grid, T_frame_image_px[number : number + 2], int(np.ceil(step_mm / half_mm)))
    inner = (slice(PAD, -PAD),) * 3
    return Coverage(
        steps_mm=steps_mm,
        new_passes=tuple(np.flatnonzero(steps_mm >= NEW_PASS_MM).tolist()),
        seen=int(filled.compounded.seen.sum()),
        filled=int(filled.filled.sum()),
        gap=swept[inner] & ~covered,
    )


def sweep_steps_mm(mask: Mask, T_frame_image_px: Floats) -> Floats:
    """The largest distance between the pixels of one frame and the same of the next: ``(n - 1,)`` in mm."""
    corners_mm = (np.asarray(T_frame_image_px) @ mask_corners(mask).T)[:, :3]
    steps: Floats = np.linalg.norm(np.diff(corners_mm, axis=0), axis=1).max(axis=1, initial=0.0)
    return steps


def _sweep(swept: Mask, pixels: tuple[Singles, Singles], grid: FreehandGrid, two: Floats, count: int) -> None:
    for part in np.arange(1, count) / count:
        between = (1.0 - part) * two[0] + part * two[1]
        where = place(*pixels, grid.voxel_from_px(between), grid.shape, nearest=True)
        swept.reshape(-1)[where.nearest()] = True
