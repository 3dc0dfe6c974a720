"""Charts of a registration and of its pose stream: residuals, expected and true target errors, latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from navigation.pictures.colours import EXPECTED, FAINT_INK, INK, LANDMARK, PAPER, TIP, TRUE
from navigation.pictures.figures import empty_figure

Floats = NDArray[Any]

_GRID = {"color": "#d9dee4", "linewidth": 0.8}


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualPictureData:
    """What the picture shows; a part without data is marked as not measured.

    Attributes:
        stages_rms_mm: stage -> RMS residual, in the order of the procedure.
        landmarks_mm: landmark -> residual of the landmark registration.
        surface_mm: signed distances of the swept points to the surface after the refinement, ``(n,)``.
        expected_tre_mm: target -> expected TRE.
        true_tre_mm: target -> true TRE, where a simulation knows it.
        expected_label: which expectation, such as ``expected, 95 %``.
        latency_ms: time from the sensor's stamp to the client, ``(n,)``.
        tre_limit_mm: limit of the TRE, drawn as a line; None for no line.
    """

    stages_rms_mm: Mapping[str, float] = field(default_factory=dict)
    landmarks_mm: Mapping[str, float] = field(default_factory=dict)
    surface_mm: Floats = field(default_factory=lambda: np.empty(0))
    expected_tre_mm: Mapping[str, float] = field(default_factory=dict)
    true_tre_mm: Mapping[str, float] = field(default_factory=dict)
    expected_label: str = "expected, 95 %"
    latency_ms: Floats = field(default_factory=lambda: np.empty(0))
    tre_limit_mm: float | None = None


def residual_picture(data: ResidualPictureData, path: Path, *, title: str) -> Path:
    """Writes a PNG of 1600 x 1000 px: residuals by stage, by landmark and of the surface, TRE at targets, and latency.

    Args:
        data: what to show.
        path: path of the PNG; its folder must exist.
        title: the first line.

    Returns:
        `path`.
    """
    figure = empty_figure(16.0, 10.0, PAPER)
    figure.text(0.02, 0.96, title, size=20, weight="bold", color=INK, va="center")
    grid = figure.add_gridspec(2, 6, left=0.115, right=0.975, top=0.85, bottom=0.075, hspace=0.5, wspace=1.7)
    _bars(figure.add_subplot(grid[0, :2]), "What each stage left over", data.stages_rms_mm, "RMS, mm", EXPECTED)
    _bars(figure.add_subplot(grid[0, 2:4]), "Residual at the landmarks", data.landmarks_mm, "mm", LANDMARK)
    _surface_histogram(figure.add_subplot(grid[0, 4:]), np.asarray(data.surface_mm, dtype=float))
    _tre_bars(figure.add_subplot(grid[1, :3]), data)
    _latency_histogram(figure.add_subplot(grid[1, 3:]), np.asarray(data.latency_ms, dtype=float))
    figure.savefig(path, facecolor=PAPER)
    return path


def _prepare(axes: Any, title: str, label: str, empty: bool) -> bool:
    """Writes the title and simplifies the axes; returns False if there is nothing to draw."""
    axes.set_title(title, size=15, weight="bold", color=INK, loc="left", pad=30)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT_INK)
    axes.tick_params(labelsize=12, colors=INK, length=0)
    axes.set_axisbelow(True)
    if empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=FAINT_INK, size=13)
        axes.set_xticks([])
        axes.set_yticks([])
        return False
    axes.set_xlabel(label, size=12, color=INK)
    return True


def _subtitle(axes: Any, parts: list[tuple[str, str]]) -> None:
    """Writes one line below the title, each part in its own colour, as the legend."""
    with from_extra("pictures"):
        from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

    words = [TextArea(text, textprops={"color": colour, "size": 12, "weight": "bold"}) for text, colour in parts]
    line = HPacker(children=words, pad=0, sep=16)
    box = AnchoredOffsetbox(
        loc="lower left",
        child=line,
        pad=0.0,
        borderpad=0.0,
        frameon=False,
        bbox_to_anchor=(0.0, 1.02),
        bbox_transform=axes.transAxes,
    )
    axes.add_artist(box)


def _plain_ticks(axis: Any) -> None:
    """Labels a logarithmic axis with 1, 2, 5, ... in plain digits."""
    with from_extra("pictures"):
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(base=10.0, subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _names(values: Mapping[str, float]) -> list[str]:
    return [name.replace("_", " ") for name in values]


def _bars(axes: Any, title: str, values: Mapping[str, float], label: str, colour: str) -> None:
    if not _prepare(axes, title, label, not values):
        return
    rows, sizes = np.arange(len(values)), np.array(list(values.values()), dtype=float)
    axes.barh(rows, sizes, height=0.62, color=colour)
    for row, size in zip(rows, sizes, strict=True):
        axes.text(size, row, f"  {size:.2f}", va="center", size=12, color=INK)
    axes.set_yticks(rows, _names(values))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0.0, float(sizes.max()) * 1.22 + 1e-6)
    axes.grid(axis="x", **_GRID)


def _surface_histogram(axes: Any, distances_mm: Floats) -> None:
    if not _prepare(axes, "Swept points to the surface", "mm", not distances_mm.size):
        return
    size = np.abs(distances_mm)
    reach = max(float(np.percentile(size, 99.5)), 1e-3)
    low = -reach if distances_mm.min() < 0.0 else 0.0
    axes.hist(np.clip(distances_mm, low, reach), bins=48, range=(low, reach), color=TIP)
    rms, p95 = float(np.sqrt(np.mean(size**2))), float(np.percentile(size, 95))
    _subtitle(axes, [(f"RMS {rms:.2f} mm", FAINT_INK), (f"95 % within {p95:.2f} mm", FAINT_INK)])
    axes.set_ylabel(f"of {size.size:,} points", size=12, color=INK)
    axes.grid(axis="y", **_GRID)


def _tre_bars(axes: Any, data: ResidualPictureData) -> None:
    names = list(dict.fromkeys([*data.expected_tre_mm, *data.true_tre_mm]))
    if not _prepare(axes, "Error at the targets (TRE)", "mm", not names):
        return
    rows = np.arange(len(names))
    series = ((data.expected_tre_mm, data.expected_label, EXPECTED, -0.19), (data.true_tre_mm, "true", TRUE, 0.19))
    largest = data.tre_limit_mm or 0.0
    for values, _, colour, shift in series:
        known = [(row, values[name]) for row, name in zip(rows, names, strict=True) if name in values]
        if not known:
            continue
        places, sizes = (np.array(part, dtype=float) for part in zip(*known, strict=True))
        axes.barh(places + shift, sizes, height=0.34, color=colour)
        for place, size in zip(places, sizes, strict=True):
            axes.text(size, place + shift, f"  {size:.2f}", va="center", size=12, color=INK)
        largest = max(largest, float(sizes.max()))
    parts = [(label, colour) for values, label, colour, _ in series if values]
    if data.tre_limit_mm:
        axes.axvline(data.tre_limit_mm, color=FAINT_INK, linestyle=(0, (5, 4)), linewidth=1.6)
        parts.append((f"limit {data.tre_limit_mm:g} mm", FAINT_INK))
    _subtitle(axes, parts)
    axes.set_yticks(rows, [name.replace("_", " ") for name in names])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0.0, largest * 1.18 + 1e-6)
    axes.grid(axis="x", **_GRID)


def _latency_histogram(axes: Any, latency_ms: Floats) -> None:
    if not _prepare(axes, "Latency, sensor to client", "ms (logarithmic)", not latency_ms.size):
        return
    shown = np.maximum(latency_ms, 1e-3)
    edges = np.geomspace(shown.min() * 0.95, shown.max() * 1.05, 64)
    axes.hist(shown, bins=edges, color="#56b4e9")
    axes.set_xscale("log")
    axes.set_yscale("log")
    parts = [(f"{latency_ms.size:,} poses", FAINT_INK)]
    for share, name, colour in ((50.0, "p50", EXPECTED), (99.0, "p99", TRUE), (99.9, "p99.9", "#8a2a00")):
        value = float(np.percentile(latency_ms, share))
        axes.axvline(value, color=colour, linewidth=2.2, linestyle=(0, (6, 3)))
        parts.append((f"{name} {value:.2f} ms", colour))
    _subtitle(axes, parts)
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    axes.set_ylabel("poses", size=12, color=INK)
    axes.grid(axis="y", **_GRID)
