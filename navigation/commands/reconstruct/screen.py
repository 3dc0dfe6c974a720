"""What commands print about a reconstruction and a case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from case.case import Case
from navigation.terminal.doubts import render_doubts
from navigation.terminal.how_sure import render_how_sure
from navigation.terminal.vertebrae import render_vertebrae
from reconstruction.pipeline import Reconstruction
from reconstruction.surfaces.extract import ExtractedSurface

REGIONS_SHOWN = 5
SIMPLIFIED = "simplified by (95 %, at most)"


def render_reconstruction(made: Reconstruction, case_path: Path, console: Console) -> None:
    """The verdict, the surfaces with their volumes, and what to do next."""
    scan, segmentation = made.scan, made.segmentation
    colour = "green" if scan.verdict.level == "good" else "yellow"
    console.print(f"{escape(scan.source)}: quality [{colour}]{scan.verdict.level}[/]")
    for reason in (*scan.verdict.reasons, *scan.verdict.notes):
        console.print(f"  - {escape(reason)}")
    if segmentation.seen_in_training:
        console.print("[yellow]The network saw this scan in training: its result says nothing about other patients.[/]")
    table = Table("structure", "ml", "triangles", SIMPLIFIED, "watertight", "cut off by the scan at")
    for name, extracted in made.surfaces.items():
        table.add_row(
            name,
            f"{extracted.surface.volume_ml:.1f}",
            f"{len(extracted.surface.triangles):,}",
            simplified_by(extracted),
            "yes" if extracted.watertight else f"[red]no[/]: {escape(extracted.not_watertight_reason)}",
            ", ".join(extracted.open_at_border) or "-",
        )
    for name, reason in made.absent.items():
        table.add_row(name, "-", "-", "-", f"absent: {escape(reason)}", "-")
    console.print(table)
    if made.spine is not None:
        render_vertebrae(made.spine.found.to_json(), console)
    render_limits_missed(made.surfaces, console)
    render_doubts(made.doubts.to_json(), console)
    if made.uncertainty is not None:
        render_how_sure(made.uncertainty.to_json(), console, most=REGIONS_SHOWN)
    render_seconds(made.seconds, console)
    console.print(f"network on {segmentation.engine}", highlight=False)
    console.print(f"All structures are suggestions: 'surgnav review {escape(str(case_path))}' shows and decides.")


def render_seconds(seconds: Mapping[str, float], console: Console) -> None:
    """How long each stage took, and its share of the whole."""
    total = sum(seconds.values())
    table = Table("stage", "s", "share", box=None)
    for stage, value in [*seconds.items(), ("all", total)]:
        table.add_row(stage, f"{value:.1f}", f"{value / max(total, 1e-9):.0%}")
    console.print(table)


def simplified_by(extracted: ExtractedSurface) -> str:
    """How far simplifying moved the surface: 95 % of it, and at the most."""
    if extracted.simplification is None:
        return "-"
    distance = extracted.simplification.distance
    return f"{distance.p95_mm:.2g}, {distance.max_mm:.2g} mm"


def render_limits_missed(surfaces: Mapping[str, ExtractedSurface], console: Console) -> None:
    """Which surfaces have more triangles than were asked for, and why."""
    for name, extracted in surfaces.items():
        done = extracted.simplification
        if done is not None and done.note:
            console.print(f"  - [yellow]{escape(name)}: {done.triangles_after:,} triangles, {escape(done.note)}[/]")


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
            decision.time[:16].replace("T", " ") if decision else "-",
            f"{details['volume_ml']:.1f}",
            f"{details['triangles']:,}",
        )
    console.print(table)
    for structure in case.structures():
        decision = decided.get(structure)
        if case.state(structure) in ("approved", "edited") and decision is not None and not decision.looked_at:
            said = "without a look at its pictures" if decision.looked_at is False else "before looks were recorded"
            console.print(f"[yellow]{escape(structure)}: {decision.state} {said}[/]", highlight=False)
    for artefact, problem in (case.stale() | case.verify()).items():
        console.print(f"[red]{escape(artefact)}[/]: {escape(problem)}")


def name_on_screen(name: str, given_name: str) -> str:
    """The name that commands take, and what somebody called the structure where ASCII does not have it."""
    return name if given_name.isascii() else f"{name} {given_name}"
