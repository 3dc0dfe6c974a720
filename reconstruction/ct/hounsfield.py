"""Refuses values that are not HU; with `CtChoice.correct_hu` an offset is subtracted, and the verdict says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reconstruction.ct.intensities import Intensities, examine_intensities
from reconstruction.ct.quality import refusal
from reconstruction.ct.scan import CtReading
from reconstruction.ct.voxels import as_compact

HOUNSFIELD = "Hounsfield units: air at -1000, water at 0"
OPTION = "--correct-hu"


def in_hounsfield(reading: CtReading, correct: bool) -> CtReading:
    """Returns the reading in HU; findings and corrections are added to its reasons and notes.

    Args:
        reading: a volume whose values span at least the range of a body's.
        correct: subtract an offset where there is one.

    Raises:
        CtRefusedError: the values are not HU, or neither header nor values confirm that they are.
    """
    found = examine_intensities(reading.volume.voxels)
    problem = not_hounsfield(found, reading.scale_doubt, correct)
    if problem is not None:
        raise refusal((problem[0],), HOUNSFIELD, problem[1], reading.notes)
    doubt = f"{reading.scale_doubt}: " if reading.scale_doubt else ""
    if found.kind == "offset":
        voxels = as_compact(reading.volume.voxels.astype(np.float32) - np.float32(found.offset))
        reason = f"{doubt}values with {found.words}: {found.offset:g} taken away, as asked ({OPTION})"
        return replace(reading, volume=reading.volume.with_voxels(voxels), reasons=(*reading.reasons, reason))
    if doubt:
        taken = "values that look like HU" if found.kind == "hu" else f"values taken for HU, as asked ({OPTION})"
        return replace(reading, reasons=(*reading.reasons, f"{doubt}{taken}: {found.words}"))
    if found.kind == "unconfirmed" and found.air is not None and found.tissue is not None:
        reason = f"a scale that may not be HU, as in cone-beam CT, or a crop: {found.words}"
        return replace(reading, notes=(*reading.notes, reason))
    return reading


def not_hounsfield(found: Intensities, scale_doubt: str, correct: bool) -> tuple[str, str] | None:
    """Returns why the values are refused and what to do; None where they are accepted.

    Args:
        found: the findings in the histogram.
        scale_doubt: why the header does not state that the values are HU; empty where it does.
        correct: whether an offset will be subtracted.
    """
    again = "export the series again with its rescale slope and intercept"
    if found.kind == "other":
        return f"values that are not HU: {found.words}", "give the CT itself, in HU: MR and raw values are not HU"
    if found.kind == "offset" and not correct:
        return (
            f"values that are not HU: {found.words}",
            f"pass {OPTION}, which subtracts {found.offset:g} and says so in the verdict; or {again}",
        )
    if scale_doubt and found.kind == "unconfirmed" and not correct:
        return (
            f"{scale_doubt}, and {found.words}",
            f"{again}; or, where you know that the values are HU, pass {OPTION}, which says so in the verdict",
        )
    return None
