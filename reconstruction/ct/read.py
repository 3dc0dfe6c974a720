"""Reads a CT of any supported format as Hounsfield units in the frame `ct` (LPS, right-handed, mm), or refuses it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from reconstruction.ct.choice import CtChoice
from reconstruction.ct.dicom.read import read_dicom
from reconstruction.ct.file_kinds import FORMAT_NAMES, FileKind, file_kind
from reconstruction.ct.hounsfield import in_hounsfield
from reconstruction.ct.itk import read_itk
from reconstruction.ct.nifti import read_nifti
from reconstruction.ct.quality import CtReadSettings, judge
from reconstruction.ct.scan import CtReading, CtScan

__all__ = ["CtChoice", "CtReadSettings", "CtScan", "read_ct"]


def read_ct(
    path: str | PathLike[str], settings: CtReadSettings | None = None, choice: CtChoice | None = None
) -> CtScan:
    """Reads one CT and judges it.

    Args:
        path: a folder of DICOM files, searched with its subfolders; or one file: NIfTI, NRRD, MetaImage or enhanced CT.
        settings: the reader's tolerances; None for the defaults.
        choice: which series or acquisition, where a path holds several; and whether values may be corrected to HU.

    Returns:
        The CT in HU in the frame ``ct``, with a verdict of ``good`` or ``usable``.

    Raises:
        UnreadableInputError: there is no single CT here that can be read.
        CtRefusedError: there is one, but it would be meshed or placed wrongly; its verdict has every reason.
    """
    settings, choice = settings or CtReadSettings(), choice or CtChoice()
    reading = _read(Path(path), settings, choice)
    if float(np.ptp(reading.volume.voxels)) >= settings.min_hu_span:  # else no scale at all: `judge` refuses it
        reading = in_hounsfield(reading, choice.correct_hu)
    verdict = judge(
        reading.volume,
        settings,
        slice_axis=reading.info.slice_axis,
        thickness_mm=reading.info.thickness_mm,
        reasons=reading.reasons,
        notes=reading.notes,
    )
    return CtScan(reading.volume, verdict, _source(reading), reading.info, choice.kept(reading.series_uid))


def _read(path: Path, settings: CtReadSettings, choice: CtChoice) -> CtReading:
    kind = file_kind(path)
    if kind in (FileKind.FOLDER, FileKind.DICOM):
        return read_dicom(path, settings, choice)
    return read_nifti(path, settings) if kind is FileKind.NIFTI else read_itk(path, settings)


def _source(reading: CtReading) -> str:
    columns, rows, slices = reading.volume.shape_ijk
    number = "" if reading.info.series_number is None else f" series {reading.info.series_number}"
    return f"{FORMAT_NAMES[reading.info.format]}{number}, {columns} x {rows} x {slices}"
