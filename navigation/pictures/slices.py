"""Slices through a CT with the segmented structures and their uncertainty, in radiological convention.

Axial slices are seen from the feet and coronal ones from the front, so that the patient's right is on the left of the
picture; sagittal ones are seen from the patient's left. All panels have the same scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from case.colours import rgb, structure_colour
from geometry import Volume
from geometry.errors import FrameMismatchError
from geometry.extras import from_extra
from navigation.pictures.colours import NIGHT, NIGHT_INK, UNCERTAINTY_MAP
from navigation.pictures.figures import empty_figure

Floats = NDArray[Any]


@dataclass(frozen=True)
class _View:
    """A slicing direction: the axis across the slice, those to the right and up in the picture, and their letters."""

    name: str
    across: int
    right: int
    up: int
    up_sign: float
    letters: tuple[str, str, str, str]  # left, right, bottom, top


_VIEWS = (
    _View("Axial", 2, 0, 1, -1.0, ("R", "L", "P", "A")),
    _View("Coronal", 1, 0, 2, 1.0, ("R", "L", "I", "S")),
    _View("Sagittal", 0, 1, 2, 1.0, ("A", "P", "I", "S")),
)
_AXIS_LETTERS = "xyz"


# Margins in inches around and between the panels, and above each for its caption.
_LEFT, _GAP, _TOP, _BOTTOM, _CAPTION = 0.3, 0.12, 0.55, 0.3, 0.35


@dataclass(frozen=True, kw_only=True)
class SlicePictureSettings:
    """How slices are drawn.

    Attributes:
        window_centre_hu, window_width_hu: grey scale of the CT; soft tissue by default.
        pixel_mm: sample spacing of the slices.
        margin_mm: margin that is shown around the body.
        filled: structures that are filled with a transparent colour; the others have only an outline.
        width_px: width of the picture.
    """

    window_centre_hu: float = 40.0
    window_width_hu: float = 400.0
    pixel_mm: float = 0.7
    margin_mm: float = 12.0
    filled: tuple[str, ...] = ("bone", "lung", "liver", "vessel", "lesion")
    width_px: int = 1600


def slice_picture(
    ct: Volume,
    probabilities: Mapping[str, Volume],
    uncertainty: Volume | None,
    path: Path,
    *,
    title: str,
    point_ct: ArrayLike | None = None,
    settings: SlicePictureSettings | None = None,
) -> Path:
    """Writes a PNG of axial, coronal and sagittal slices with the structures' outlines, and the uncertainty below.

    Args:
        ct: the CT in HU, on any grid.
        probabilities: structure -> probability, each on any grid in the CT's frame; the outline is drawn at 0.5.
        uncertainty: from 0 (certain) to 1, on any grid in the CT's frame; None omits the second row.
        path: path of the PNG; its folder must exist.
        title: the first line.
        point_ct: intersection of the slices, ``(3,)`` in mm; None for the centre of the liver, and of the spine in the
            sagittal slice.
        settings: see `SlicePictureSettings`.

    Raises:
        FrameMismatchError: a volume that is not in the CT's frame.
    """
    settings = settings or SlicePictureSettings()
    _check_frames(ct, [*probabilities.values(), *([uncertainty] if uncertainty else [])])
    bounds = _shown_bounds(ct, probabilities.get("body"), settings.margin_mm)
    point = _crossing_point(bounds, probabilities) if point_ct is None else np.asarray(point_ct, dtype=float)
    layout = _Layout.of(bounds, settings.width_px / 100.0, rows=1 if uncertainty is None else 2)
    figure = empty_figure(layout.width, layout.height, NIGHT)
    heading_y = 1.0 - 0.34 / layout.height
    figure.text(_LEFT / layout.width, heading_y, title, color=NIGHT_INK, size=19, weight="bold", va="center")
    for column, view in enumerate(_VIEWS):
        plane = _Plane(view, bounds, point, settings.pixel_mm)
        axes = figure.add_axes(layout.box(0, column), facecolor="black")
        _draw_ct(axes, plane, ct, settings, dimmed=False)
        _draw_structures(axes, plane, probabilities, settings)
        axes.set_title(plane.caption, color=NIGHT_INK, size=13, pad=5)
        _annotate(axes, plane, scale_bar=view.name == "Axial", cross=True)
        if uncertainty is not None:
            axes = figure.add_axes(layout.box(1, column), facecolor="black")
            _draw_ct(axes, plane, ct, settings, dimmed=True)
            image = _draw_uncertainty(axes, plane, uncertainty, probabilities.get("body"))
            _annotate(axes, plane, scale_bar=view.name == "Axial", cross=False)
    _add_legend(figure, probabilities, settings, y=heading_y)
    if uncertainty is not None:
        _add_colour_bar(figure, image, layout.colour_bar())
    figure.savefig(path, facecolor=NIGHT)
    return path


def _check_frames(ct: Volume, volumes: Sequence[Volume]) -> None:
    for volume in volumes:
        if volume.frame != ct.frame:
            raise FrameMismatchError(
                f"a volume in '{volume.frame}'", f"every volume in '{ct.frame}', as the CT", "transform it first"
            )


@dataclass(frozen=True)
class _Layout:
    """Positions of the panels in inches: one row of views above the other, all at the same scale in mm."""

    width: float
    height: float
    scale: float  # inches per mm
    row_height: float
    panels: tuple[tuple[float, float], ...]  # width and height of each view

    @classmethod
    def of(cls, bounds: Floats, width: float, rows: int) -> _Layout:
        sizes = bounds[1] - bounds[0]
        right = 1.15 if rows == 2 else _LEFT
        scale = (width - _LEFT - right - 2.0 * _GAP) / sum(sizes[v.right] for v in _VIEWS)
        panels = tuple((sizes[v.right] * scale, sizes[v.up] * scale) for v in _VIEWS)
        row_height = max(height for _, height in panels) + _CAPTION
        return cls(width, _TOP + _BOTTOM + rows * row_height, scale, row_height, panels)

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel, as fractions of the figure."""
        width, height = self.panels[column]
        x = _LEFT + sum(w + _GAP for w, _ in self.panels[:column])
        y = self.height - _TOP - (row + 1) * self.row_height + (self.row_height - _CAPTION - height) / 2.0
        return x / self.width, y / self.height, width / self.width, height / self.height

    def colour_bar(self) -> tuple[float, float, float, float]:
        """Box of the colour bar beside the second row, as `box`."""
        return 1.0 - 0.95 / self.width, _BOTTOM / self.height, 0.012, (self.row_height - 0.5) / self.height


