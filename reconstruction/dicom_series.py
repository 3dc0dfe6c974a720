"""Which series of a DICOM folder is the CT: the only one that qualifies, or an error that lists them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reconstruction.atomic import file_sha256
from reconstruction.dicom_headers import SliceHeader, count_by
from reconstruction.errors import UnreadableInputError
from reconstruction.quality import CtDoorSettings, counted


@dataclass(frozen=True, eq=False)
class Series:
    """The slices of one SeriesInstanceUID, in path order; `notes` tell what was left out to find it."""

    slices: tuple[SliceHeader, ...]
    notes: tuple[str, ...] = ()

    @property
    def number(self) -> int | None:
        return self.slices[0].series_number

    @property
    def description(self) -> str:
        """By number and size, never by patient."""
        number = "without a number" if self.number is None else str(self.number)
        stack = f", stack {self.slices[0].stack}" if self.slices[0].stack not in ("", "1") else ""
        return f"series {number}{stack} ({counted(len(self.slices), 'slice')})"


def choose_series(headers: Sequence[SliceHeader], settings: CtDoorSettings, number: int | None = None) -> Series:
    """Picks the one CT series among DICOM files.

    Localizers, and series under ``settings.min_series_slices`` slices beside a longer one, are left out and noted.

    Args:
        headers: every slice header of the folder.
        settings: what counts as a localizer.
        number: DICOM SeriesNumber to pick; None: there must be only one.

    Raises:
        UnreadableInputError: no CT, no series with that number, several series, or several patients.
    """
    images = [header for header in headers if header.is_ct_image]
    if not images:
        raise _no_ct(headers)
    notes = []
    others = len(headers) - len(images)
    if others:
        notes.append(f"left out: {counted(others, 'DICOM file')} without CT slices ({_kinds(headers)})")
    localizers = sum(header.is_localizer for header in images)
    if localizers:
        notes.append(f"left out: {counted(localizers, 'localizer image')}")
    found = group_ct([header for header in images if not header.is_localizer])
    if not found:
        raise UnreadableInputError(
            f"only localizer images ({localizers})", "a CT series", "export the axial series of this study"
        )
    chosen = _numbered(found, number) if number is not None else _only(found, settings, notes)
    _check_one_patient(chosen)
    return Series(chosen.slices, (*notes, *chosen.notes))


def group_ct(headers: Sequence[SliceHeader]) -> list[Series]:
    """Slices by series, and by stack within an enhanced one; a slice that came twice, byte for byte, counts once."""
    groups: dict[tuple[str, str], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        groups[header.series_uid, header.stack].append(header)
    return [_without_copies(group) for group in groups.values()]


def _without_copies(group: list[SliceHeader]) -> Series:
    """Hospitals send files twice. Only where both the instance and every byte agree is one of them left out.

    Two different images that name themselves the same instance stay, and are refused as two slices at one place.
    """
    named = Counter(header.instance_uid for header in group if header.instance_uid and not header.frame)
    if max(named.values(), default=0) < 2:
        return Series(tuple(group))
    seen: set[tuple[str, int | None]] = set()
    kept = []
    for header in group:
        content = "" if named[header.instance_uid] < 2 else file_sha256(header.path)
        if content and (content, header.frame) in seen:
            continue
        seen.add((content, header.frame))
        kept.append(header)
    copies = len(group) - len(kept)
    return Series(tuple(kept), (f"left out: {counted(copies, 'slice')} sent twice, byte for byte",) if copies else ())


def _only(found: list[Series], settings: CtDoorSettings, notes: list[str]) -> Series:
    long = [series for series in found if len(series.slices) >= settings.min_series_slices]
    candidates = long or found
    if len(candidates) > 1:
        raise _several(candidates)
    chosen = candidates[0]
    short = [series.description for series in found if series is not chosen]
    notes.extend(f"left out: {description}, too short beside {chosen.description}" for description in short)
    return chosen


def _numbered(found: list[Series], number: int) -> Series:
    matching = [series for series in found if series.number == number]
    if not matching:
        raise UnreadableInputError(
            f"no CT series number {number}",
            f"one of {', '.join(series.description for series in found)}",
            "give the number of one of these",
        )
    if len(matching) > 1:
        raise _several(matching)
    return matching[0]


def _several(candidates: list[Series]) -> UnreadableInputError:
    patients = len({header.patient_digest for series in candidates for header in series.slices})
    whose = f" of {patients} patients" if patients > 1 else ""
    names = Counter(series.description for series in candidates)
    listed = ", ".join(f"{count} times {name}" if count > 1 else name for name, count in sorted(names.items()))
    return UnreadableInputError(
        f"{len(candidates)} CT series{whose}: {listed}",
        "one CT series of one patient",
        "give the folder of one series, or its series number (--series)",
    )


def _check_one_patient(series: Series) -> None:
    patients = len({header.patient_digest for header in series.slices})
    if patients > 1:
        raise UnreadableInputError(
            f"{series.description} with slices of {patients} patients",
            "one patient",
            "separate the patients' files; they were mixed before they came here",
        )


def _no_ct(headers: Sequence[SliceHeader]) -> UnreadableInputError:
    return UnreadableInputError(
        f"no CT slices: {_kinds(headers)}",
        "CT images (modality CT), classic or enhanced",
        "give the folder of the CT series",
    )


def _kinds(headers: Sequence[SliceHeader]) -> str:
    return count_by([header for header in headers if not header.is_ct_image], _kind)


def _kind(header: SliceHeader) -> str:
    return "CT not stored as CT images" if header.modality == "CT" else header.modality
