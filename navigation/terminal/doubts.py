"""Prints `NetworkDoubts.to_json` as a table and warnings: how reliable the network's result is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

AGREES = {"bone": "bone above 200 HU", "lung": "air below -500 HU"}


def render_doubts(doubts: Mapping[str, Any], console: Console) -> None:
    """Prints the network's confidence in each structure, its agreement with HU thresholds, and what needs review."""
    table = Table("network", "mean probability", "unsure share", "Dice with plain HU", box=SIMPLE_HEAD)
    for name, doubt in doubts["structures"].items():
        dice = doubt["dice_with_hu"]
        table.add_row(
            escape(name),
            f"{doubt['mean_probability']:.2f}",
            f"{doubt['unsure_share']:.0%}",
            "-" if dice is None else f"{dice:.2f} ({AGREES[name]})",
        )
    console.print(table)
    for warning in doubts["warnings"]:
        console.print(f"[yellow bold]look[/] [yellow]{escape(warning)}[/]", highlight=False)
    for name, doubt in doubts["structures"].items():
        for warning in doubt["warnings"]:
            console.print(f"[yellow bold]look[/] [yellow]{escape(name)}: {escape(warning)}[/]", highlight=False)
