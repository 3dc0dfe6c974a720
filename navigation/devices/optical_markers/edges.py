"""Where the sides of printed squares lie, to a small part of a pixel, and how well each is known.

A corner itself is rounded by every lens, and finders that look at it are off by some tenths of a pixel, always to the
same side. A straight side is not: light that a symmetric blur (of the lens, of a motion) takes from one side of it
comes out on the other. So the place of a side is found from the sum of the light along many lines across it, and
lines are fitted to those places. What is left over says how well a side is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from geometry.points import Bools, Floats, Singles

if TYPE_CHECKING:
    from calibration.camera.camera_file import CameraCalibration

# Cameras code light with about this power; light is summed, not codes.
_GAMMA = 2.2
_LIGHT = ((np.arange(256) / 255.0) ** _GAMMA).astype(np.float32)
_ALONG = np.linspace(0.1, 0.9, 24)  # the ends of a side belong to the corners
_ACROSS = np.linspace(-1.0, 1.0, 17)
_TRAPEZOID = np.concatenate([[0.5], np.ones(15), [0.5]]) / 16.0
_REACH = 0.75  # of a cell, which is dark on the inside and light on the outside of a side
# An edge wider than this share of a cell runs into the next one, and is found too far out. How far, in cells, was
# measured in rendered pictures (benchmarks/live/bench_optical_markers.py); wider than the largest it is not used.
_UNBIASED_WIDTH, _LARGEST_WIDTH = 0.25, 0.5
_BIAS_OF_WIDTH, _BIAS_OF_CELL = 1.1, 0.002
_LEAST_CONTRAST = 0.02
_LARGEST_MOVE = 0.3  # of a side, from the rough corners
_CUTOFF = 4.0
_LEAST_SHARE = 0.6
# Places nearer together than this see the same noise.
_INDEPENDENT_PX = 1.5
# Of one place on a side, below which eight bits and the grid of pixels do not let it be known.
_FLOOR_PX = 0.05


@dataclass(frozen=True)
class Sides:
    """The sides of ``k`` squares, each ``(k, 4)``, from the printed top-left corner clockwise; px without distortion.

    Attributes:
        normals: ``(k, 4, 2)``, of length 1, out of the square.
        offsets_px: ``normal . point`` of the side's points.
        covariance_px2: ``(k, 4, 2, 2)`` of the distances of its two ends from the line.
        is_whole: whether most of it is seen as a straight edge.
        is_sharp: whether the cells beside it are wide enough for its blur; of another one the place is wrong.
        blur_px: width of the edge in the picture, from dark to light.
    """

    normals: Floats
    offsets_px: Floats
    covariance_px2: Floats
    is_whole: Bools
    is_sharp: Bools
    blur_px: Floats

    @property
    def corners_px(self) -> Floats:
        """Where neighbouring sides meet, ``(k, 4, 2)``, in the order of the printed corners."""
        equations = np.stack([np.roll(self.normals, 1, axis=1), self.normals], axis=2)
        right = np.stack([np.roll(self.offsets_px, 1, axis=1), self.offsets_px], axis=2)
        size = equations[..., 0, 0] * equations[..., 1, 1] - equations[..., 0, 1] * equations[..., 1, 0]
        size = np.where(np.abs(size) > 1e-9, size, np.nan)
        x = right[..., 0] * equations[..., 1, 1] - right[..., 1] * equations[..., 0, 1]
        y = right[..., 1] * equations[..., 0, 0] - right[..., 0] * equations[..., 1, 0]
        return np.stack([x, y], axis=-1) / size[..., None]


def find_sides(light: Singles, quads_px: Floats, cells: int, camera: CameraCalibration) -> Sides:
    """Finds the sides of dark squares on light ground.

    Args:
        light: the picture, as `light_of` gives it.
        quads_px: their rough corners ``(k, 4, 2)``, clockwise in the picture, within a cell or so.
        cells: how many cells a side has, its border included.
        camera: whose lens is undone.
    """
    # Corners that a finder guesses can be off by more than a cell, so that a side is looked for past its end.
    for _ in range(2):
        places, is_edge, width, steps = _places(light, quads_px, cells)
        better = _lines(places, is_edge, *_medians(width, steps)).corners_px
        off = np.linalg.norm(better - quads_px, axis=2).max(axis=1)
        size = np.linalg.norm(np.roll(quads_px, -1, axis=1) - quads_px, axis=2).min(axis=1)
        quads_px = np.where((off < _LARGEST_MOVE * size)[:, None, None], better, quads_px)
    places, is_edge, width, steps = _places(light, quads_px, cells)
    return _lines(undistorted(places, camera), is_edge, *_medians(width, steps))


def _places(light: Singles, quads_px: Floats, cells: int) -> tuple[Floats, Bools, Floats, Floats]:
    """Places on the sides ``(k, 4, m, 2)``, whether each is on an edge, its width in cells, and the steps of a cell."""
    along = np.roll(quads_px, -1, axis=1) - quads_px
    # Across a side along its neighbours: in a steep view, what is at right angles in the picture leads round a corner.
    across = quads_px - np.roll(quads_px, 1, axis=1), -np.roll(along, -1, axis=1)
    points = quads_px[:, :, None] + _ALONG[:, None] * along[:, :, None]
    steps = ((1.0 - _ALONG)[:, None] * across[0][:, :, None] + _ALONG[:, None] * across[1][:, :, None]) / cells
    middle = np.zeros(points.shape[:3])
    # From a corner that is off, the area under a profile takes in the light cells behind the border and settles between
    # the two. The steepest rise from dark to light is the side's own: those cells fall towards it.
    rise, _, _, is_edge = _across(light, points, middle, steps)
    middle = _smoothed(rise, is_edge)
    for _ in range(2):
        _, shift, width, is_edge = _across(light, points, middle, steps)
        middle = _smoothed(shift, is_edge)
    return points + shift[..., None] * steps, is_edge, width, steps


def _medians(width: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """The width of each side's edge, in cells, and the size of a cell across it, in px, ``(k, 4)``."""
    return np.median(width, axis=2), np.median(np.linalg.norm(steps, axis=3), axis=2)


