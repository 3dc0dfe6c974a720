"""What a path holds, series by series, with the verdict that `read_ct` would give: ``surgnav inspect``.

DICOM is judged by its headers and three slices of each CT series, so that a study of hundreds of slices takes seconds;
a file of one volume is read. No report bears a name, an ID, a date, a UID or a path.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from geometry.frames import CT
from geometry.volume import Volume
from reconstruction.ct.dicom.files import list_files, not_readable
from reconstruction.ct.dicom.headers import FolderHeaders, SliceHeader, scan_headers
from reconstruction.ct.dicom.pixels import read_hu_voxels
from reconstruction.ct.dicom.read import (
    check_any_dicom,
    fitted_grid,
    header_findings,
    scale_doubt,
    unreadable_pixels,
    with_offer,
)
from reconstruction.ct.dicom.series import Series, apart_by_uid, choose_series, ct_images, group_ct
from reconstruction.ct.errors import CtRefusedError, UnreadableInputError
from reconstruction.ct.file_kinds import SUFFIXES, FileKind, file_kind
from reconstruction.ct.hounsfield import not_hounsfield
from reconstruction.ct.intensities import examine_intensities
from reconstruction.ct.quality import CtReadSettings, counted, cut_findings, grid_reasons
from reconstruction.ct.read import read_ct
from reconstruction.ct.slice_geometry import SeriesGrid
from reconstruction.ct.verdict import Level, QualityVerdict

VOLUME_SUFFIXES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
SAMPLES = 3  # slices decoded per series: enough to tell HU from a mask and to find a codec that is missing
ORDER: dict[Level, int] = {"good": 0, "usable": 1, "refused": 2}


@dataclass(frozen=True, kw_only=True)
class SeriesReport:
    """One series, or one file of a volume.

    Attributes:
        kind: ``ct``; ``localizer``; ``other`` (a series that is no CT: segmentation, report, MR, ...).
        format: ``dicom``, ``nifti``, ``nrrd`` or ``metaimage``.
        modality: DICOM Modality; empty where the format has none.
        number: DICOM SeriesNumber, which `read_ct(path, choice=CtChoice(series=...))` takes.
        images: slices, or files of a series that is no CT.
        shape_ijk: columns, rows, slices; None where there is no regular grid.
        spacing_mm: between voxel centres along i, j, k.
        thickness_mm: the slice thickness in the header.
        kernel: the reconstruction kernel.
        manufacturer: the scanner's manufacturer.
        verdict: the verdict that `read_ct` would give.
        read_by_default: `read_ct` takes this one when no series is named.
        apart: UID, folder and description, where several series have the same number; for the screen only.
        judged_by: the basis of the verdict: ``headers``, ``headers and 3 slices``, ``all voxels``.
    """

    kind: Literal["ct", "localizer", "other"]
    format: str
    verdict: QualityVerdict
    images: int
    modality: str = ""
    number: int | None = None
    shape_ijk: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    thickness_mm: float | None = None
    kernel: str | None = None
    manufacturer: str | None = None
    read_by_default: bool = False
    apart: str = ""
    judged_by: str = "headers"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the verdict as ``verdict``, ``reasons``, ``notes``. No UID, and no name of a folder."""
        plain = asdict(self)
        del plain["apart"]
        verdict = plain.pop("verdict")
        return plain | {"verdict": verdict["level"], "reasons": verdict["reasons"], "notes": verdict["notes"]}


def inspect(path: str | PathLike[str], settings: CtReadSettings | None = None) -> tuple[SeriesReport, ...]:
    """Lists every series under `path` with a verdict: CT first, the best first.

    Args:
        path: a folder of DICOM files, searched with its subfolders; a folder of other volumes; or one file.
        settings: the reader's tolerances; None for the defaults.

    Raises:
        UnreadableInputError: nothing here that could be listed: no DICOM, an archive, a file that is no image.
    """
    settings = settings or CtReadSettings()
    place = Path(path)
    kind = file_kind(place)
    if kind not in (FileKind.FOLDER, FileKind.DICOM):
        return (_file_report(place, kind, settings),)
    found = scan_headers(list_files(place))
    volumes = [path for path in found.foreign if path.name.lower().endswith(VOLUME_SUFFIXES)]
    if volumes and not found.slices:
        return _volume_reports(volumes, settings)
    if found.forbidden and not found.slices:
        raise not_readable(found.forbidden[0])
    if found.broken and not found.slices:
        raise UnreadableInputError(found.broken[0], "complete DICOM files", "copy the series again from the archive")
    check_any_dicom(found)
    return tuple(sorted(_dicom_reports(found, settings), key=_rank))


