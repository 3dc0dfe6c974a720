"""Prints `Vertebrae.to_json` as a table and findings: which vertebra is which, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

CANDIDATES_SHOWN = 3


def render_vertebrae(spine: Mapping[str, Any], console: Console) -> None:
    """Prints each vertebra with its number or the numbers it may have, and what a person must check."""
    if spine["vertebrae"]:
        table = Table("vertebra", "number", "confidence", "ml", "rests on", box=SIMPLE_HEAD)
        for vertebra in spine["vertebrae"]:
            likeliest = list(vertebra["candidates"].items())[:CANDIDATES_SHOWN]
            maybe = " or ".join(f"{level} {share:.0%}" for level, share in likeliest)
            table.add_row(
                escape(vertebra["name"]),
                vertebra["number"] or f"[yellow]not sure[/]: {maybe}",
                f"{vertebra['confidence']:.0%}",
                f"{vertebra['volume_ml']:.1f}",
                escape("; ".join(vertebra["reasons"])),
            )
        console.print(table)
    for finding in spine["findings"]:
        console.print(f"[yellow bold]look[/] [yellow]vertebrae: {escape(finding)}[/]", highlight=False)
