"""A 3D picture of the registered patient with the tool: drawn off screen by VTK, labelled by matplotlib.

The skin is transparent where it faces the viewer and more opaque towards its outline, so that the structures beneath it
stay visible. Everything is in ``ct``; the patient is seen from the front, the right side on the left of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from case.colours import structure_colour
from geometry import Surface, Transform
from geometry.errors import FrameMismatchError
from geometry.extras import from_extra
from geometry.frames import CT
from geometry.points import as_points
from navigation.pictures.canvas import Canvas
from navigation.pictures.colours import FAINT_INK, INK, LANDMARK, LANDMARK_INK, PAPER, RESIDUAL_MAP, TARGET, TIP, TOOL
from navigation.pictures.figures import empty_figure

Floats = NDArray[Any]


@dataclass(frozen=True)
class SceneTool:
    """A tool to draw.

    Attributes:
        name: its label.
        T_ct_tool: pose of its marker in ``ct``.
        tip_tool_mm: position of its tip in the marker's frame, ``(3,)``.

    Raises:
        FrameMismatchError: a pose that is not in ``ct``.
    """

    name: str
    T_ct_tool: Transform
    tip_tool_mm: Floats

    def __post_init__(self) -> None:
        if self.T_ct_tool.to_frame != CT:
            raise FrameMismatchError(
                f"{self.T_ct_tool} for '{self.name}'", "a pose in 'ct'", "compose it with T_ct_reference first"
            )


@dataclass(frozen=True, eq=False)
class ScenePlane:
    """An ultrasound image to draw where it lies.

    Attributes:
        grey: its pixels, ``(h, w)`` uint8.
        shown: which of them are drawn, ``(h, w)`` bool.
        T_ct_image_px: from ``(x px, y px, 0, 1)`` to ``ct`` in mm, ``(4, 4)``.
    """

    grey: NDArray[np.uint8]
    shown: NDArray[np.bool_]
    T_ct_image_px: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class ScenePictureData:
    """What the picture shows; every position is in ``ct``, in mm.

    Attributes:
        surfaces: coloured by their names.
        tools: drawn with their shafts and markers.
        planes: ultrasound images.
        landmarks_ct: name -> ``(3,)``, the touched landmarks.
        targets_ct: name -> ``(3,)``.
        swept_ct: points of the sweep, ``(n, 3)``; None for no sweep.
        swept_over: what was swept, in words.
        swept_residuals_mm: their distances to the surface, ``(n,)``; the magnitude is the colour. None counts as 0.
        numbers: label and value, printed beside the scene in this order.

    Raises:
        FrameMismatchError: a surface that is not in ``ct``.
    """

    surfaces: Sequence[Surface]
    tools: Sequence[SceneTool] = ()
    planes: Sequence[ScenePlane] = ()
    landmarks_ct: Mapping[str, ArrayLike] = field(default_factory=dict)
    targets_ct: Mapping[str, ArrayLike] = field(default_factory=dict)
    swept_ct: ArrayLike | None = None
    swept_over: str = "skin"
    swept_residuals_mm: ArrayLike | None = None
    numbers: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        for surface in self.surfaces:
            if surface.frame != CT:
                raise FrameMismatchError(
                    f"the surface '{surface.name}' in '{surface.frame}'", "surfaces in 'ct'", "transform it first"
                )


@dataclass(frozen=True, kw_only=True)
class ScenePictureSettings:
    """How the scene is drawn.

    Attributes:
        width_px, height_px: size of the picture; a quarter of the width is for the numbers.
        view_ct: direction from the patient to the viewer in ``ct``; by default from the front, a little from the right
            and from above.
        glass: names of the structures that are drawn transparent.
        residual_limit_mm: upper end of the residuals' colour scale; None for their 95th percentile.
    """

    width_px: int = 1600
    height_px: int = 1000
    view_ct: tuple[float, float, float] = (-0.42, -1.0, 0.30)
    glass: tuple[str, ...] = ("body", "lung")
    residual_limit_mm: float | None = None


def scene_picture(
    data: ScenePictureData, path: Path, *, title: str, settings: ScenePictureSettings | None = None
) -> Path:
    """Writes a PNG of surfaces, tools, touched landmarks, targets and the swept points, coloured by their residuals.

    Args:
        data: what to show.
        path: path of the PNG; its folder must exist.
        title: the first line.
        settings: see `ScenePictureSettings`.

    Returns:
        `path`.

    Raises:
        RenderingError: this machine cannot draw off screen.
        InvalidPointsError: swept points that are not a finite ``(n, 3)`` array.
    """
    settings = settings or ScenePictureSettings()
    canvas = Canvas(round(settings.width_px * 0.74), settings.height_px)
    view = np.array(settings.view_ct) / np.linalg.norm(settings.view_ct)
    for surface in data.surfaces:
        colour, glass = structure_colour(surface.name), surface.name in settings.glass
        canvas.add_surface(surface, colour, view if glass else None)
    for tool in data.tools:
        _add_tool(canvas, tool)
    for plane in data.planes:
        _add_plane(canvas, plane)
    for point in data.landmarks_ct.values():
        canvas.add_ball(np.asarray(point, dtype=float), 4.5, LANDMARK)
    n_swept, limit_mm = _add_swept(canvas, data, settings.residual_limit_mm)
    canvas.look_from(view)
    figure = _figure(canvas, data, settings.width_px)
    figure.text(0.018, 0.962, title, color=INK, size=20, weight="bold", va="center")
    if n_swept:
        _residual_bar(
            figure, (canvas.width_px / settings.width_px + 0.014, 0.075, 0.2, 0.018), limit_mm, n_swept, data.swept_over
        )
    figure.savefig(path, facecolor=PAPER)
    return path


def _add_swept(canvas: Canvas, data: ScenePictureData, limit_mm: float | None) -> tuple[int, float]:
    """Draws the swept points; returns how many they are, and the end of their colour scale in mm."""
    swept = as_points(data.swept_ct if data.swept_ct is not None else np.empty((0, 3)), "swept points")
    if not len(swept):
        return 0, limit_mm or 1.0
    signed = data.swept_residuals_mm if data.swept_residuals_mm is not None else np.zeros(len(swept))
    residuals_mm = np.abs(np.asarray(signed))
    limit_mm = limit_mm or max(float(np.percentile(residuals_mm, 95)), 0.1)
    canvas.add_points(swept, residuals_mm, limit_mm, radius=1.7)
    return len(swept), limit_mm


def _add_plane(canvas: Canvas, plane: ScenePlane) -> None:
    height, width = plane.grey.shape
    right, down, _, origin = plane.T_ct_image_px[:3].T
    corner = origin - 0.5 * (right + down)  # of the first pixel, whose middle the origin is
    canvas.add_image(plane.grey, plane.shown, corner, width * right, height * down)


def _add_tool(canvas: Canvas, tool: SceneTool) -> None:
    """Draws a shaft from the tip to the marker, and the marker's four spheres in its plane."""
    tip = tool.T_ct_tool.apply(tool.tip_tool_mm)
    origin = np.asarray(tool.T_ct_tool.translation_mm)
    length = float(np.linalg.norm(origin - tip))
    taper = tip + (origin - tip) * min(14.0 / max(length, 1.0), 0.5)
    canvas.add_cone(tip, taper, 2.4, TIP)
    canvas.add_rod(taper, origin, 2.4, TOOL)
    along = (origin - tip) / max(length, 1e-9)
    across = tool.T_ct_tool.rotation_matrix @ np.eye(3)
    side = across[:, int(np.argmin(np.abs(along @ across)))]
    canvas.add_ball(origin, 6.0, "#d5dbe1")
    for u, v in ((42.0, 12.0), (-36.0, 24.0), (8.0, 52.0)):
        ball = origin + u * side + v * along
        canvas.add_rod(origin, ball, 1.6, TOOL)
        canvas.add_ball(ball, 6.0, "#d5dbe1")