def to_json(reports: Iterable[SeriesReport]) -> dict[str, Any]:
    """The reports as one JSON object, with its schema's name and version."""
    return {"schema": "surgnav.inspection", "version": 1, "series": [report.to_json() for report in reports]}


def _rank(report: SeriesReport) -> tuple[int, int, int]:
    return ("ct", "localizer", "other").index(report.kind), ORDER[report.verdict.level], -report.images


def _volume_reports(volumes: Sequence[Path], settings: CtReadSettings) -> tuple[SeriesReport, ...]:
    """One report for each volume of a folder without DICOM; `read_ct` reads one of the files, not their folder."""
    reports = []
    for number, path in enumerate(volumes, start=1):
        place = f"volume {number} of {len(volumes)} in path order; give the file itself"
        try:
            report = _file_report(path, file_kind(path), settings)
        except UnreadableInputError as error:
            refused = QualityVerdict("refused", (error.came,))
            report = SeriesReport(kind="ct", format="unreadable", verdict=refused, images=0)
        verdict = replace(report.verdict, notes=(place, *report.verdict.notes))
        reports.append(replace(report, verdict=verdict, read_by_default=False))
    return tuple(sorted(reports, key=_rank))


def _file_report(path: Path, kind: FileKind, settings: CtReadSettings) -> SeriesReport:
    name = kind.name.lower()
    try:
        scan = read_ct(path, settings)
    except CtRefusedError as error:
        verdict = replace(error.verdict, notes=(*error.verdict.notes, f"do: {error.action}"))
        return SeriesReport(kind="ct", format=name, verdict=verdict, images=0, judged_by="all voxels")
    return SeriesReport(
        kind="ct",
        format=name,
        verdict=scan.verdict,
        images=scan.info.slices,
        shape_ijk=scan.volume.shape_ijk,
        spacing_mm=_rounded(scan.volume.spacing_mm),
        read_by_default=True,
        judged_by="all voxels",
    )


def _dicom_reports(found: FolderHeaders, settings: CtReadSettings) -> list[SeriesReport]:
    ct = [header for header in ct_images(found.slices) if not header.is_localizer]
    chosen = _chosen(found, settings)
    grouped = group_ct(ct, settings)
    numbers = Counter(series.number for series in grouped)
    alike = [series for series in grouped if numbers[series.number] > 1]
    apart = dict(zip(map(id, alike), apart_by_uid(alike), strict=True)) if alike else {}
    reports = [
        replace(_ct_report(series, found, chosen, settings), apart=apart.get(id(series), "")) for series in grouped
    ]
    rest: dict[tuple[str, str, bool], list[SliceHeader]] = defaultdict(list)
    taken = {id(header) for header in ct}
    for header in found.slices:
        if id(header) not in taken:
            rest[header.series_uid, header.modality, header.is_localizer and header.is_ct_image].append(header)
    return reports + [_other_report(group, localizer=key[2]) for key, group in rest.items()]


def _chosen(found: FolderHeaders, settings: CtReadSettings) -> SliceHeader | None:
    """The first slice of the series that `read_ct` reads when none is named; None where it would refuse to choose."""
    if found.broken or found.forbidden:
        return None
    try:
        return choose_series(found.slices, settings).slices[0]
    except UnreadableInputError:
        return None


def _other_report(group: Sequence[SliceHeader], localizer: bool) -> SeriesReport:
    first = group[0]
    what = "a localizer" if localizer else f"{first.modality or 'a file without modality'}, no CT images"
    notes = ("a segmentation: give it with --labels, beside its CT",) if first.modality == "SEG" else ()
    return SeriesReport(
        kind="localizer" if localizer else "other",
        format="dicom",
        verdict=QualityVerdict("refused", (what,), notes),
        images=len(group),
        modality=first.modality,
        number=first.series_number,
        manufacturer=first.manufacturer,
    )


