"""Checks and conversions that every reader applies: right-handed, compact, finite voxels on orthogonal axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.frames import CT
from geometry.points import Floats
from geometry.volume import ORTHOGONALITY_TOLERANCE, Volume
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.quality import counted, refusal


def is_left_handed(affine: Floats) -> bool:
    return bool(np.linalg.det(affine[:3, :3]) < 0.0)


def right_handed(voxels: NDArray[np.generic], affine: Floats) -> Volume:
    """Volume of voxels ``(nk, nj, ni)``; a left-handed affine is righted by reversing i together with its column.

    The centre of every voxel stays where it was.
    """
    if is_left_handed(affine):
        last = voxels.shape[2] - 1
        affine = affine.copy()
        affine[:3, 3] += last * affine[:3, 0]
        affine[:3, 0] *= -1.0
        voxels = voxels[:, :, ::-1]
    return Volume(np.ascontiguousarray(voxels), affine + 0.0, CT)  # + 0.0: no -0.0


def as_compact(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """HU as int16 where they are whole numbers that fit, else as float32; slice by slice, to spare memory."""
    if values.dtype == np.int16:
        return values
    limits = np.iinfo(np.int16)
    fits = values.min() >= limits.min and values.max() <= limits.max
    if fits and (values.dtype.kind in "iu" or all(np.array_equal(part, np.rint(part)) for part in values)):
        return values.astype(np.int16)
    return values.astype(np.float32)


def finite(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same voxels ``(nk, nj, ni)``, or `UnreadableInputError` where some are NaN or infinite."""
    if values.dtype.kind == "f":
        bad = sum(int(values[k].size - np.isfinite(values[k]).sum()) for k in range(len(values)))
        if bad:
            raise UnreadableInputError(
                f"NaN or infinity in {counted(bad, 'voxel')}", "finite values", "export again without masking"
            )
    return values


def check_axes(affine: Floats) -> None:
    """Refuses an affine that is not finite, flat or sheared."""
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or (lengths <= 0).any():
        raise refusal(
            ("an affine that is not finite, or flat",), "three axes with a length", "export it again from DICOM"
        )
    cosines = np.abs((axes / lengths).T @ (axes / lengths) - np.eye(3))
    if cosines.max() > ORTHOGONALITY_TOLERANCE:
        raise refusal(
            (f"a sheared grid: axes {90 - np.degrees(np.arccos(cosines.max())):.2f} degrees off square",),
            "orthogonal axes",
            "resample it onto an orthogonal grid, or export the untilted series",
        )
