"""The commands ``surgnav case show, verify, export`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navigation.terminal.reporting import reporting

case_app = typer.Typer(
    help="What a case holds, whether it is as it was made, and what leaves it for other programs.",
    no_args_is_help=True,
)
CaseFolder = Annotated[Path, typer.Argument(help="Case folder.")]


@case_app.command("show")
def case_show_command(case: CaseFolder) -> None:
    """Shows every file of the case: what made it, when, from what, and who decided on it."""
    with reporting(live=False, case=case) as (console, _):
        from navigation.commands.case.run import show

        show(case, console)


@case_app.command("verify")
def case_verify_command(case: CaseFolder) -> None:
    """Compares every file with its fingerprint and its inputs; fails, and names those not as they were made."""
    with reporting(live=False, case=case) as (console, _):
        from navigation.commands.case.run import verify

        verify(case, console)


@case_app.command("export")
def case_export_command(
    case: CaseFolder,
    out: Annotated[Path, typer.Option(help="Folder for the files; must not exist yet.")],
    slicer: Annotated[bool, typer.Option("--slicer", help="Files for 3D Slicer instead of DICOM.")] = False,
    label_map: Annotated[
        bool, typer.Option("--label-map", help="Segmentations as label maps, which few archives know yet.")
    ] = False,
    suggested: Annotated[
        bool, typer.Option("--suggested", help="Also structures that nobody has decided on, marked as such.")
    ] = False,
) -> None:
    """Writes what a person approved as DICOM for an archive (segmentations, surfaces, a report), or for 3D Slicer."""
    with reporting(live=False, case=case) as (console, _):
        from navigation.commands.case.run import export_dicom, export_for_slicer

        if slicer:
            export_for_slicer(case, out, suggested, console)
        else:
            export_dicom(case, out, "LABELMAP" if label_map else "BINARY", suggested, console)
