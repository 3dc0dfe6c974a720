"""A folder of DICOM slices to Hounsfield units on one regular grid, or the reasons why not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.frames import CT
from geometry.volume import Volume
from reconstruction.ct_scan import CtInfo, CtReading
from reconstruction.dicom_headers import BROKEN, SliceHeader, list_files, quiet_pydicom, read_headers
from reconstruction.dicom_series import Series, choose_series
from reconstruction.errors import UnreadableInputError
from reconstruction.quality import CtDoorSettings, counted, refusal
from reconstruction.slice_geometry import SeriesGrid, SlicePlane, fit_grid

REGULAR = "slices of one size and orientation on a regular grid, with their place and HU scale in the header"
EXPORT_AGAIN = "export the series again, complete and not edited, or scan without gantry tilt"


def read_dicom(folder: Path, settings: CtDoorSettings, series_number: int | None = None) -> CtReading:
    """Reads the only CT series under `folder`, searched with its subfolders.

    Args:
        folder: an existing folder.
        settings: tolerances.
        series_number: which series, by DICOM SeriesNumber, where there are several.

    Raises:
        UnreadableInputError: nothing readable, not CT, several series or patients, colour, broken pixel data.
        CtRefusedError: tilt, gaps, duplicates, mixed geometry, or no HU scale.
    """
    files = list_files(folder)
    if not files:
        raise UnreadableInputError("an empty folder", "a folder of DICOM files, or a NIfTI file", "check the path")
    headers, foreign = read_headers(files)
    series = choose_series(headers, settings, series_number)
    _check_pixels_are_grey(series)
    grid = _grid(series, settings)
    slices = [series.slices[index] for index in grid.order]
    volume = Volume(_read_voxels(slices, len(files)), grid.affine, CT)
    notes = list(series.notes)
    if foreign:
        notes.append(f"left out: {counted(foreign, 'file')} not DICOM")
    reasons, more_notes = _header_findings(series)
    return CtReading(volume, _info(series), tuple(reasons), tuple(notes + more_notes))


def _check_pixels_are_grey(series: Series) -> None:
    for header in series.slices:
        if header.frames > 1:
            came = f"a multi-frame image of {header.frames} frames"
        elif header.samples != 1 or header.photometric != "MONOCHROME2":
            came = f"pixels of {header.samples} channels, {header.photometric or 'of unknown meaning'}"
        else:
            continue
        raise UnreadableInputError(
            f"{series.description} with {came}",
            "single-frame MONOCHROME2 slices",
            "export the series as classic CT images",
        )


def _grid(series: Series, settings: CtDoorSettings) -> SeriesGrid:
    planes: list[SlicePlane] = [header.plane for header in series.slices if header.plane is not None]
    reasons: list[str] = []
    count = len(series.slices)
    if len(planes) < count:
        reasons.append(f"{count - len(planes)} of {count} slices without size, pixel spacing, orientation or position")
    unscaled = sum(header.rescale is None for header in series.slices)
    if unscaled:
        reasons.append(f"{unscaled} of {count} slices without rescale slope and intercept, so not in HU")
    foreign_units = sorted({header.rescale_type or "HU" for header in series.slices} - {"HU"})
    if foreign_units:
        reasons.append(f"values in {', '.join(foreign_units)}, not in HU")
    frames = {header.frame_of_reference for header in series.slices}
    if 1 < len(frames) < count:
        reasons.append(f"{len(frames)} frames of reference in one series")
    if count < settings.min_slices:
        reasons.append(f"{counted(count, 'slice')} only")
    fitted: SeriesGrid | tuple[str, ...] = ()
    if len(planes) == count >= settings.min_slices:
        fitted = fit_grid(planes, settings)
    if isinstance(fitted, SeriesGrid) and not reasons:
        return fitted
    if not isinstance(fitted, SeriesGrid):
        reasons.extend(fitted)
    raise refusal(tuple(reasons), REGULAR, EXPORT_AGAIN, series.notes)


def _header_findings(series: Series) -> tuple[list[str], list[str]]:
    """What the headers hold against a good verdict, and what they merely leave open."""
    slices = series.slices
    reasons, notes = [], []
    if any(header.lossy for header in slices):
        reasons.append("lossy image compression")
    thicknesses = sorted({header.thickness_mm for header in slices if header.thickness_mm is not None})
    if len(thicknesses) > 1:
        reasons.append(f"slice thickness from {thicknesses[0]:g} to {thicknesses[-1]:g} mm in one series")
    if not thicknesses:
        notes.append("slice thickness not stated; judged by the distance between slices")
    frames = {header.frame_of_reference for header in slices}
    if None in frames:
        notes.append("no frame of reference stated")
    elif len(frames) > 1:
        notes.append("every slice names its own frame of reference, as some de-identification does: positions agree")
    if not slices[0].series_uid:
        notes.append("no series named in the header: all unnamed CT slices taken as one series")
    return reasons, notes


def _info(series: Series) -> CtInfo:
    first = series.slices[0]
    thicknesses = [header.thickness_mm for header in series.slices if header.thickness_mm is not None]
    return CtInfo(
        format="dicom",
        slices=len(series.slices),
        slice_axis=2,
        series_number=series.number,
        thickness_mm=max(thicknesses, default=None),
        manufacturer=first.manufacturer,
        kernel=first.kernel,
        patient_position=first.patient_position,
        contrast=first.contrast,
    )


def _read_voxels(slices: Sequence[SliceHeader], files: int) -> NDArray[np.generic]:
    """Stacks the slices in HU; int16 unless a slice has fractional or larger values, which makes all float32."""
    plane = slices[0].plane
    shape = (len(slices), plane.rows, plane.columns) if plane else (0, 0, 0)
    voxels: NDArray[np.generic] = np.empty(shape, dtype=np.int16)
    limits = np.iinfo(np.int16)
    for k, header in enumerate(slices):
        values = _read_hu(header, shape[1:], files)
        if voxels.dtype == np.int16:
            fits = values.min() >= limits.min and values.max() <= limits.max
            if not fits or not np.array_equal(values, np.round(values)):
                voxels = voxels.astype(np.float32)
        voxels[k] = values
    return voxels


def _read_hu(header: SliceHeader, shape: tuple[int, ...], files: int) -> NDArray[np.generic]:
    """One slice in HU. Plain pixels by pydicom; compressed ones by GDCM, which has every codec and rescales itself."""
    try:
        with quiet_pydicom():
            values = _read_compressed(header) if header.compressed else _read_plain(header)
    except (*BROKEN, RuntimeError) as error:  # SimpleITK raises RuntimeError
        raise _broken(header, files, type(error).__name__) from None  # GDCM's text quotes the path
    if values.shape != shape:
        raise _broken(header, files, f"{values.shape} pixels instead of {shape}")
    return values


def _read_plain(header: SliceHeader) -> NDArray[np.generic]:
    from pydicom import dcmread

    stored = dcmread(header.path).pixel_array
    slope, intercept = header.rescale or (1.0, 0.0)
    if slope.is_integer() and intercept.is_integer():
        return stored.astype(np.int64) * int(slope) + int(intercept)
    return stored * slope + intercept


def _read_compressed(header: SliceHeader) -> NDArray[np.generic]:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(header.path))
    return SimpleITK.GetArrayFromImage(reader.Execute())[0]


def _broken(header: SliceHeader, files: int, what: str) -> UnreadableInputError:
    instance = "" if header.instance_number is None else f" (instance number {header.instance_number})"
    return UnreadableInputError(
        f"file {header.ordinal} of {files} in path order{instance}, whose pixel data is broken or cut short ({what})",
        "complete pixel data in a transfer syntax that pydicom or GDCM decodes",
        "copy the series again from the archive",
    )
