"""From slice positions to one affine, or to every reason why there is none.

DICOM PS3.3 C.7.6.2.1.1: pixel (column i, row j) of a slice lies at ``position + i * spacing_i * row_cosines + j *
spacing_j * column_cosines``, in LPS mm, at the pixel's centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geometry.points import Floats
from reconstruction.ct.quality import CtReadSettings, Fault, counted

DUPLICATE_MM = 0.01  # closer than this, two slices are at the same place: no scanner steps by 10 micrometres
WHOLE = "copy or export the series again, with every slice"
ONE_STACK = "give a folder with one stack of slices alone: of one size, spacing and orientation"
UNTILTED = "scan without gantry tilt, or export a reconstruction whose slices stand square to their stacking direction"
ONE_GAP = "export one reconstruction with one slice distance, or the part of the series that has one"
ONCE = "keep one slice for each place: the other ones may be of another phase, or a second export"
LISTED = 3  # gaps and positions named in a message; the rest is counted


@dataclass(frozen=True, eq=False)
class SlicePlane:
    """Where one slice lies, as its header says.

    Attributes:
        rows: height of the matrix; `columns`: its width.
        spacing_ji_mm: distance between rows, then between columns, as DICOM's PixelSpacing.
        cosines: direction of increasing column index (first three) and row index (last three), in LPS.
        position_mm: centre of the first pixel, in LPS.
    """

    rows: int
    columns: int
    spacing_ji_mm: tuple[float, float]
    cosines: Floats
    position_mm: Floats


@dataclass(frozen=True, eq=False)
class SeriesGrid:
    """The regular grid of a series: `order` sorts its slices upwards along k; `affine` maps (i, j, k) to LPS mm."""

    order: tuple[int, ...]
    affine: Floats


def fit_grid(planes: Sequence[SlicePlane], settings: CtReadSettings) -> SeriesGrid | tuple[Fault, ...]:
    """Fits a regular right-handed grid to slices in any order.

    Returns:
        The grid, or the reasons why the series has none: mixed matrices, spacings or orientations, a tilted gantry,
        duplicate or missing slices, a variable gap.
    """
    reasons = _layout_reasons(planes, settings)
    if reasons:
        return tuple(reasons)
    first = planes[0]
    along_i, along_j = first.cosines[:3], first.cosines[3:]
    along_i, along_j = along_i / np.linalg.norm(along_i), along_j / np.linalg.norm(along_j)
    normal = np.cross(along_i, along_j)
    positions = np.array([plane.position_mm for plane in planes])
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    positions, heights = positions[order], heights[order]
    step = (positions[-1] - positions[0]) / (len(planes) - 1)
    reasons = _tilt_reasons(step, normal, settings) + _gap_reasons(heights, settings)
    if not reasons:
        reasons = _regularity_reasons(positions, step, settings)
    if reasons:
        return tuple(reasons)
    spacing_j, spacing_i = first.spacing_ji_mm
    affine = np.eye(4)
    affine[:3] = np.column_stack([along_i * spacing_i, along_j * spacing_j, step, positions[0]])
    return SeriesGrid(tuple(int(index) for index in order), affine)


def _layout_reasons(planes: Sequence[SlicePlane], settings: CtReadSettings) -> list[Fault]:
    matrices = sorted({(plane.columns, plane.rows) for plane in planes})
    if len(matrices) > 1:
        named = ", ".join(f"{columns} x {rows}" for columns, rows in matrices[:LISTED])
        return [Fault(f"{len(matrices)} matrix sizes in one series ({named})", ONE_STACK)]
    reasons = []
    spacings = np.array([plane.spacing_ji_mm for plane in planes])
    if np.ptp(spacings, axis=0).max() > settings.max_spacing_difference_mm:
        what = f"pixel spacings from {spacings.min():.6g} to {spacings.max():.6g} mm in one series"
        reasons.append(Fault(what, ONE_STACK))
    cosines = np.array([plane.cosines for plane in planes])
    turned = np.abs(cosines - cosines[0]).max(axis=1) > settings.max_cosine_error
    if turned.any():
        reasons.append(Fault(f"{int(turned.sum())} of {len(planes)} slices turned against the first one", ONE_STACK))
    i, j = cosines[0, :3], cosines[0, 3:]
    errors = np.abs([i @ i - 1.0, j @ j - 1.0, i @ j])
    if errors.max() > settings.max_cosine_error:
        what = f"direction cosines off orthonormal by {errors.max():.2g}"
        reasons.append(Fault(what, "export the series again from the archive: an orientation was edited or damaged"))
    return reasons


def _tilt_reasons(step: Floats, normal: Floats, settings: CtReadSettings) -> list[Fault]:
    along = float(step @ normal)
    across = float(np.linalg.norm(step - along * normal))
    if along < DUPLICATE_MM and across < DUPLICATE_MM:
        return []  # all at one place: the gaps say so
    tilt_deg = float(np.degrees(np.arctan2(across, along)))
    if tilt_deg <= settings.max_tilt_deg:
        return []
    what = f"slices tilted by {tilt_deg:.2f} degrees against the direction they are stacked in (gantry tilt)"
    return [Fault(what, UNTILTED)]


def _gap_reasons(heights: Floats, settings: CtReadSettings) -> list[Fault]:
    """Names duplicates, missing slices and a variable gap, measured along the slices' normal."""
    gaps = np.diff(heights)
    doubled = np.flatnonzero(gaps < DUPLICATE_MM)
    reasons = []
    if len(doubled):
        places = ", ".join(f"{heights[k]:.2f}" for k in doubled[:LISTED])
        what = f"{counted(len(doubled), 'slice')} at a place already taken (at {places} mm along the normal)"
        reasons.append(Fault(what, ONCE))
    apart = gaps[gaps >= DUPLICATE_MM]
    if not len(apart):
        return reasons
    usual = float(np.median(apart))
    odd = np.flatnonzero((gaps >= DUPLICATE_MM) & (np.abs(gaps - usual) > 2 * settings.max_grid_error_mm))
    if not len(odd):
        return reasons
    multiples = gaps[odd] / usual
    missing = np.abs(gaps[odd] - np.round(multiples) * usual) <= 2 * settings.max_grid_error_mm
    named = ", ".join(f"{gaps[k]:.2f} mm between slices {k + 1} and {k + 2}" for k in odd[:LISTED])
    rest = f" and {len(odd) - LISTED} more" if len(odd) > LISTED else ""
    if missing.all() and (np.round(multiples) >= 2).all():
        count = int((np.round(multiples) - 1).sum())
        what = f"{counted(count, 'missing slice')}: {named}{rest}, where {usual:.2f} mm is usual"
        reasons.append(Fault(what, WHOLE))
    else:
        spread = f"{apart.min():.2f} to {apart.max():.2f} mm"
        what = f"a variable slice gap, {spread}: {named}{rest}, where {usual:.2f} mm is usual"
        reasons.append(Fault(what, ONE_GAP))
    return reasons


def _regularity_reasons(positions: Floats, step: Floats, settings: CtReadSettings) -> list[Fault]:
    """A gap may vary by little and still add up: what counts is how far a slice lies from the regular grid."""
    expected = positions[0] + np.arange(len(positions))[:, None] * step
    errors = np.linalg.norm(positions - expected, axis=1)
    worst = int(errors.argmax())
    if errors[worst] <= settings.max_grid_error_mm:
        return []
    what = f"slices off a regular grid by up to {errors[worst]:.2f} mm (slice {worst + 1} of {len(positions)}), "
    return [Fault(f"{what}over {settings.max_grid_error_mm:g} mm", ONE_GAP)]
