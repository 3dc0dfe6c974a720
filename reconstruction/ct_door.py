"""The door for CT: it leaves here as Hounsfield units in the frame `ct` (LPS, right-handed, mm), or not at all."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from reconstruction.ct_scan import CtReading, CtScan
from reconstruction.dicom_door import read_dicom
from reconstruction.file_kinds import FORMAT_NAMES, FileKind, file_kind
from reconstruction.itk_door import read_itk
from reconstruction.nifti_door import read_nifti
from reconstruction.quality import CtDoorSettings, judge

__all__ = ["CtDoorSettings", "CtScan", "read_ct"]


def read_ct(
    path: str | PathLike[str], settings: CtDoorSettings | None = None, *, series_number: int | None = None
) -> CtScan:
    """Reads one CT and judges it.

    Args:
        path: a folder of DICOM files, searched with its subfolders; or one file: NIfTI, NRRD, MetaImage or enhanced CT.
        settings: every tolerance of the door; None for the defaults.
        series_number: which DICOM series, where a folder holds several.

    Returns:
        The CT in HU in the frame ``ct``, with a verdict of ``good`` or ``usable``.

    Raises:
        UnreadableInputError: there is no single CT here that can be read.
        CtRefusedError: there is one, but it would be meshed or placed wrongly; its verdict has every reason.
    """
    settings = settings or CtDoorSettings()
    reading = _read(Path(path), settings, series_number)
    verdict = judge(
        reading.volume,
        settings,
        slice_axis=reading.info.slice_axis,
        thickness_mm=reading.info.thickness_mm,
        reasons=reading.reasons,
        notes=reading.notes,
    )
    return CtScan(reading.volume, verdict, _source(reading), reading.info)


def _read(path: Path, settings: CtDoorSettings, series_number: int | None) -> CtReading:
    kind = file_kind(path)
    if kind in (FileKind.FOLDER, FileKind.DICOM):
        return read_dicom(path, settings, series_number)
    return read_nifti(path, settings) if kind is FileKind.NIFTI else read_itk(path, settings)


def _source(reading: CtReading) -> str:
    columns, rows, slices = reading.volume.shape_ijk
    number = "" if reading.info.series_number is None else f" series {reading.info.series_number}"
    return f"{FORMAT_NAMES[reading.info.format]}{number}, {columns} x {rows} x {slices}"