class _Plane:
    """The sample points of one slice, and its axes in the picture."""

    def __init__(self, view: _View, bounds: Floats, point: Floats, pixel_mm: float) -> None:
        self.view = view
        self.point = point
        u = np.arange(bounds[0, view.right] + pixel_mm / 2.0, bounds[1, view.right], pixel_mm)
        v = np.arange(bounds[0, view.up] + pixel_mm / 2.0, bounds[1, view.up], pixel_mm)
        if view.up_sign < 0:
            v = v[::-1]  # rows are ordered from the bottom of the picture to the top
        self._points = np.empty((len(v), len(u), 3))
        self._points[..., view.right] = u[None, :]
        self._points[..., view.up] = v[:, None]
        self._points[..., view.across] = point[view.across]
        half = pixel_mm / 2.0
        self.extent = (u[0] - half, u[-1] + half, v[0] - half * view.up_sign, v[-1] + half * view.up_sign)

    @property
    def caption(self) -> str:
        return f"{self.view.name}, {_AXIS_LETTERS[self.view.across]} = {self.point[self.view.across]:.0f} mm"

    def sample(self, volume: Volume, outside: float) -> Floats:
        """The volume's values on the slice by linear interpolation, bottom row first."""
        index = volume.mm_to_index(self._points.reshape(-1, 3))[:, ::-1].T
        low = np.floor(index.min(axis=1)).astype(int) - 1
        high = np.ceil(index.max(axis=1)).astype(int) + 2
        # Only the slab around the slice is converted to floating point: a whole CT would take 300 MB.
        slab = tuple(
            slice(int(np.clip(a, 0, n - 1)), int(np.clip(b, 1, n)))
            for a, b, n in zip(low, high, volume.voxels.shape, strict=True)
        )
        start = np.array([part.start for part in slab])[:, None]
        voxels = volume.voxels[slab].astype(np.float32)
        values = map_coordinates(voxels, index - start, order=1, mode="grid-constant", cval=outside)
        return values.reshape(self._points.shape[:2])


def _shown_bounds(ct: Volume, body: Volume | None, margin_mm: float) -> Floats:
    """Lower and upper corner ``(2, 3)`` in mm of the body with a margin, clipped to the CT."""
    corners = ct.corners_mm
    scan = np.stack([corners.min(axis=0), corners.max(axis=0)])
    inside = _voxel_centres(body) if body is not None else np.empty((0, 3))
    if not len(inside):
        return scan
    return np.stack([np.maximum(inside.min(0) - margin_mm, scan[0]), np.minimum(inside.max(0) + margin_mm, scan[1])])