def _figure(canvas: Canvas, data: ScenePictureData, width_px: int) -> Any:
    """A matplotlib figure with the drawn scene, its labels and axes, and the numbers beside it."""
    height_px = canvas.height_px
    figure = empty_figure(width_px / 100.0, height_px / 100.0, PAPER)
    share = canvas.width_px / width_px
    scene = figure.add_axes((0.0, 0.0, share, 1.0))
    scene.imshow(canvas.draw(), extent=(0, canvas.width_px, 0, height_px), interpolation="antialiased")
    scene.set_axis_off()
    targets = _labels(canvas, data.targets_ct, TARGET)
    _mark_targets(scene, targets)
    touched = _labels(canvas, data.landmarks_ct, LANDMARK_INK)
    held = _labels(canvas, {tool.name: tool.T_ct_tool.translation_mm for tool in data.tools}, INK)
    _write_labels(scene, canvas, [*targets, *touched, *held])
    scene.set_xlim(0, canvas.width_px)
    scene.set_ylim(0, height_px)
    _orientation_cue(figure, canvas)
    _print_numbers(figure, data.numbers, share + 0.012)
    return figure


@dataclass(frozen=True)
class _Label:
    text: str
    pixel: tuple[float, float]
    colour: str


def _labels(canvas: Canvas, points_ct: Mapping[str, ArrayLike], colour: str) -> list[_Label]:
    return [
        _Label(name.replace("_", " "), canvas.pixel_of(np.asarray(point, dtype=float)), colour)
        for name, point in points_ct.items()
    ]


