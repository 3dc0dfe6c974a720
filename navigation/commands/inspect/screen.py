"""What ``surgnav inspect`` prints: every series with its verdict and the reasons, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reconstruction.ct.inspection import SeriesReport

COLOURS = {"good": "green", "usable": "yellow", "refused": "red"}


def render_inspection(reports: Sequence[SeriesReport], console: Console) -> None:
    """A table of every series; below it, reasons and notes of each CT."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("series", "kind", "images", "matrix", "voxel mm", "thick mm", "kernel", "verdict"):
        table.add_column(column, no_wrap=True)
    for report in reports:
        table.add_row(*_row(report))
    console.print(table)
    for report in reports:
        if report.kind == "ct":
            colour = COLOURS[report.verdict.level]
            console.print(f"{_name(report)}: [{colour}]{report.verdict.level}[/] by {report.judged_by}")
            if report.apart:
                console.print(escape(report.apart), highlight=False)
            for finding in (*report.verdict.reasons, *report.verdict.notes):
                console.print(f"  - {escape(finding)}", highlight=False)
    console.print(_next_step(reports), highlight=False)


def _row(report: SeriesReport) -> tuple[str, ...]:
    shape, spacing = report.shape_ijk, report.spacing_mm
    kind = report.modality if report.kind == "other" else report.kind
    return (
        "-" if report.number is None else str(report.number),
        escape(kind or "unknown"),
        str(report.images),
        "-" if shape is None else f"{shape[0]}x{shape[1]}x{shape[2]}",
        "-" if spacing is None else "x".join(f"{value:.3g}" for value in spacing),
        "-" if report.thickness_mm is None else f"{report.thickness_mm:g}",
        escape(report.kernel or "-"),
        f"[{COLOURS[report.verdict.level]}]{report.verdict.level}[/]",
    )


def _name(report: SeriesReport) -> str:
    if report.format != "dicom":
        return "file"
    return "series without a number" if report.number is None else f"series {report.number}"


def _next_step(reports: Sequence[SeriesReport]) -> str:
    if any(report.read_by_default for report in reports if report.verdict.level != "refused"):
        return "'surgnav reconstruct' reads this path as it is."
    usable = [report for report in reports if report.verdict.level != "refused"]
    numbers = [report.number for report in reports]
    for report in usable:
        if report.number is not None and numbers.count(report.number) == 1:
            return f"Name one of these to 'surgnav reconstruct', such as --series {report.number}."
    if any(report.apart for report in usable):
        return "Name one of these to 'surgnav reconstruct' by its UID (--series)."
    if usable:
        return "Give 'surgnav reconstruct' one of these by itself: its file, or a folder of its own."
    return "No series here that can be meshed truthfully."
