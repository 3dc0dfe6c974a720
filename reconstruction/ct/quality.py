"""The quality verdict: how far a CT can be trusted for surfaces of sub-millimetre meaning, and why.

`good` and `usable` come with the volume; `refused` comes as `CtRefusedError`. Reasons lower the level; notes are
observations that do not. Neither ever names the patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.ct.errors import CtRefusedError
from reconstruction.ct.verdict import QualityVerdict


@dataclass(frozen=True, kw_only=True)
class CtReadSettings:
    """Every tolerance of the CT readers; each field's name ends in its unit.

    Attributes:
        max_grid_error_mm: a slice further than this from the regular grid that fits the series refuses it; 0.1 mm is
            what rounding to one decimal, as some scanners do, may cost, and far below any registration error.
        max_tilt_deg: angle between the slices' normal and the direction they are stacked in; at 0.05 degrees
            the grid is off orthogonal by less than what `Volume` tolerates.
        max_cosine_error: deviation of direction cosines from unit length, from orthogonal and from one another.
        max_spacing_difference_mm: pixel spacing may differ this much within a series (0.05 mm over 512 pixels).
        min_series_slices: beside a longer series, one with fewer slices is taken for a localizer and left out.
        min_slices: fewer slices than this are no volume.
        max_form_disagreement_mm: NIfTI's sform and qform may place a corner this far apart.
        good_slice_mm: thicker or wider spaced slices cost ``good``.
        good_matrix: fewer rows or columns cost ``good``.
        good_anisotropy: a larger ratio of slice distance to pixel spacing costs ``good``.
        good_coverage_mm: less extent along the slice axis costs ``good``.
        tissue_hu: above this, a voxel on the side of the scan is body that the field of view cut off.
        good_cut_fraction: a larger share of such voxels on the four side faces costs ``good``; a few percent are
            arms or the couch, which most scans of a trunk cut.
        noted_cut_fraction: a larger share is noted.
        max_inverted_fraction: MONOCHROME1 with a larger share of such voxels is refused: air would be dense.
        min_hu_span: a CT of a body spans more than this; masks, pictures and normalised values do not.
        max_padding_hu: below this lies padding outside the round field of view, which is noted.
    """

    max_grid_error_mm: float = 0.1
    max_tilt_deg: float = 0.05
    max_cosine_error: float = 1e-3
    max_spacing_difference_mm: float = 1e-4
    min_series_slices: int = 10
    min_slices: int = 2
    max_form_disagreement_mm: float = 0.1
    good_slice_mm: float = 1.0
    good_matrix: int = 512
    good_anisotropy: float = 3.0
    good_coverage_mm: float = 50.0
    tissue_hu: float = -300.0
    good_cut_fraction: float = 0.10
    noted_cut_fraction: float = 0.01
    max_inverted_fraction: float = 0.5
    min_hu_span: float = 300.0
    max_padding_hu: float = -1200.0


@dataclass(frozen=True)
class Fault:
    """One reason why a CT is refused: `what` is wrong, and the `action` that repairs it."""

    what: str
    action: str


def counted(count: int, noun: str) -> str:
    """``1 slice``, ``2 slices``."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def refusal(reasons: tuple[str, ...], allowed: str, action: str, notes: tuple[str, ...] = ()) -> CtRefusedError:
    """The error to raise, with all `reasons` in its message and in its verdict."""
    verdict = QualityVerdict("refused", reasons, notes)
    return CtRefusedError("a CT with " + "; ".join(reasons), allowed, action, verdict)


def refusal_of(faults: Sequence[Fault], allowed: str, notes: tuple[str, ...] = ()) -> CtRefusedError:
    """The error to raise for `faults`, with what to do about each of them, once."""
    actions = dict.fromkeys(fault.action for fault in faults)
    return refusal(tuple(fault.what for fault in faults), allowed, "; ".join(actions), notes)


