"""``surgnav train --from``: tunes a network on a site's scans, and says whether that made it better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from navigation.terminal.reporting import reporting

if TYPE_CHECKING:
    from rich.console import Console

    from reconstruction.training.tuning.tune import TuningResult


def tune_and_show(parent: Path, scans: Path, out: Path, iterations: int | None) -> None:
    """Tunes, prints Dice before and after, and ends with exit code 1 where the old network is kept."""
    from reconstruction.training.tuning.settings import TuningSettings
    from reconstruction.training.tuning.tune import run_tuning

    settings = TuningSettings()
    if iterations is not None:
        settings = replace(settings, iterations=iterations)
    with reporting() as (console, progress):
        result = run_tuning(parent, scans, out, settings, progress)
        show_tuning(result, out, console)
    if not result.better:
        raise typer.Exit(1)


def show_tuning(result: TuningResult, out: Path, console: Console) -> None:
    """Dice of each structure on the scans that nothing was learnt from, and of what the network knew before."""
    held_out = [name for name, part in result.scans.items() if part == "judge"]
    table = Table("structure", "before", "after", title=f"Dice on {', '.join(map(escape, held_out))}, held out")
    for name, value in result.before.items():
        table.add_row(escape(name), f"{value:.3f}", f"{result.after[name]:.3f}")
    console.print(table)
    old = ", ".join(f"{name} {value:.3f} to {result.old_after[name]:.3f}" for name, value in result.old_before.items())
    console.print(f"what it knew before, on a phantom: {old}", highlight=False, markup=False)
    for name in result.unknown:
        console.print(f"left out, for the network has no class for it: {name}", highlight=False, markup=False)
    for name in result.seen:
        console.print(f"{name} was in the old network's own training: no test", style="yellow", markup=False)
    if result.better:
        console.print(f"better: {result.reason}. Written: {out / result.weights}", highlight=False, markup=False)
    else:
        console.print(f"not better: {result.reason}. {result.parent} is kept", style="yellow", markup=False)
