"""What ``surgnav reconstruct --labels`` prints: the CT's verdict, what was taken over, every structure's surface."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from navigation.commands.reconstruct.screen import (
    SIMPLIFIED,
    name_on_screen,
    render_limits_missed,
    render_seconds,
    simplified_by,
)
from reconstruction.pipeline import LabelReconstruction


def render_label_reconstruction(made: LabelReconstruction, case_path: Path, console: Console) -> None:
    """Verdict and warnings first, then the structures, then what to do next."""
    scan, labels = made.scan, made.labels
    colour = "green" if scan.verdict.level == "good" else "yellow"
    console.print(f"{escape(scan.source)}: quality [{colour}]{scan.verdict.level}[/]")
    for finding in (*scan.verdict.reasons, *scan.verdict.notes):
        console.print(f"  - {escape(finding)}")
    console.print(f"{escape(labels.format)}: {len(labels.structures)} structures")
    for warning in labels.warnings:
        console.print(f"  - [yellow]{escape(warning)}[/]")
    table = Table("structure", "label", "ml", "triangles", SIMPLIFIED, "watertight")
    for structure in labels.structures:
        shown = escape(name_on_screen(structure.name, structure.given_name))
        extracted = made.surfaces.get(structure.name)
        if extracted is None:
            table.add_row(shown, str(structure.value), "-", "-", "-", escape(made.absent[structure.name]))
            continue
        table.add_row(
            shown,
            str(structure.value),
            f"{extracted.surface.volume_ml:.1f}",
            f"{len(extracted.surface.triangles):,}",
            simplified_by(extracted),
            "yes" if extracted.watertight else f"[red]no[/]: {escape(extracted.not_watertight_reason)}",
        )
    console.print(table)
    render_limits_missed(made.surfaces, console)
    render_seconds(made.seconds, console)
    console.print(f"All structures are suggestions: 'surgnav review {escape(str(case_path))}' shows and decides.")