def judge(
    volume: Volume,
    settings: CtReadSettings,
    *,
    slice_axis: int | None = None,
    thickness_mm: float | None = None,
    reasons: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> QualityVerdict:
    """Judges a volume in HU that has already passed the geometry checks.

    Args:
        volume: HU in the frame ``ct``.
        settings: the thresholds.
        slice_axis: which voxel axis (0 = i, 1 = j, 2 = k) the slices are stacked along; None: see `find_slice_axis`.
        thickness_mm: the slice thickness that the header states; None where the format has none.
        reasons: the reader's own reasons against ``good``.
        notes: the reader's own notes.

    Raises:
        CtRefusedError: the values cannot be HU.
    """
    found = list(reasons)
    seen = list(notes)
    low, high = float(volume.voxels.min()), float(volume.voxels.max())
    if high - low < settings.min_hu_span:
        raise refusal(
            (f"values from {low:g} to {high:g} only",),
            f"Hounsfield units, which span at least {settings.min_hu_span:g} in a body",
            "pass the CT itself: not a mask, a picture or a normalised copy",
            tuple(seen),
        )
    axis = find_slice_axis(volume) if slice_axis is None else slice_axis
    found += grid_reasons(volume.shape_ijk, volume.spacing_mm, axis, settings, thickness_mm)
    cut_reasons, cut_notes = cut_findings(volume, axis, settings)
    found += cut_reasons
    seen += cut_notes + _value_notes(low, settings)
    return QualityVerdict("usable" if found else "good", tuple(found), tuple(seen))


def _value_notes(low: float, settings: CtReadSettings) -> list[str]:
    if low < settings.max_padding_hu:
        return [f"values down to {low:g} HU: padding outside the field of view, kept as it is"]
    if low > settings.tissue_hu:
        return [f"no air in the scan (minimum {low:g} HU): a crop, or the zero of the HU scale cannot be confirmed"]
    return []


def cut_findings(volume: Volume, axis: int, settings: CtReadSettings) -> tuple[list[str], list[str]]:
    """Returns reasons and notes about tissue on the side faces, which the field of view cuts."""
    cut = cut_fraction(volume, axis, settings)
    if cut <= settings.noted_cut_fraction:
        return [], []
    finding = [f"the field of view cuts the body: tissue on {cut:.1%} of the side faces"]
    return (finding, []) if cut > settings.good_cut_fraction else ([], finding)


def grid_reasons(
    shape_ijk: Sequence[int],
    spacing_mm: Floats,
    axis: int,
    settings: CtReadSettings,
    thickness_mm: float | None,
) -> list[str]:
    """Returns the reasons against ``good`` in a grid's resolution and extent; slices are stacked along `axis`."""
    in_plane = [i for i in range(3) if i != axis]
    distance_mm = float(spacing_mm[axis])
    pixel_mm = float(spacing_mm[in_plane].max())
    columns, rows = (shape_ijk[i] for i in in_plane)
    coverage_mm = distance_mm * shape_ijk[axis]
    found = []
    if thickness_mm is not None and thickness_mm > settings.good_slice_mm:
        found.append(f"slice thickness {thickness_mm:.4g} mm, over {settings.good_slice_mm:g} mm")
    if distance_mm > settings.good_slice_mm:
        found.append(f"slices {distance_mm:.4g} mm apart, over {settings.good_slice_mm:g} mm")
    if min(columns, rows) < settings.good_matrix:
        found.append(f"matrix {columns} x {rows}, under {settings.good_matrix} x {settings.good_matrix}")
    if distance_mm > settings.good_anisotropy * pixel_mm:
        found.append(f"voxels {distance_mm / pixel_mm:.2g} times longer than wide")
    if coverage_mm < settings.good_coverage_mm:
        found.append(f"only {coverage_mm:.4g} mm covered by {counted(shape_ijk[axis], 'slice')}")
    return found


def find_slice_axis(volume: Volume) -> int:
    """Which voxel axis (0 = i, 1 = j, 2 = k) slices were most likely stacked along, where the format does not say.

    Pixels are square, so where two spacings agree within 1 % and the third does not, it is the third; otherwise the
    axis that points most along the body, since CT slices are axial.
    """
    spacing = volume.spacing_mm
    alike = [bool(np.isclose(spacing[(axis + 1) % 3], spacing[(axis + 2) % 3], rtol=0.01)) for axis in range(3)]
    if sum(alike) == 1:
        return alike.index(True)
    return int(np.argmax(np.abs(volume.direction[2])))


def cut_fraction(volume: Volume, axis: int, settings: CtReadSettings) -> float:
    """Share of tissue among the voxels of the four faces beside the slice axis, 0 to 1."""
    faces = []
    for side in (array_axis for array_axis in range(3) if array_axis != 2 - axis):
        faces += [np.take(volume.voxels, 0, axis=side), np.take(volume.voxels, -1, axis=side)]
    tissue = sum(int((face > settings.tissue_hu).sum()) for face in faces)
    return tissue / sum(face.size for face in faces)
