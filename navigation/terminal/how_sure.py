"""Prints `Uncertainty.to_json`: how sure the network is of each structure, and where a person should look first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDE = 120  # columns; in fewer, a sentence in the last one would be broken into single words


def render_how_sure(sure: Mapping[str, Any], console: Console, most: int) -> None:
    """Prints expected Dice by structure, and at most so many regions to review, worst first."""
    for name, confidence in sure["structures"].items():
        console.print(
            f"{escape(name)}: expected Dice {confidence['expected_dice']:.2f} "
            f"({confidence['lowest_dice']:.2f} to {confidence['highest_dice']:.2f})",
            highlight=False,
        )
    if not sure["calibration_measured_on"]:
        console.print("[yellow]These weights were never calibrated: the numbers are the network's own.[/]")
    for finding in sure["findings"]:
        where = ", ".join(f"{value:.0f}" for value in finding["centre_mm"])
        console.print(
            f"[yellow bold]look[/] [yellow]{escape(finding['what'])}; {finding['volume_ml']:.0f} ml at {where}[/]",
            highlight=False,
        )
    regions = sure["regions"]
    if not regions:
        return
    shown, wide = regions[:most], console.width >= WIDE
    table = Table("look at", "L, P, S in mm (ct)", "slice", "called", "may be", "ml", "wrong, ml", box=SIMPLE_HEAD)
    if wide:
        table.add_column("why")
    for number, region in enumerate(shown, start=1):
        table.add_row(
            str(number),
            ", ".join(f"{value:.0f}" for value in region["centre_mm"]),
            str(region["slice_number"]),
            escape(region["given"]),
            escape(region["instead"]),
            f"{region['volume_ml']:.1f}",
            f"{region['expected_wrong_ml']:.1f}",
            *([escape(region["why"])] if wide else []),
        )
    console.print(table)
    rest = len(regions) - len(shown)
    if rest:
        console.print(f"{rest} more regions to review stand in the case, in quality/uncertainty.json.")