def _voxel_centres(probability: Volume) -> Floats:
    """Centres ``(n, 3)`` in mm of the structure's voxels, subsampled to about a hundred along each axis."""
    step = max(1, max(probability.voxels.shape) // 128)
    k, j, i = np.nonzero(probability.voxels[::step, ::step, ::step].astype(np.float32) > 0.5)
    return probability.index_to_mm(np.stack([i, j, k], axis=1) * step)


def _crossing_point(bounds: Floats, probabilities: Mapping[str, Volume]) -> Floats:
    point = bounds.mean(axis=0)
    if "liver" in probabilities and len(found := _voxel_centres(probabilities["liver"])):
        point = found.mean(axis=0)
    if "bone" in probabilities and len(found := _voxel_centres(probabilities["bone"])):
        point[0] = np.median(found[:, 0])
    return point


def _draw_ct(axes: Any, plane: _Plane, ct: Volume, settings: SlicePictureSettings, dimmed: bool) -> Any:
    low = settings.window_centre_hu - settings.window_width_hu / 2.0
    high = low + settings.window_width_hu * (1.8 if dimmed else 1.0)
    image = plane.sample(ct, outside=-1024.0)
    return axes.imshow(
        image, cmap="gray", vmin=low, vmax=high, origin="lower", extent=plane.extent, interpolation="bilinear"
    )


def _draw_structures(
    axes: Any, plane: _Plane, probabilities: Mapping[str, Volume], settings: SlicePictureSettings
) -> None:
    for name, probability in probabilities.items():
        share = plane.sample(probability, outside=0.0)
        colour = structure_colour(name)
        if name in settings.filled:
            veil = np.empty((*share.shape, 4))
            veil[..., :3] = rgb(colour)
            veil[..., 3] = 0.33 * np.clip((share - 0.35) / 0.3, 0.0, 1.0)
            axes.imshow(veil, origin="lower", extent=plane.extent, interpolation="bilinear")
        if share.min() < 0.5 < share.max():
            axes.contour(share, [0.5], colors=[colour], linewidths=1.5, origin="lower", extent=plane.extent)


def _draw_uncertainty(axes: Any, plane: _Plane, uncertainty: Volume, body: Volume | None) -> Any:
    with from_extra("pictures"):
        from matplotlib import colormaps

    values = plane.sample(uncertainty, outside=0.0)
    colours = colormaps[UNCERTAINTY_MAP]
    picture = colours(values)
    picture[..., 3] = np.clip(values * 3.0, 0.0, 0.95)
    axes.imshow(picture, origin="lower", extent=plane.extent, interpolation="bilinear")
    if body is not None:
        share = plane.sample(body, outside=0.0)
        if share.min() < 0.5 < share.max():
            colour = structure_colour("body")
            axes.contour(share, [0.5], colors=[colour], linewidths=0.7, origin="lower", extent=plane.extent)
    with from_extra("pictures"):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(0.0, 1.0), colours)


def _annotate(axes: Any, plane: _Plane, scale_bar: bool, cross: bool) -> None:
    """Draws the letters of the sides, and if wanted the lines of the other slices and a scale bar."""
    view, (left, right, bottom, top) = plane.view, plane.extent
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    places = ((0.012, 0.5, "left"), (0.988, 0.5, "right"), (0.5, 0.03, "center"), (0.5, 0.97, "center"))
    for letter, (x, y, side) in zip(view.letters, places, strict=True):
        axes.text(x, y, letter, transform=axes.transAxes, color="#ffd166", size=15, weight="bold", ha=side, va="center")
    if cross:
        style = {"color": "#ffd166", "linewidth": 0.6, "alpha": 0.5, "linestyle": (0, (6, 6))}
        axes.axvline(plane.point[view.right], **style)
        axes.axhline(plane.point[view.up], **style)
    if scale_bar:
        start = left + 0.04 * (right - left)
        height = bottom + 0.06 * (top - bottom)
        axes.plot([start, start + 50.0], [height, height], color=NIGHT_INK, linewidth=3, solid_capstyle="butt")
        axes.text(start + 25.0, height, "50 mm", color=NIGHT_INK, size=11, ha="center", va="bottom")


def _add_legend(figure: Any, probabilities: Mapping[str, Volume], settings: SlicePictureSettings, y: float) -> None:
    with from_extra("pictures"):
        from matplotlib.patches import Patch

    handles = []
    for name in probabilities:
        colour = structure_colour(name)
        fill = (*rgb(colour), 0.45 if name in settings.filled else 0.0)
        handles.append(Patch(facecolor=fill, edgecolor=colour, linewidth=1.8, label="skin" if name == "body" else name))
    figure.legend(
        handles=handles,
        loc="center right",
        bbox_to_anchor=(0.985, y),
        ncols=len(handles),
        frameon=False,
        labelcolor=NIGHT_INK,
        fontsize=13,
        columnspacing=1.4,
        handlelength=1.4,
    )


def _add_colour_bar(figure: Any, image: Any, box: tuple[float, float, float, float]) -> None:
    bar = figure.colorbar(image, cax=figure.add_axes(box))
    bar.set_label("uncertainty: entropy of the classes, 0 sure, 1 undecided", color=NIGHT_INK, size=11)
    bar.ax.tick_params(colors=NIGHT_INK, labelsize=11)
    bar.outline.set_visible(False)
