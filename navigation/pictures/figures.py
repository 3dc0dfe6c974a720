"""An empty matplotlib figure that is drawn without a screen."""

from __future__ import annotations

from typing import Any

from geometry.extras import from_extra


def empty_figure(width_in: float, height_in: float, colour: str) -> Any:
    """A figure at 100 pixels an inch, with a background in `colour` and an Agg canvas, which needs no screen."""
    with from_extra("pictures"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=100, facecolor=colour)
    FigureCanvasAgg(figure)
    return figure