def _ct_report(
    series: Series, found: FolderHeaders, chosen: SliceHeader | None, settings: CtReadSettings
) -> SeriesReport:
    first = series.slices[0]
    thicknesses = [header.thickness_mm for header in series.slices if header.thickness_mm is not None]
    verdict, grid, looked_at = _judged(series, found, max(thicknesses, default=None), settings)
    spacing = None if grid is None else _rounded(np.linalg.norm(grid.affine[:3, :3], axis=0))
    plane = first.plane
    return SeriesReport(
        kind="ct",
        format="dicom",
        modality=first.modality,
        number=first.series_number,
        images=len(series.slices),
        shape_ijk=None if grid is None or plane is None else (plane.columns, plane.rows, len(series.slices)),
        spacing_mm=spacing,
        thickness_mm=max(thicknesses, default=None),
        kernel=first.kernel,
        manufacturer=first.manufacturer,
        verdict=verdict,
        read_by_default=chosen is not None and any(header is chosen for header in series.slices),
        judged_by=f"headers and {counted(looked_at, 'slice')}" if looked_at else "headers",
    )


def _judged(
    series: Series, found: FolderHeaders, thickness_mm: float | None, settings: CtReadSettings
) -> tuple[QualityVerdict, SeriesGrid | None, int]:
    """The verdict, the grid if there is one, and how many slices were decoded."""
    fitted = fitted_grid(series, settings)
    grid = fitted if isinstance(fitted, SeriesGrid) else None
    faults = () if isinstance(fitted, SeriesGrid) else with_offer(fitted, series, settings)
    refused = [fault.what for fault in faults]
    problem = unreadable_pixels(series)
    refused += [problem] if problem else []
    patients = len({header.patient_digest for header in series.slices})
    refused += [f"slices of {patients} patients"] if patients > 1 else []
    refused += [f"beside it, and perhaps one of its slices: {b}" for b in (*found.broken, *found.forbidden)]
    if refused or grid is None:
        actions = dict.fromkeys(f"do: {fault.action}" for fault in faults)
        return QualityVerdict("refused", tuple(refused), (*series.notes, *actions)), grid, 0
    try:
        sample, looked_at = _sample(series, grid, settings)
    except UnreadableInputError as error:
        return QualityVerdict("refused", (error.came,), series.notes), grid, 0
    return _judged_by_values(series, sample, thickness_mm, settings), grid, looked_at


def _judged_by_values(
    series: Series, sample: Volume, thickness_mm: float | None, settings: CtReadSettings
) -> QualityVerdict:
    low, high = float(sample.voxels.min()), float(sample.voxels.max())
    if high - low < settings.min_hu_span:
        return QualityVerdict("refused", (f"values from {low:g} to {high:g} only",), series.notes)
    refused = not_hounsfield(examine_intensities(sample.voxels), scale_doubt(series), correct=False)
    if refused is not None:
        return QualityVerdict("refused", (refused[0],), (*series.notes, f"do: {refused[1]}"))
    cut_reasons, cut_notes = cut_findings(sample, 2, settings)
    if any(header.photometric == "MONOCHROME1" for header in series.slices) and cut_reasons:
        cut_reasons.append("MONOCHROME1: refused when read, should its values turn out to be inverted")
    reasons, notes = header_findings(series)
    shape = (*sample.shape_ijk[:2], len(series.slices))
    reasons += grid_reasons(shape, sample.spacing_mm, 2, settings, thickness_mm) + cut_reasons
    return QualityVerdict("usable" if reasons else "good", tuple(reasons), (*series.notes, *notes, *cut_notes))


def _sample(series: Series, grid: SeriesGrid, settings: CtReadSettings) -> tuple[Volume, int]:
    """A few slices in HU, as if they were the volume; all of them where those few do not look like HU."""
    ordered = [series.slices[index] for index in grid.order]
    picked = sorted({round(share * (len(ordered) - 1)) for share in np.linspace(0.25, 0.75, SAMPLES)})
    voxels = read_hu_voxels([ordered[k] for k in picked], max(header.ordinal for header in ordered))
    if float(np.ptp(voxels)) < settings.min_hu_span:
        picked = list(range(len(ordered)))
        voxels = read_hu_voxels(ordered, max(header.ordinal for header in ordered))
    return Volume(voxels, grid.affine, CT), len(picked)


def _rounded(spacing_mm: np.ndarray) -> tuple[float, float, float]:
    i, j, k = (round(float(value), 6) for value in spacing_mm)
    return i, j, k
