"""Separates several acquisitions, phases or kernels in one series by what their headers differ in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reconstruction.ct.dicom.headers import SliceHeader
from reconstruction.ct.dicom.series import Series
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.quality import CtReadSettings, counted
from reconstruction.ct.slice_geometry import SeriesGrid, fit_grid

MOST = 50  # parts; more are slices, not acquisitions
KEYS: tuple[tuple[str, Callable[[SliceHeader], object]], ...] = (
    ("acquisition number", lambda header: header.acquisition),
    ("temporal position", lambda header: header.temporal_position),
    ("kernel", lambda header: header.kernel),
    ("image type", lambda header: header.image_type or None),
    ("acquisition time", lambda header: header.acquisition_time),
)


@dataclass(frozen=True)
class Acquisitions:
    """The parts of a series, by the name that ``--acquisition`` takes; `told_by`: what their headers differ in."""

    told_by: str
    parts: Mapping[str, Series]

    @property
    def offer(self) -> str:
        """Lists the parts to choose from, in words."""
        listed = ", ".join(f"{name} ({counted(len(part.slices), 'slice')})" for name, part in self.parts.items())
        return f"--acquisition with one of {listed}, told apart by {self.told_by}"


def find_acquisitions(series: Series, settings: CtReadSettings) -> Acquisitions | None:
    """Splits a series into parts that are each a regular grid; None where no header field separates such parts.

    Parts are named by their acquisition numbers; parts that differ in another field are numbered in its order.
    """
    for told_by, key in KEYS:
        groups: dict[object, list[SliceHeader]] = defaultdict(list)
        for header in series.slices:
            groups[key(header)].append(header)
        if None in groups or not 2 <= len(groups) <= MOST:
            continue
        parts = [replace(series, slices=tuple(groups[value])) for value in sorted(groups, key=_in_order)]
        if all(_is_regular(part, settings) for part in parts):
            numbered = told_by == KEYS[0][0]
            names = [str(key(part.slices[0])) if numbered else str(n) for n, part in enumerate(parts, start=1)]
            return Acquisitions(told_by, dict(zip(names, parts, strict=True)))
    return None


def chosen_acquisition(series: Series, name: str, settings: CtReadSettings) -> Series:
    """Returns the named part of a series; its notes name the choice.

    Raises:
        UnreadableInputError: the series has no such parts, or none of this name.
    """
    found = find_acquisitions(series, settings)
    if found is None:
        raise UnreadableInputError(
            f"{series.description}, in which nothing tells acquisitions apart", "one series", "leave --acquisition out"
        )
    if name not in found.parts:
        raise UnreadableInputError(f"no acquisition {name} in {series.description}", found.offer, "name one of these")
    note = f"of {len(found.parts)} acquisitions in the series, {name} by {found.told_by}, as asked"
    return replace(found.parts[name], notes=(*series.notes, note))


def _in_order(value: object) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def _is_regular(part: Series, settings: CtReadSettings) -> bool:
    planes = [header.plane for header in part.slices if header.plane is not None]
    if len(planes) < max(len(part.slices), settings.min_slices):
        return False
    return isinstance(fit_grid(planes, settings), SeriesGrid)
