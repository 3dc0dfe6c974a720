"""Which series of a DICOM folder is the CT: the only one that qualifies, or an error that lists them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from case.atomic import file_sha256
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.dicom.headers import SliceHeader, count_by
from reconstruction.ct.dicom.identity import words_of_file
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.quality import CtReadSettings, counted


@dataclass(frozen=True, eq=False)
class Series:
    """The slices of one SeriesInstanceUID, in path order.

    `notes` tell what was left out to find it, `reasons` what costs it ``good``.
    """

    slices: tuple[SliceHeader, ...]
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def number(self) -> int | None:
        return self.slices[0].series_number

    @property
    def description(self) -> str:
        """Names the series by number and size, never by patient."""
        number = "without a number" if self.number is None else str(self.number)
        stack = f", stack {self.slices[0].stack}" if self.slices[0].stack not in ("", "1") else ""
        return f"series {number}{stack} ({counted(len(self.slices), 'slice')})"


def choose_series(headers: Sequence[SliceHeader], settings: CtReadSettings, wanted: str | None = None) -> Series:
    """Picks the one CT series among DICOM files.

    Localizers, and series under ``settings.min_series_slices`` slices beside a longer one, are left out and noted.

    Args:
        headers: every slice header of the folder.
        settings: what counts as a localizer.
        wanted: which to pick, as `CtChoice.series`; None: there must be only one.

    Raises:
        UnreadableInputError: no CT, no series of that number or UID, several series, or several patients.
    """
    images = ct_images(headers)
    if not images:
        raise _no_ct(headers)
    notes = []
    others = len(headers) - len(images)
    if others:
        notes.append(f"left out: {counted(others, 'DICOM file')} without CT slices ({_kinds(headers)})")
    localizers = sum(header.is_localizer for header in images)
    if localizers:
        notes.append(f"left out: {counted(localizers, 'localizer image')}")
    found = group_ct([header for header in images if not header.is_localizer], settings)
    if not found:
        raise UnreadableInputError(
            f"only localizer images ({localizers})", "a CT series", "export the axial series of this study"
        )
    chosen = _wanted(found, wanted) if wanted is not None else _only(found, settings, notes)
    _check_one_patient(chosen)
    return replace(chosen, notes=(*notes, *chosen.notes))


def ct_images(headers: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The CT slices; where there is none at all, captures that say where they lie stand in for them."""
    images = [header for header in headers if header.is_ct_image]
    return images or [header for header in headers if header.is_placed_capture]


def group_ct(headers: Sequence[SliceHeader], settings: CtReadSettings) -> list[Series]:
    """Slices by series, and by stack within an enhanced one; a slice that came twice, byte for byte, counts once."""
    groups: dict[tuple[str, str], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        groups[header.series_uid, header.stack].append(header)
    found = _put_together([_without_copies(group) for group in groups.values()], settings)
    captured = ("stored as secondary capture, not as CT",)
    return [replace(s, reasons=captured + s.reasons) if s.slices[0].is_placed_capture else s for s in found]


def _put_together(found: list[Series], settings: CtReadSettings) -> list[Series]:
    """Joins slices that were each given a series of their own, where study, number and make-up agree.

    A wrong join is caught later: slices off one regular grid are refused, as in any other series.
    """
    groups: dict[object, list[Series]] = defaultdict(list)
    for series in found:
        groups[_make_up(series.slices[0]) if len(series.slices) == 1 else id(series)].append(series)
    together: list[Series] = []
    for group in groups.values():
        if len(group) < max(2, settings.min_series_slices):
            together += group
            continue
        reason = f"each of {len(group)} slices is named a series of its own: put together by study, number and place"
        slices = sorted((series.slices[0] for series in group), key=lambda header: header.ordinal)
        together.append(Series(tuple(slices), (), (reason,)))
    return together


def _make_up(header: SliceHeader) -> object:
    """The header values that all slices of one series share, whatever their UID."""
    plane = header.plane
    layout = None if plane is None else (plane.rows, plane.columns, plane.spacing_ji_mm, *plane.cosines.round(3))
    return header.study_uid, header.series_number, header.patient_digest, header.kernel, header.image_type, layout


def _without_copies(group: list[SliceHeader]) -> Series:
    """Leaves out files that were sent twice: same instance UID and equal in every byte.

    Two different images with the same instance UID are kept, and later refused as two slices at one place.
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


def _only(found: list[Series], settings: CtReadSettings, notes: list[str]) -> Series:
    long = [series for series in found if len(series.slices) >= settings.min_series_slices]
    candidates = long or found
    if len(candidates) > 1:
        raise _several(candidates)
    chosen = candidates[0]
    short = [series.description for series in found if series is not chosen]
    notes.extend(f"left out: {description}, too short beside {chosen.description}" for description in short)
    return chosen


def _wanted(found: list[Series], wanted: str) -> Series:
    choice = CtChoice(series=wanted)
    matching = [s for s in found if choice.means(s.number, s.slices[0].series_uid)]
    if not matching:
        named = f"number {wanted}" if wanted.isdigit() else "whose UID begins like that"
        raise UnreadableInputError(
            f"no CT series {named}",
            f"one of {', '.join(series.description for series in found)}",
            "give the number of one of these, or its UID",
        )
    if len(matching) > 1:
        raise _several(matching)
    return matching[0]


def _several(candidates: list[Series]) -> UnreadableInputError:
    patients = len({header.patient_digest for series in candidates for header in series.slices})
    whose = f" of {patients} patients" if patients > 1 else ""
    names = Counter(series.description for series in candidates)
    listed = ", ".join(f"{count} times {name}" if count > 1 else name for name, count in sorted(names.items()))
    numbers = Counter(series.number for series in candidates)
    action = "give the folder of one series, or its series number (--series)"
    if max(numbers.values()) > 1 or None in numbers:
        listed_by_uid = "\n".join(apart_by_uid(candidates))
        action = f"give the folder of one series, or name it by its UID:\n{listed_by_uid}"
    return UnreadableInputError(f"{len(candidates)} CT series{whose}: {listed}", "one CT series of one patient", action)


def apart_by_uid(candidates: Sequence[Series]) -> tuple[str, ...]:
    """For each series a line with its UID and one with its folder and description, for a person to choose by.

    A folder, or a description, that bears a word of the patient's name or IDs is not shown.
    """
    folders = [series.slices[0].path.parent for series in candidates]
    common = Path(os.path.commonpath(folders))
    lines = []
    for series, folder in zip(candidates, folders, strict=True):
        words = words_of_file(series.slices[0].path)
        place = folder.relative_to(common)
        where = f" in {place}" if place.parts and _is_plain(str(place), words) else ""
        description = series.slices[0].description
        what = f", '{description}'" if description and _is_plain(description, words) else ""
        lines.append(f"    --series {series.slices[0].series_uid}\n        {series.description}{where}{what}")
    return tuple(lines)


def _is_plain(text: str, words: frozenset[str]) -> bool:
    return not any(word in text.casefold() for word in words)


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
