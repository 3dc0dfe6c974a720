"""A chart of a tool's accuracy from day to day, with its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from navigation.pictures.colours import EXPECTED, FAINT_INK, INK, LANDMARK, PAPER, TARGET, TIP
from navigation.pictures.figures import empty_figure


def accuracy_picture(
    days: Sequence[datetime],
    lines_mm: Mapping[str, Sequence[float]],
    expected_mm: Sequence[float],
    limits_mm: Sequence[float],
    path: Path,
    *,
    title: str,
) -> Path:
    """Writes a PNG of 1200 x 600 px.

    Args:
        days: when each check was made.
        lines_mm: what is drawn -> a value for each day, in mm.
        expected_mm, limits_mm: what the calibration promised, and the limit, for each day.
        path: path of the PNG; its folder must exist.
        title: the first line.
    """
    figure = empty_figure(12.0, 6.0, PAPER)
    figure.text(0.05, 0.94, title, size=16, weight="bold", color=INK, va="center")
    axes = figure.add_axes((0.07, 0.16, 0.9, 0.7))
    for (name, values), colour in zip(lines_mm.items(), (EXPECTED, TIP, LANDMARK), strict=False):
        axes.plot(days, values, marker="o", color=colour, label=name)
    axes.plot(days, expected_mm, linestyle=":", marker=".", color=FAINT_INK, label="expected distance error, RMS")
    axes.plot(days, limits_mm, linestyle="--", marker="_", color=TARGET, label="limit")
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("mm", color=INK)
    axes.grid(color="#d9dee4", linewidth=0.8)
    axes.legend(frameon=False, ncols=5, loc="lower left", bbox_to_anchor=(0.0, 1.0))  # above: no line runs through it
    figure.autofmt_xdate(rotation=20)
    figure.savefig(path, facecolor=PAPER)
    return path
