"""A registration proposed from ultrasound: bone of the CT with the bone of the sweep, as it was and as proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geometry import Surface
from geometry.points import Floats
from navigation.pictures.colours import EXPECTED, FAINT_INK, INK, PAPER, TARGET
from navigation.pictures.figures import empty_figure

# Horizontal and vertical axis of ct (LPS), signs so that the patient is seen from behind, and from the left.
_VIEWS = (("from behind", (0, -1.0), (2, 1.0)), ("from the left", (1, 1.0), (2, 1.0)))
_MOST_VERTICES = 20_000


@dataclass(frozen=True, eq=False)
class RenewalPictureData:
    """What is drawn, in ct and mm.

    Attributes:
        surface: the bone.
        swept_before_ct, swept_after_ct: the points of the sweep by the pose so far and by the proposed one, ``(n, 3)``.
        targets_ct: planned targets.
        p95_mm: their expected 95 % errors.
    """

    surface: Surface
    swept_before_ct: Floats
    swept_after_ct: Floats
    targets_ct: Mapping[str, Floats] = field(default_factory=dict)
    p95_mm: Mapping[str, float] = field(default_factory=dict)


def renewal_picture(data: RenewalPictureData, path: Path, *, title: str) -> Path:
    """Writes a PNG: from behind and from the left, as it is in force (upper row) and as proposed (lower row)."""
    figure = empty_figure(12.0, 12.0, PAPER)
    figure.text(0.03, 0.97, title, size=15, weight="bold", color=INK, va="center")
    words = "grey: bone of the CT; blue: bone that ultrasound saw; ring: expected 95 % at a target"
    figure.text(0.03, 0.945, words, size=11, color=FAINT_INK, va="center")
    rows = (("so far", data.swept_before_ct), ("proposed", data.swept_after_ct))
    for row, (name, swept_ct) in enumerate(rows):
        for column, view in enumerate(_VIEWS):
            axes = figure.add_axes((0.03 + 0.485 * column, 0.5 - 0.46 * row, 0.46, 0.4))
            _draw(axes, data, swept_ct, view, f"{name}, {view[0]}")
    figure.savefig(path, facecolor=PAPER)
    return path


def _draw(axes: Any, data: RenewalPictureData, swept_ct: Floats, view: Any, title: str) -> None:
    _, (right, sign_right), (up, sign_up) = view
    vertices = data.surface.vertices_mm[:: max(1, len(data.surface.vertices_mm) // _MOST_VERTICES)]
    axes.plot(sign_right * vertices[:, right], sign_up * vertices[:, up], ".", ms=1, color="#c3cad1")
    axes.plot(sign_right * swept_ct[:, right], sign_up * swept_ct[:, up], ".", ms=2, color=EXPECTED)
    angle = np.linspace(0.0, 2.0 * np.pi, 60)
    for name, point in data.targets_ct.items():
        x, y = sign_right * point[right], sign_up * point[up]
        axes.plot(x, y, "+", ms=9, color=TARGET)
        reach = data.p95_mm.get(name, 0.0)
        axes.plot(x + reach * np.cos(angle), y + reach * np.sin(angle), "-", lw=1.2, color=TARGET)
    axes.set_title(title, size=12, color=INK, loc="left")
    axes.set_aspect("equal")
    axes.set_axis_off()
