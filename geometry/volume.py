"""A regular grid of voxels with its position in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InvalidVolumeError
from geometry.frames import CT, check_frame
from geometry.points import Floats, as_points, read_only

# Direction cosines in DICOM are decimal strings of 16 characters; hospitals' scanners round them to 1e-4 or so.
ORTHOGONALITY_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels on a right-handed, orthogonal, regular grid.

    Attributes:
        voxels: ``(nk, nj, ni)``, slowest index first as in SimpleITK and VTK; read-only.
        affine: ``(4, 4)``, maps the voxel index (i, j, k, 1) to mm in `frame`; integer indices are voxel centres.
        frame: the frame of the affine's output, usually ``ct``.

    Raises:
        InvalidVolumeError: not three-dimensional, empty, or an affine that is not finite, sheared or left-handed.
    """

    voxels: NDArray[np.generic]
    affine: Floats
    frame: str = CT

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.size == 0:
            raise InvalidVolumeError(
                f"voxels of shape {self.voxels.shape}",
                "a non-empty array (nk, nj, ni)",
                "pass one three-dimensional image",
            )
        object.__setattr__(self, "voxels", read_only(self.voxels))
        object.__setattr__(self, "affine", read_only(_checked_affine(self.affine)))
        check_frame(self.frame)

    @property
    def shape_ijk(self) -> tuple[int, int, int]:
        nk, nj, ni = self.voxels.shape
        return ni, nj, nk

    @cached_property
    def spacing_mm(self) -> Floats:
        """Distance between voxel centres along i, j, k: ``(3,)``."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @property
    def origin_mm(self) -> Floats:
        """Centre of voxel (0, 0, 0) in `frame`."""
        return self.affine[:3, 3]

    @cached_property
    def direction(self) -> Floats:
        """Rotation ``(3, 3)`` whose columns are the unit vectors of i, j, k in `frame`."""
        return self.affine[:3, :3] / self.spacing_mm

    @property
    def voxel_volume_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000.0

    @cached_property
    def _inverse_affine(self) -> Floats:
        return np.asarray(np.linalg.inv(self.affine), dtype=np.float64)

    def index_to_mm(self, ijk: ArrayLike) -> Floats:
        """Maps continuous voxel indices (i, j, k), ``(n, 3)``, to mm in `frame`, ``(n, 3)``."""
        return as_points(ijk, "voxel indices") @ self.affine[:3, :3].T + self.affine[:3, 3]

    def mm_to_index(self, points_mm: ArrayLike) -> Floats:
        """Maps points in `frame`, ``(n, 3)`` in mm, to continuous voxel indices (i, j, k), ``(n, 3)``."""
        inverse = self._inverse_affine
        return as_points(points_mm) @ inverse[:3, :3].T + inverse[:3, 3]

    @cached_property
    def corners_mm(self) -> Floats:
        """The outer corners of the grid, half a voxel beyond the outermost centres: ``(8, 3)`` in `frame`."""
        ranges = [(-0.5, n - 0.5) for n in self.shape_ijk]
        return self.index_to_mm(list(product(*ranges)))

    def with_voxels(self, voxels: NDArray[np.generic]) -> Volume:
        """The same grid with other values, which must have the same shape."""
        if voxels.shape != self.voxels.shape:
            raise InvalidVolumeError(
                f"voxels of shape {voxels.shape}",
                f"the grid's shape {self.voxels.shape}",
                "resample onto the grid first",
            )
        return Volume(voxels, self.affine, self.frame)


def _checked_affine(affine: ArrayLike) -> Floats:
    array = np.array(affine, dtype=np.float64)
    if array.shape != (4, 4):
        raise InvalidVolumeError(f"an affine of shape {array.shape}", "shape (4, 4)", "check the header")
    if not np.isfinite(array).all():
        raise InvalidVolumeError("an affine with NaN or infinity", "finite numbers", "check the header")
    if not np.array_equal(array[3], (0.0, 0.0, 0.0, 1.0)):
        came = f"an affine whose last row is {array[3].tolist()}"
        raise InvalidVolumeError(came, "(0, 0, 0, 1)", "check whether the affine is transposed")
    spacing = np.linalg.norm(array[:3, :3], axis=0)
    if (spacing <= 0).any():
        raise InvalidVolumeError(f"a spacing of {spacing.tolist()} mm", "positive spacings", "check the header")
    direction = array[:3, :3] / spacing
    shear = float(np.abs(direction.T @ direction - np.eye(3)).max())
    if shear > ORTHOGONALITY_TOLERANCE:
        raise InvalidVolumeError(
            f"axes off orthogonal by {shear:.2g}",
            f"at most {ORTHOGONALITY_TOLERANCE:g}: a sheared grid (gantry tilt) would be meshed wrongly",
            "resample the series onto an orthogonal grid first",
        )
    if np.linalg.det(direction) < 0:
        raise InvalidVolumeError(
            "a left-handed affine",
            "right-handed grids",
            "flip one voxel axis where the file is read, together with its affine column",
        )
    return array
