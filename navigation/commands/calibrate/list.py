"""``surgnav calibrate list``: what a rack holds, what of it is in force, and how old that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from navigation.commands import options
from navigation.terminal.reporting import reporting

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console


def list_command(
    rack: Annotated[Path, typer.Argument(help="Rack, or the room file that names it.")],
    subject: Annotated[str | None, typer.Option(help="Of this tool or device only.")] = None,
    in_force: Annotated[bool, typer.Option("--in-force", help="Only what is in force.")] = False,
    json_file: options.JsonFile = None,
) -> None:
    """The calibrations in a rack: the newest accepted of each kind is in force. Exit code 0; 1 on errors."""
    with reporting(live=False, json_file=json_file) as (console, _):
        from datetime import datetime

        from navigation.commands.calibrate.source import rack_at

        list_rack(rack_at(rack), subject, in_force, datetime.now().astimezone(), console, json_file)


def list_rack(
    rack: Path, subject: str | None, only_in_force: bool, now: datetime, console: Console, json_file: Path | None
) -> None:
    """Prints the results of a rack, from the oldest on.

    Raises:
        SurgNavError: no rack, or a damaged result in it.
    """
    from rich.markup import escape
    from rich.table import Table

    from calibration.rack import age, results
    from navigation.terminal.json_files import write_json_file

    every = results(rack, subject)
    newest = {(result.subject, result.kind): path for path, result in every if result.is_accepted}
    table = Table("subject", "kind", "made", "age", "expected error", "used", "left out", "")
    listed = []
    for path, result in every:
        is_in_force = newest.get((result.subject, result.kind)) == path
        if only_in_force and not is_in_force:
            continue
        error = result.expected_error
        table.add_row(
            result.subject,
            result.kind,
            result.made,
            age(result.made_at, now),
            "-" if error is None else escape(f"{error.value:.3g} {error.unit} at {error.at}"),
            str(result.n_used),
            str(result.n_rejected),
            "[green]in force[/]" if is_in_force else escape(result.verdict),
        )
        listed.append({"path": str(path.relative_to(rack)), "in_force": is_in_force, "made": result.made})
    console.print(table if listed else "nothing yet", highlight=False)
    if json_file is not None:
        write_json_file(json_file, {"results": listed})
