"""Prints the doctor's report."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from navigation.commands.doctor.report import DoctorReport, Status

_MARKS = {Status.OK: "[green]ok[/]", Status.WARN: "[yellow]warn[/]", Status.FAIL: "[bold red]fail[/]"}


def render(report: DoctorReport, console: Console) -> None:
    """Prints the findings as a table by group, the action below each that is not ok, and one closing line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for index, (group, findings) in enumerate(groupby(report.findings, key=lambda finding: finding.group)):
        table.add_row(f"[dim]{group}[/]" if index == 0 else f"\n[dim]{group}[/]", "", "")
        for finding in findings:
            table.add_row(escape(finding.name), _MARKS[finding.status], escape(finding.found))
            if finding.action:
                table.add_row("", "", f"[italic]-> {escape(finding.action)}[/]")
    console.print(table)
    console.print(f"\n{_verdict(report)}")


def _verdict(report: DoctorReport) -> str:
    counts = {status: sum(finding.status is status for finding in report.findings) for status in Status}
    match report.status:
        case Status.OK:
            return "[green]This machine has what SurgNav needs.[/]"
        case Status.WARN:
            return f"[yellow]SurgNav runs here, with {counts[Status.WARN]} limitation(s), see above.[/]"
        case Status.FAIL:
            return f"[bold red]{counts[Status.FAIL]} thing(s) keep SurgNav from running here, see above.[/]"