def _write_labels(axes: Any, canvas: Canvas, labels: Sequence[_Label]) -> None:
    """Writes the labels in a column on either side, without overlap, each with a line to its point."""
    left, right = canvas.drawn_px
    middle = float(np.median([label.pixel[0] for label in labels])) if labels else 0.0
    for on_left in (True, False):
        column = [label for label in labels if (label.pixel[0] <= middle) == on_left]
        heights = _spread([label.pixel[1] for label in column], apart=30.0)
        x = max(left - 24.0, 120.0) if on_left else min(right + 24.0, canvas.width_px - 120.0)
        for label, y in zip(column, heights, strict=True):
            axes.annotate(
                label.text,
                label.pixel,
                xytext=(x, y),
                ha="right" if on_left else "left",
                va="center",
                color=label.colour,
                size=13,
                weight="bold",
                arrowprops={"arrowstyle": "-", "color": label.colour, "linewidth": 1.0, "shrinkA": 1, "shrinkB": 5},
            )


def _spread(heights: Sequence[float], apart: float) -> Floats:
    """The heights, moved as little as needed so that neighbours are at least `apart`."""
    order = np.argsort(heights)
    placed = np.array(heights, dtype=float)
    for _ in range(60):
        for lower, upper in pairwise(order):
            lack = apart - (placed[upper] - placed[lower])
            if lack > 0.0:
                placed[lower] -= lack / 2.0
                placed[upper] += lack / 2.0
    return placed


def _mark_targets(axes: Any, labels: Sequence[_Label]) -> None:
    """Marks the targets on top of everything, since they lie inside organs."""
    for label in labels:
        x, y = label.pixel
        for size, colour in ((17.0, "white"), (15.0, label.colour)):
            axes.plot(x, y, "o", markersize=size, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=2.4)
        axes.plot(x, y, "+", markersize=9, markeredgecolor="white", markeredgewidth=2.0)


def _orientation_cue(figure: Any, canvas: Canvas) -> None:
    """Draws the axes of ``ct`` as the camera sees them."""
    axes = figure.add_axes((0.012, 0.02, 0.115, 0.184))
    axes.set_xlim(-1.35, 1.35)
    axes.set_ylim(-1.35, 1.35)
    axes.set_axis_off()
    for direction, letter, colour in zip(np.eye(3), ("L", "P", "S"), ("#d1302f", "#009e73", "#0072b2"), strict=True):
        x, y = canvas.direction_on_screen(direction)
        axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.4})
        reach = max(float(np.hypot(x, y)), 1e-6)
        axes.text(
            x + 0.24 * x / reach,
            y + 0.24 * y / reach,
            letter,
            color=colour,
            size=15,
            weight="bold",
            ha="center",
            va="center",
        )


def _print_numbers(figure: Any, numbers: Sequence[tuple[str, str]], x: float) -> None:
    step = min(0.085, 0.76 / max(len(numbers), 1))
    for row, (label, value) in enumerate(numbers):
        y = 0.955 - row * step
        figure.text(x, y, label, color=FAINT_INK, size=12, va="top")
        figure.text(x, y - 0.024, value, color=INK, size=16, weight="bold", va="top")


def _residual_bar(
    figure: Any, box: tuple[float, float, float, float], limit_mm: float, swept: int, surface: str
) -> None:
    with from_extra("pictures"):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(0.0, limit_mm), RESIDUAL_MAP)
    bar = figure.colorbar(mappable, cax=figure.add_axes(box), orientation="horizontal", extend="max")
    bar.ax.set_title(f"distance of {swept:,} swept points to the {surface}, mm", size=11, color=INK, loc="left", pad=6)
    bar.ax.tick_params(labelsize=11, colors=INK)
    bar.outline.set_visible(False)
