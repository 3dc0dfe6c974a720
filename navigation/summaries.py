"""What commands print about a reconstruction and a case."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reconstruction.case import Case
from reconstruction.pipeline import Reconstruction


def render_reconstruction(made: Reconstruction, case_path: Path, console: Console) -> None:
    """The verdict, the surfaces with their volumes, and what to do next."""
    scan, segmentation = made.scan, made.segmentation
    colour = "green" if scan.verdict.level == "good" else "yellow"
    console.print(f"{escape(scan.source)}: quality [{colour}]{scan.verdict.level}[/]")
    for reason in (*scan.verdict.reasons, *scan.verdict.notes):
        console.print(f"  - {escape(reason)}")
    if segmentation.seen_in_training:
        console.print("[yellow]The network saw this scan in training: its result says nothing about other patients.[/]")
    table = Table("structure", "ml", "triangles", "simplified by (95 %)", "watertight", "cut off by the scan at")
    for name, extracted in made.surfaces.items():
        simplification = extracted.simplification
        table.add_row(
            name,
            f"{extracted.surface.volume_ml:.1f}",
            f"{len(extracted.surface.triangles):,}",
            "-" if simplification is None else f"{simplification.distance.p95_mm:.2f} mm",
            "yes" if extracted.watertight else f"[red]no[/]: {escape(extracted.not_watertight_reason)}",
            ", ".join(extracted.open_at_border) or "-",
        )
    for name, reason in made.absent.items():
        table.add_row(name, "-", "-", "-", f"absent: {escape(reason)}", "-")
    console.print(table)
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in made.seconds.items())
    console.print(f"{seconds} s; network on {segmentation.engine}")
    console.print(f"All structures are suggestions: 'surgnav review {case_path}' shows and decides.")


def render_case(case: Case, console: Console) -> None:
    """Each structure with its state and who decided, and what is stale or altered."""
    table = Table("structure", "state", "decided by", "on", "ml", "triangles", title=escape(case.name))
    decided = {decision.structure: decision for decision in case.decisions}
    for structure in case.structures():
        state = case.state(structure)
        decision = decided.get(structure) if state != "suggested" else None
        details = case.artefact(f"surfaces/{structure}.glb").details
        table.add_row(
            escape(name_on_screen(structure, details.get("given_name", ""))),
            state,
            escape(decision.person) if decision else "-",
            decision.time if decision else "-",
            f"{details['volume_ml']:.1f}",
            f"{details['triangles']:,}",
        )
    console.print(table)
    for artefact, problem in (case.stale() | case.verify()).items():
        console.print(f"[red]{escape(artefact)}[/]: {escape(problem)}")


def name_on_screen(name: str, given_name: str) -> str:
    """The name that commands take, and what somebody called the structure where ASCII does not have it."""
    return name if given_name.isascii() else f"{name} {given_name}"
