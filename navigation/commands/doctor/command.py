"""The command ``surgnav doctor``."""

from __future__ import annotations

from navigation.commands import options
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import reporting


def doctor_command(json_file: options.JsonFile = None) -> None:
    """Says what this machine has and can do: versions, GPU, engines, ports, disk, clock, rendering."""
    with reporting(json_file=json_file) as (console, _):
        from navigation.commands.doctor.examination import examine
        from navigation.commands.doctor.screen import render

        report = examine()
        render(report, console)
        if json_file is not None:
            write_json_file(json_file, report.to_json())
