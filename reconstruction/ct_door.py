"""The door for CT: it leaves here as Hounsfield units in the frame `ct` (LPS, right-handed, mm), or not at all."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from reconstruction.ct_scan import CtReading, CtScan
from reconstruction.dicom_door import read_dicom
from reconstruction.errors import UnreadableInputError
from reconstruction.nifti_door import read_nifti
from reconstruction.quality import CtDoorSettings, judge

__all__ = ["CtDoorSettings", "CtScan", "read_ct"]

NIFTI = (".nii", ".nii.gz")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip", ".7z", ".rar")
ALLOWED = "a folder of DICOM files, or a NIfTI file (.nii, .nii.gz)"


def read_ct(
    path: str | PathLike[str], settings: CtDoorSettings | None = None, *, series_number: int | None = None
) -> CtScan:
    """Reads one CT and judges it.

    Args:
        path: a folder of DICOM files, searched with its subfolders, or one NIfTI file.
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
    name = path.name.lower()
    if path.is_dir():
        return read_dicom(path, settings, series_number)
    if not path.exists():
        raise UnreadableInputError(f"a path that does not exist ({path})", ALLOWED, "check the path")
    if name.endswith(NIFTI):
        return read_nifti(path, settings)
    if name.endswith(ARCHIVES):
        raise UnreadableInputError("an archive", ALLOWED, "unpack it, and give the folder")
    raise UnreadableInputError(
        "a single file that is not NIfTI", ALLOWED, "give the folder that holds the slices, or convert to NIfTI"
    )


def _source(reading: CtReading) -> str:
    columns, rows, slices = reading.volume.shape_ijk
    size = f"{columns} x {rows} x {slices}"
    if reading.info.format == "nifti":
        return f"NIfTI, {size}"
    number = "" if reading.info.series_number is None else f" series {reading.info.series_number}"
    return f"DICOM{number}, {size}"
