"""A folder of DICOM slices to Hounsfield units on one regular grid, or the reasons why not."""

from __future__ import annotations

import hashlib
from pathlib import Path

from geometry.frames import CT
from geometry.volume import Volume
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.dicom.acquisitions import chosen_acquisition, find_acquisitions
from reconstruction.ct.dicom.files import list_files
from reconstruction.ct.dicom.headers import FolderHeaders, SliceHeader, read_headers
from reconstruction.ct.dicom.pixels import read_hu_voxels
from reconstruction.ct.dicom.series import Series, choose_series
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.quality import CtReadSettings, Fault, counted, cut_fraction, refusal, refusal_of
from reconstruction.ct.scan import CtInfo, CtReading
from reconstruction.ct.slice_geometry import WHOLE, SeriesGrid, SlicePlane, fit_grid

REGULAR = "slices of one size and orientation on a regular grid, with their place and HU scale in the header"
PLACED = "export the series again from the archive, with orientation, position and pixel spacing in every slice"
SCALED = "export the series again with its rescale slope and intercept; --correct-hu finds an offset by air and tissue"
IN_HU = "export the series in HU: a map of density, atomic number or iodine is none"
UNSPECIFIED = ("US", "HU_MOD")  # units that leave open whether they are HU; SimpleITK's writer puts the first one
GREY = ("MONOCHROME2", "MONOCHROME1")
ELSEWHERE = {
    "give that file itself, not its folder": (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"),
    "unpack it, and give the folder": (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".iso"),
}


def read_dicom(path: Path, settings: CtReadSettings, choice: CtChoice | None = None) -> CtReading:
    """Reads the only CT series under a folder, searched with its subfolders, or an enhanced (multi-frame) CT file.

    Args:
        path: an existing folder, or one DICOM file.
        settings: tolerances.
        choice: which series or acquisition, where there are several; whether an unscaled series may be read.

    Raises:
        UnreadableInputError: nothing readable, not CT, several series or patients, colour, broken pixel data.
        CtRefusedError: tilt, gaps, duplicates, mixed geometry, no HU scale, or inverted values.
    """
    files, found, series, grid = _found(path, settings, choice or CtChoice())
    slices = [series.slices[index] for index in grid.order]
    volume = Volume(read_hu_voxels(slices, len(files)), grid.affine, CT)
    _check_not_inverted(series, volume, settings)
    notes = list(series.notes)
    if found.foreign:
        notes.append(f"left out: {counted(len(found.foreign), 'file')} not DICOM")
    reasons, more_notes = header_findings(series)
    return CtReading(
        volume,
        series_info(series),
        tuple(reasons),
        tuple(notes + more_notes),
        scale_doubt(series),
        series.slices[0].series_uid,
    )


def open_series(path: Path, settings: CtReadSettings, choice: CtChoice) -> tuple[SliceHeader, ...]:
    """The headers of the slices that `read_dicom` would read, in the order of its voxels; raises as it does."""
    _, _, series, grid = _found(path, settings, choice)
    return tuple(series.slices[index] for index in grid.order)


def _found(
    path: Path, settings: CtReadSettings, choice: CtChoice
) -> tuple[list[Path], FolderHeaders, Series, SeriesGrid]:
    """The files of a folder, their headers, the one series among them and its grid."""
    files = list_files(path)
    if not files:
        raise UnreadableInputError("an empty folder", "a folder of DICOM files, or an image file", "check the path")
    found = read_headers(files)
    check_any_dicom(found)
    series = choose_series(found.slices, settings, choice.series)
    if choice.acquisition is not None:
        series = chosen_acquisition(series, choice.acquisition, settings)
    problem = unreadable_pixels(series)
    if files == [path] and series.slices[0].frames == 1 and series.slices[0].frame is None:
        raise UnreadableInputError(
            "a single slice", "a folder of DICOM files, or one enhanced (multi-frame) CT file", "give the folder"
        )
    if problem:
        raise UnreadableInputError(
            f"{series.description} with {problem}",
            "grey slices, one a file or each frame with its place in the header (enhanced CT)",
            "export the series as classic or enhanced CT images",
        )
    grid = fitted_grid(series, settings, unscaled=choice.correct_hu)
    if not isinstance(grid, SeriesGrid):
        raise refusal_of(with_offer(grid, series, settings), REGULAR, series.notes)
    return files, found, series, grid


def check_any_dicom(found: FolderHeaders) -> None:
    """Raises `UnreadableInputError` where a folder holds no DICOM at all, and says what it holds instead."""
    if found.slices:
        return
    if found.directories:
        raise UnreadableInputError(
            "a DICOMDIR (a medium's table of contents) without the files that it lists",
            "the whole medium: DICOMDIR and the folders beside it",
            "copy all of the disc or stick, and give its folder",
        )
    for action, endings in ELSEWHERE.items():
        alike = [path.name.lower() for path in found.foreign if path.name.lower().endswith(endings)]
        if alike:
            ending = next(ending for ending in sorted(endings, key=len, reverse=True) if alike[0].endswith(ending))
            came = f"a folder without any DICOM file, but with {counted(len(alike), 'file')} such as *{ending}"
            raise UnreadableInputError(came, "a folder of DICOM files, or an image file", action)
    raise UnreadableInputError(
        "a folder without any DICOM file", "a folder of DICOM files, or an image file", "check the path"
    )


def unreadable_pixels(series: Series) -> str:
    """Why a series is not a stack of grey slices with known positions; empty where it is."""
    for header in series.slices:
        if header.frames > 1 and header.frame is None:
            return f"a multi-frame image of {header.frames} frames, whose header does not place each of them"
        if header.samples != 1 or header.photometric not in GREY:
            return f"pixels of {header.samples} channels, {header.photometric or 'of unknown meaning'}"
    return ""


def fitted_grid(series: Series, settings: CtReadSettings, *, unscaled: bool = False) -> SeriesGrid | tuple[Fault, ...]:
    """The regular grid of a series in HU, or every reason why there is none; `unscaled`: its scale is found later."""
    planes: list[SlicePlane] = [header.plane for header in series.slices if header.plane is not None]
    count = len(series.slices)
    reasons = _scale_faults(series, unscaled)
    if len(planes) < count:
        what = f"{count - len(planes)} of {count} slices without size, pixel spacing, orientation or position"
        reasons.insert(0, Fault(what, PLACED))
    if count < settings.min_slices:
        reasons.append(Fault(f"{counted(count, 'slice')} only", WHOLE))
    fitted: SeriesGrid | tuple[Fault, ...] = ()
    if len(planes) == count >= settings.min_slices:
        fitted = fit_grid(planes, settings)
    if not isinstance(fitted, SeriesGrid):
        return (*reasons, *fitted)
    return tuple(reasons) or fitted


def with_offer(faults: tuple[Fault, ...], series: Series, settings: CtReadSettings) -> tuple[Fault, ...]:
    """Returns the faults; where the series holds several acquisitions, the only advice is to name one of them."""
    found = find_acquisitions(series, settings)
    if found is None:
        return faults
    return tuple(Fault(fault.what, f"choose an acquisition: {found.offer}") for fault in faults)


def _scale_faults(series: Series, unscaled_may_pass: bool) -> list[Fault]:
    count = len(series.slices)
    faults = []
    unscaled = sum(header.rescale is None for header in series.slices)
    if unscaled and not (unscaled_may_pass and unscaled == count):
        what = f"{unscaled} of {count} slices without rescale slope and intercept, so not in HU"
        faults.append(Fault(what, SCALED))
    foreign_units = sorted({header.rescale_type or "HU" for header in series.slices} - {"HU", *UNSPECIFIED})
    if foreign_units:
        faults.append(Fault(f"values in {', '.join(foreign_units)}, not in HU", IN_HU))
    frames = {header.frame_of_reference for header in series.slices}
    if 1 < len(frames) < count:
        what = f"{len(frames)} frames of reference in one series"
        faults.append(Fault(what, "give the slices of one frame alone: the others may lie elsewhere in the patient"))
    return faults


def scale_doubt(series: Series) -> str:
    """Why the headers do not state that the values are HU; empty where they do."""
    if any(header.rescale is None for header in series.slices):
        return "no rescale slope and intercept"
    units = sorted({header.rescale_type or "HU" for header in series.slices} & set(UNSPECIFIED))
    return f"the header calls the values {', '.join(units)}, which may be anything" if units else ""


def _check_not_inverted(series: Series, volume: Volume, settings: CtReadSettings) -> None:
    """MONOCHROME1 is a matter of display (PS3.3 C.7.6.3.1.2) and leaves HU alone, but some writers invert them."""
    if not any(header.photometric == "MONOCHROME1" for header in series.slices):
        return
    bright = cut_fraction(volume, 2, settings)
    if bright > settings.max_inverted_fraction:
        raise refusal(
            (f"MONOCHROME1 with {bright:.0%} of the side faces brighter than air, as if its values were inverted",),
            "Hounsfield units, with air around the body",
            "export the series as MONOCHROME2",
            series.notes,
        )


def header_findings(series: Series) -> tuple[list[str], list[str]]:
    """Returns the headers' reasons against ``good``, and notes on what they leave open."""
    slices = series.slices
    reasons, notes = list(series.reasons), []
    if any(header.photometric == "MONOCHROME1" for header in slices):
        reasons.append("MONOCHROME1: made for inverted display; HU taken as the standard has it, not inverted")
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


def series_info(series: Series) -> CtInfo:
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
        frame_of_reference_sha256=_digest_of_one_frame(series.slices),
    )


def _digest_of_one_frame(slices: tuple[SliceHeader, ...]) -> str | None:
    """A digest of the one frame of reference that every slice names, so that a segmentation can be told to fit."""
    frames = {header.frame_of_reference for header in slices}
    only = frames.pop() if len(frames) == 1 else None
    return None if only is None else hashlib.sha256(only.encode()).hexdigest()
