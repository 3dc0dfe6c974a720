"""The command ``surgnav inspect`` and its options."""

from __future__ import annotations

import typer

from navigation.commands import options
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import reporting


def inspect_command(path: options.CtPath, json_file: options.JsonFile = None) -> None:
    """Lists every series: good, usable or refused, and why. Exit code 0; 3 if all are refused; 1 if unreadable."""
    with reporting(json_file=json_file) as (console, _):
        from navigation.commands.inspect.screen import render_inspection
        from reconstruction.ct.inspection import inspect, to_json

        reports = inspect(path)
        render_inspection(reports, console)
        if json_file is not None:
            write_json_file(json_file, to_json(reports))
    if all(report.verdict.level == "refused" for report in reports):
        raise typer.Exit(3)
