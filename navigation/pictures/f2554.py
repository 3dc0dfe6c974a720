"""A picture of the tests of ASTM F2554: touches of a single point, the tip of a turned tool, errors of distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from calibration.accuracy.f2554 import AXES, F2554Measurement
from navigation.pictures.colours import EXPECTED, INK, LANDMARK, PAPER, TARGET, TIP
from navigation.pictures.figures import empty_figure

_AXIS_COLOURS = dict(zip(AXES, (EXPECTED, TIP, LANDMARK), strict=True))


def f2554_picture(found: F2554Measurement, path: Path) -> Path:
    """Writes a PNG of 1500 x 520 px.

    Args:
        path: path of the PNG; its folder must exist.
    """
    figure = empty_figure(15.0, 5.2, PAPER)
    record = found.record
    figure.text(0.04, 0.94, f"{record.subject} on {record.block}", size=15, weight="bold", color=INK, va="center")
    _draw_touches(figure.add_axes((0.05, 0.14, 0.25, 0.68)), found)
    _draw_turns(figure.add_axes((0.37, 0.14, 0.26, 0.68)), found)
    _draw_distances(figure.add_axes((0.70, 0.14, 0.28, 0.68)), found)
    figure.savefig(path, facecolor=PAPER)
    return path


def _draw_touches(axes: Any, found: F2554Measurement) -> None:
    x, y, z = found.touches_mm.T
    axes.plot(x, y, "o", color=EXPECTED, label="x, y")
    axes.plot(x, z, "^", color=LANDMARK, label="x, z", markerfacecolor="none")
    radius = found.record.single.p95_mm
    around = np.linspace(0.0, 2.0 * np.pi, 100)
    axes.plot(radius * np.cos(around), radius * np.sin(around), "--", color=TARGET, label=f"95 %: {radius:.2f} mm")
    axes.set_aspect("equal", adjustable="datalim")
    _label(axes, f"single point, {len(x)} touches", "mm from the mean", "mm from the mean")


def _draw_turns(axes: Any, found: F2554Measurement) -> None:
    off_mm = np.linalg.norm(found.turned.tips_mm, axis=1)
    for number, (name, colour) in enumerate(_AXIS_COLOURS.items()):
        chosen = found.turned.axis == number
        axes.plot(found.turned.turns_deg[chosen, number], off_mm[chosen], ".", color=colour, label=name)
    axes.axhline(found.record.limit_mm, linestyle="--", color=TARGET, label="limit")
    axes.set_ylim(bottom=0.0)
    _label(axes, "turned in the single point", "turned by, degrees", "mm from the single point")


def _draw_distances(axes: Any, found: F2554Measurement) -> None:
    limit = found.record.limit_mm
    axes.plot(found.known_mm, found.off_mm, "o", color=EXPECTED, label="measured − known")
    axes.axhline(found.record.distances.bias_mm, color=TIP, label=f"bias {found.record.distances.bias_mm:+.2f} mm")
    for side in (-limit, limit):
        axes.axhline(side, linestyle="--", color=TARGET, label="limit" if side > 0.0 else None)
    _label(axes, f"{len(found.off_mm)} distances", "known distance, mm", "error, mm")


def _label(axes: Any, title: str, across: str, up: str) -> None:
    axes.set_title(title, color=INK, loc="left")
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.grid(color="#d9dee4", linewidth=0.8)
    axes.legend(frameon=False, fontsize=9)