def light_of(grey: np.ndarray) -> Singles:
    """The light of a picture ``(h, w)`` uint8, 0 to 1."""
    with from_extra("markers"):
        import cv2

    return np.asarray(cv2.LUT(grey, _LIGHT), dtype=np.float32)


def undistorted(pixels: Floats, camera: CameraCalibration) -> Floats:
    """Pixels ``(..., 2)`` as a lens without distortion would have them."""
    with from_extra("markers"):
        import cv2

    flat = np.ascontiguousarray(pixels.reshape(-1, 1, 2))
    straight = cv2.undistortPoints(flat, camera.matrix, np.array(camera.distortion), None, camera.matrix)
    return np.asarray(straight, dtype=np.float64).reshape(pixels.shape)


def _across(light: Singles, points: Floats, middle: Floats, steps: Floats) -> tuple[Floats, Floats, Floats, Bools]:
    """How far outward of points ``(k, 4, m, 2)`` light rises most steeply, and how far an edge is by the area under it;
    its width, all in steps of a cell; and whether there is one.
    """
    with from_extra("markers"):
        import cv2

    where = points[:, :, :, None] + (middle[..., None] + _REACH * _ACROSS)[..., None] * steps[:, :, :, None]
    places = where.astype(np.float32).reshape(-1, len(_ACROSS), 2)
    seen = (
        cv2.remap(light, places[..., 0], places[..., 1], cv2.INTER_LINEAR).reshape(where.shape[:-1]).astype(np.float64)
    )
    dark, bright = seen[..., :3].mean(axis=-1), seen[..., -3:].mean(axis=-1)
    inside = ((where >= 0.0) & (where <= np.array(light.shape[::-1]) - 1.0)).all(axis=(-2, -1))
    is_edge = inside & (bright - dark > _LEAST_CONTRAST)
    share = (seen - dark[..., None]) / np.where(is_edge, bright - dark, 1.0)[..., None]
    # The area under the profile: an edge in the middle leaves half of it light.
    shift = middle + _REACH * (1.0 - 2.0 * np.clip(share @ _TRAPEZOID, 0.0, 1.0))
    climbs = np.diff(seen, axis=-1)
    rise = middle + _REACH * (_ACROSS[:-1] + _ACROSS[1:])[climbs.argmax(axis=-1)] / 2.0
    steepest = np.abs(np.diff(share, axis=-1)).max(axis=-1) / (_REACH * (_ACROSS[1] - _ACROSS[0]))
    return rise, np.where(is_edge, shift, middle), 1.0 / np.maximum(steepest, 1e-3), is_edge


