"""What ``surgnav ultrasound run`` prints at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from navigation.ultrasound.record import FILE


def print_summary(numbers: dict[str, Any], folder: Path, console: Console) -> None:
    """The numbers of `navigation.ultrasound.summary.Summary`, and where the files are."""
    table = Table(box=SIMPLE_HEAD, show_header=False, padding=(0, 1, 0, 0))
    table.add_row("frames handled", str(numbers["frames"]))
    if "passed_over" in numbers:
        table.add_row("overtaken by newer ones", str(numbers["passed_over"]))
        table.add_row("frames a second", str(numbers.get("frames_a_second")))
    table.add_row("states of the frames", _counts(numbers["states"]))
    table.add_row("frames with", _counts(numbers["frames_with"]))
    if "age_when_ready_ms" in numbers:
        table.add_row("age when contours were ready", _spread(numbers["age_when_ready_ms"]))
    if "shown" in numbers:
        table.add_row("states on the screen", _counts(numbers["shown"]))
        table.add_row("age of contours on the screen", _spread(numbers["age_of_shown_contours_ms"]))
        table.add_row("it ended because", numbers["ended"])
    if "frames_placed" in numbers:
        where = f"{numbers['frames_placed']}; {numbers['frames_not_placed']} could not be"
        table.add_row("frames placed beside the patient", where)
    if numbers.get("results_lost"):
        table.add_row("results that were not recorded", f"{numbers['results_lost']}: this machine was too slow")
    console.print(table, highlight=False, markup=False)
    console.print(f"written: {folder} ({FILE}, pictures, video)", highlight=False, markup=False)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _spread(spread: dict[str, float] | None) -> str:
    if spread is None:
        return "none was shown"
    return f"median {spread['p50']:.0f} ms, 99th percentile {spread['p99']:.0f} ms, longest {spread['max']:.0f} ms"
