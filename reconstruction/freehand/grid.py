"""The grid of a freehand volume: along the axes of its frame, given or laid around a sweep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.frames import check_frame
from geometry.points import Floats, read_only
from geometry.volume import Volume
from reconstruction.freehand.errors import FreehandError

Mask = NDArray[np.bool_]
# 16 bytes a voxel while frames are added, and as much again while holes are filled: 2.1 GB and 4.3 GB.
MOST_VOXELS = 2**27


@dataclass(frozen=True, eq=False)
class FreehandGrid:
    """Voxels along the axes of a frame.

    Attributes:
        frame: of the volume: ``reference``, ``tracker`` or ``ct``.
        origin_mm: centre of voxel (0, 0, 0), ``(3,)``.
        spacing_mm: distance of voxel centres along x, y, z, ``(3,)``.
        shape_ijk: number of voxels along x, y, z.

    Raises:
        FreehandError: not finite, no voxel, a spacing that is not positive, or more than `MOST_VOXELS` voxels.
    """

    frame: str
    origin_mm: Floats
    spacing_mm: Floats
    shape_ijk: tuple[int, int, int]

    def __post_init__(self) -> None:
        check_frame(self.frame)
        origin, spacing = np.array(self.origin_mm, np.float64), np.array(self.spacing_mm, np.float64)
        known = origin.shape == spacing.shape == (3,) and np.isfinite([origin, spacing]).all()
        if not known or not (spacing > 0.0).all() or min(self.shape_ijk) < 1:
            came = f"a grid from {origin.tolist()} mm by {spacing.tolist()} mm with {self.shape_ijk} voxels"
            raise FreehandError(came, "finite numbers, positive spacings, at least one voxel", "correct the grid")
        voxels = int(np.prod([int(n) for n in self.shape_ijk], dtype=object))
        if voxels > MOST_VOXELS:
            coarser_mm = float(spacing.max()) * (voxels / MOST_VOXELS) ** (1 / 3)
            raise FreehandError(
                f"a grid of {self.shape_ijk} = {voxels / 1e6:.0f} million voxels",
                f"at most {MOST_VOXELS / 1e6:.0f} million",
                f"take a spacing of {coarser_mm:.2f} mm or more, or smaller bounds",
            )
        object.__setattr__(self, "origin_mm", read_only(origin))
        object.__setattr__(self, "spacing_mm", read_only(spacing))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an array of voxels, slowest index first: ``(nk, nj, ni)``."""
        return self.shape_ijk[::-1]

    @property
    def affine(self) -> Floats:
        """``(4, 4)``: voxel (i, j, k, 1) to mm in `frame`."""
        affine = np.diag([*self.spacing_mm, 1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    def volume(self, voxels: NDArray[np.generic]) -> Volume:
        """Voxels of `shape` as a volume in `frame`."""
        return Volume(voxels, self.affine, self.frame)

    def voxel_from_px(self, T_frame_image_px: Floats) -> Floats:
        """``(3, 3)``: pixel ``(x, y, 1)`` to the continuous voxel index (i, j, k)."""
        px_to_mm = T_frame_image_px[:3, [0, 1, 3]].copy()
        px_to_mm[:, 2] -= self.origin_mm
        return np.asarray(px_to_mm / self.spacing_mm[:, None], np.float64)


def grid_around(mask: Mask, T_frame_image_px: Floats, spacing_mm: ArrayLike, frame: str) -> FreehandGrid:
    """The smallest grid around all frames of a sweep.

    Args:
        mask: the pixels that are used, ``(h, w)``.
        T_frame_image_px: ``(n, 4, 4)``, pixel (x, y, 0, 1) to mm in `frame`.
        spacing_mm: one for all axes, or three.
        frame: of the volume.

    Raises:
        FreehandError: no frame, no pixel, or a grid that cannot be.
    """
    poses = np.asarray(T_frame_image_px, np.float64)
    if poses.ndim != 3 or len(poses) == 0:
        came = "no frame with a pose"
        raise FreehandError(came, "at least one", "record the sweep with the probe in view of the tracker")
    corners_mm = (poses @ mask_corners(mask).T)[:, :3]
    least, most = corners_mm.min(axis=(0, 2)), corners_mm.max(axis=(0, 2))
    spacing = np.broadcast_to(np.asarray(spacing_mm, np.float64), 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.ceil((most - least) / spacing)
    counts = np.where(np.isfinite(steps) & (steps < 2**31), steps, -1)  # refused by the grid, with its reason
    i, j, k = (int(n) + 1 for n in counts)
    return FreehandGrid(frame, least, spacing, (i, j, k))


def mask_corners(mask: Mask) -> Floats:
    """The corners of the box around a mask's pixels, as ``(4, 4)`` rows (x, y, 0, 1).

    Raises:
        FreehandError: a mask without a pixel, or that is no image.
    """
    if mask.ndim != 2 or not mask.any():
        came = f"a mask of shape {mask.shape} with {int(mask.sum())} pixels"
        raise FreehandError(came, "a mask (h, w) with pixels", "check crop and sector against the image's size")
    (ys,), (xs,) = np.nonzero(mask.any(axis=1)), np.nonzero(mask.any(axis=0))
    return np.array([[x, y, 0, 1] for y in (ys[0], ys[-1]) for x in (xs[0], xs[-1])], np.float64)
