"""Frames of ultrasound with contours: what people drew, and what a network found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from case.colours import structure_colour
from navigation.pictures.colours import FAINT_INK, INK, PAPER
from navigation.pictures.figures import empty_figure


@dataclass(frozen=True, eq=False)
class ContourPanel:
    """One frame of the picture.

    Attributes:
        title: a few words above it.
        grey: ``(h, w)``, 0 to 255.
        drawn, found: ``(h, w)`` class index by people and by the network, 0 for background.
    """

    title: str
    grey: NDArray[Any]
    drawn: NDArray[np.integer]
    found: NDArray[np.integer]


def contour_picture(panels: Sequence[ContourPanel], names: Mapping[int, str], path: Path) -> Path:
    """Writes the frames side by side: what was found with solid lines, what was drawn with dotted ones.

    Args:
        names: class index to structure.
        path: path of the PNG; its folder must exist.

    Returns:
        `path`.
    """
    figure = empty_figure(2.4 * len(panels), 2.9, PAPER)
    for number, panel in enumerate(panels):
        axes = figure.add_axes((number / len(panels) + 0.005, 0.09, 1 / len(panels) - 0.01, 0.84))
        axes.imshow(panel.grey, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        axes.set_title(panel.title, size=9, color=INK, pad=4)
        axes.set_axis_off()
        for index, name in names.items():
            colour = structure_colour(name)
            for mask, width, style in ((panel.drawn, 1.1, ":"), (panel.found, 1.3, "-")):
                if (mask == index).any():
                    axes.contour(mask == index, levels=[0.5], colors=[colour], linewidths=width, linestyles=style)
    for number, name in enumerate(names.values()):
        colour = structure_colour(name)
        figure.text(0.01 + 0.09 * number, 0.035, name, size=10, weight="bold", color=colour, va="center")
    words = "solid: found by the network; dotted: drawn by people"
    figure.text(0.99, 0.035, words, size=9, color=FAINT_INK, va="center", ha="right")
    figure.savefig(path, facecolor=PAPER, pil_kwargs={"optimize": True})
    return path
