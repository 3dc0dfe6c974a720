"""The error of each tool in a pose batch: which covariances there can be, and how their table is read.

The table has one record for each tool, in the order of the tool table. A record of zeros says that the covariance is
not known: nothing that was measured is without error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geometry.points import Floats, read_only
from unity_bridge.wire.envelope import malformed
from unity_bridge.wire.generated.constants import (
    COVARIANCE_RECORD,
    COVARIANCE_TOLERANCE,
    MAX_ERROR_MM,
    TOOL_TABLE_HEAD,
)

NUMBERS = 6  # of one record: variances xx, yy, zz; covariances yz, xz, xy
LARGEST_MM2 = MAX_ERROR_MM * MAX_ERROR_MM


def is_covariance(
    xx: float, yy: float, zz: float, yz: float, xz: float, xy: float,
    largest: float = LARGEST_MM2, tolerance: float = COVARIANCE_TOLERANCE,
) -> bool:  # fmt: skip
    """Whether a symmetric matrix has no negative eigenvalue and no variance above `largest`; NaN fails.

    In scalars, as everywhere on the pose path: no principal minor is negative (Sylvester's criterion). Since single
    precision rounds, those of two rows may be below zero by `tolerance` of the squared sum of the variances, that of
    all three by as much of the cubed sum.
    """
    if not (0.0 <= xx <= largest and 0.0 <= yy <= largest and 0.0 <= zz <= largest):
        return False
    total = xx + yy + zz
    least = -tolerance * total * total
    if not (yy * zz - yz * yz >= least and xx * zz - xz * xz >= least and xx * yy - xy * xy >= least):
        return False
    determinant = xx * yy * zz + 2.0 * yz * xz * xy - xx * yz * yz - yy * xz * xz - zz * xy * xy
    return determinant >= least * total


def covariances_fit(numbers: Sequence[float], largest: Sequence[float]) -> bool:
    """Whether the `NUMBERS` of each tool, if there are any, are a covariance with variances up to its `largest`."""
    if not numbers:
        return True
    columns = [numbers[column::NUMBERS] for column in range(NUMBERS)]
    return all(map(is_covariance, *columns, largest))


def covariance_layout(payload: memoryview, tools: int) -> str:
    """The layout of the records of a covariance table, for `struct`.

    Raises:
        MalformedMessageError: not one record for each tool, or records that are too short.
    """
    if len(payload) < TOOL_TABLE_HEAD.size:
        raise malformed(f"a covariance table of {len(payload)} bytes", f"at least {TOOL_TABLE_HEAD.size}")
    stride, count = TOOL_TABLE_HEAD.unpack_from(payload)
    fits = stride >= COVARIANCE_RECORD.size and stride * count <= len(payload) - TOOL_TABLE_HEAD.size
    if count != tools or not fits:
        raise malformed(
            f"{count} covariances of {stride} bytes in {len(payload)} bytes",
            f"{tools} of at least {COVARIANCE_RECORD.size} bytes, one for each tool, within the field",
        )
    # A later minor version may have longer records: the additional bytes are skipped.
    return f"{NUMBERS}f{stride - COVARIANCE_RECORD.size}x" * count


def covariance_matrix(numbers: Sequence[float]) -> Floats | None:
    """The matrix ``(3, 3)`` of one record, read-only; None if it is not known."""
    xx, yy, zz, yz, xz, xy = numbers
    if xx + yy + zz == 0.0:
        return None
    return read_only(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