def _smoothed(shift: Floats, is_edge: Bools) -> Floats:
    """A straight line through the shifts of each side."""
    x = np.broadcast_to(_ALONG, shift.shape)
    mean, slope, mean_x, _ = _regression(x, shift, is_edge.astype(np.float64))
    return mean + slope * (x - mean_x)


def _lines(places: Floats, is_edge: Bools, width: Floats, cell_px: Floats) -> Sides:
    """Robust lines through places ``(k, 4, m, 2)`` on edges whose `width` is given in cells ``(k, 4)``."""
    along = places[:, :, -1] - places[:, :, 0]
    lengths = np.maximum(np.linalg.norm(along, axis=2), 1e-6)
    forward = along / lengths[..., None]
    outward = np.stack([forward[..., 1], -forward[..., 0]], axis=2)
    x = np.einsum("ksmi,ksi->ksm", places, forward)
    y = np.einsum("ksmi,ksi->ksm", places, outward)
    weights = is_edge.astype(np.float64)
    for _ in range(3):
        mean, slope, mean_x, _ = _regression(x, y, weights)
        residual = y - mean - slope * (x - mean_x)
        spread = np.maximum(1.4826 * np.median(np.abs(residual), axis=-1, keepdims=True), _FLOOR_PX)
        weights = is_edge * np.maximum(0.0, 1.0 - (residual / (_CUTOFF * spread)) ** 2) ** 2
    mean, slope, mean_x, spread_x = _regression(x, y, weights)
    count = weights.sum(axis=-1)
    squares = (weights * (y - mean - slope * (x - mean_x)) ** 2).sum(axis=-1)
    # Neighbouring places share pixels, and so noise.
    independent = np.clip(lengths / _INDEPENDENT_PX / len(_ALONG), 0.1, 1.0) * np.maximum(count, 1.0)
    variance = squares / np.maximum(count - 2.0, 1.0) + _FLOOR_PX**2
    margin = lengths * _ALONG[0] / (_ALONG[-1] - _ALONG[0])
    ends = np.stack([x[..., 0] - margin, x[..., -1] + margin], axis=-1) - mean_x
    slope_information = spread_x * (independent / np.maximum(count, 1.0))[..., None]
    products = ends[..., :, None] * ends[..., None, :] / np.maximum(slope_information[..., None], 1e-9)
    covariance = variance[..., None, None] * (1.0 / independent[..., None, None] + products)
    bias = (_BIAS_OF_WIDTH * np.maximum(0.0, width - _UNBIASED_WIDTH) ** 2 + _BIAS_OF_CELL) * cell_px
    covariance = covariance + (bias**2)[..., None, None]
    size = np.sqrt(1.0 + slope**2)
    return Sides(
        normals=(outward - slope * forward) / size,
        offsets_px=(mean - slope * mean_x)[..., 0] / size[..., 0],
        covariance_px2=covariance,
        is_whole=weights.mean(axis=-1) > _LEAST_SHARE,
        is_sharp=width < _LARGEST_WIDTH,
        blur_px=width * cell_px,
    )


def _regression(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted lines through the last axis: mean of y, slope, mean of x, weighted sum of squares of x about it."""
    total = np.maximum(weights.sum(axis=-1, keepdims=True), 1e-9)
    mean_x = (weights * x).sum(axis=-1, keepdims=True) / total
    mean_y = (weights * y).sum(axis=-1, keepdims=True) / total
    spread_x = (weights * (x - mean_x) ** 2).sum(axis=-1, keepdims=True)
    slope = (weights * (x - mean_x) * (y - mean_y)).sum(axis=-1, keepdims=True) / np.maximum(spread_x, 1e-9)
    return mean_y, slope, mean_x, spread_x
