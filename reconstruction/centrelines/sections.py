"""The centre and the radius of a tube's cross-section, from the sub-voxel points of its border.

The border near a point of the axis is looked at along the axis, in sectors of a circle. Each sector gives the distance
of the nearest layer of border in it; a circle is fitted to these by least squares, with sectors that are far off it
left out: where a branch leaves the section is open, and must not pull the axis. A mean over the whole section moves
far less with noise than the ball that touches the border at three points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Bools, Floats
from reconstruction.centrelines.field import Ints, TubeField

SECTORS = 16
_REACH_RADII = 1.7  # border further than this from the axis belongs to something else, or to an opening
_SLAB_RADII = 0.25  # half the thickness of a section; the axis bends by 0.6 % of r within it even at R = 2 r
_OPEN_FRACTION = 0.1  # of r: a sector further off the circle is an opening, not a wall


@dataclass(frozen=True, eq=False)
class Sections:
    """One cross-section for each of n points.

    Attributes:
        centres_mm: ``(n, 3)``, moved within the section's plane only.
        radius_mm: ``(n,)`` of the fitted circle.
        found: ``(n,)`` whether wall was found on most sides; elsewhere the centre is the point given.
    """

    centres_mm: Floats
    radius_mm: Floats
    found: Bools


def fit_sections(field: TubeField, points_mm: Floats, along: Floats, guess_mm: Floats, iterations: int = 4) -> Sections:
    """Fits the cross-sections at points ``(n, 3)`` across the unit vectors `along` ``(n, 3)``.

    Args:
        guess_mm: ``(n,)`` a first radius.
    """
    across = _across(along)
    owner, border = _border_near(field, points_mm, along, guess_mm)
    relative = border - points_mm[owner]
    plane = np.einsum("nad,nd->na", across[owner], relative)  # 2-D, about the given point
    shift, radius = np.zeros((len(points_mm), 2)), guess_mm.copy()
    found = np.zeros(len(points_mm), dtype=bool)
    for _ in range(iterations):
        distance, direction = _walls(plane - shift[owner], owner, len(points_mm), field.step_mm)
        move, radius, found = _circle(distance, direction, np.maximum(radius, field.step_mm))
        shift += np.where(found[:, None], np.clip(move, -field.step_mm, field.step_mm), 0.0)
    lost = np.linalg.norm(shift, axis=1) > np.maximum(0.75 * guess_mm, 1.5 * field.step_mm)
    found &= ~lost
    centres = points_mm + np.where(found[:, None], np.einsum("nad,na->nd", across, shift), 0.0)
    return Sections(centres, np.where(found, radius, guess_mm), found)


def _across(along: Floats) -> Floats:
    """Two unit vectors across each direction: ``(n, 2, 3)``."""
    helper = np.eye(3)[np.abs(along).argmin(axis=1)]
    first = np.cross(along, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1), 1e-12)[:, None]
    return np.stack([first, np.cross(along, first)], axis=1)


def _border_near(field: TubeField, points_mm: Floats, along: Floats, guess_mm: Floats) -> tuple[Ints, Floats]:
    """Border points in the slab around each section, and whose they are."""
    half = np.maximum(_SLAB_RADII * guess_mm, 0.75 * field.step_mm)
    reach = _REACH_RADII * guess_mm + field.step_mm
    lists = field.tree.query_ball_point(points_mm, np.hypot(reach, half))
    owner = np.repeat(np.arange(len(points_mm)), [len(found) for found in lists])
    border = field.border_mm[np.concatenate(lists).astype(np.intp)]
    height = np.abs(np.einsum("nd,nd->n", border - points_mm[owner], along[owner]))
    inside = height <= half[owner]
    return owner[inside], border[inside]


def _walls(plane: Floats, owner: Ints, count: int, step_mm: float) -> tuple[Floats, Floats]:
    """Per point and sector: the mean distance of the nearest layer (NaN: none), and its mean unit direction."""
    distance = np.linalg.norm(plane, axis=1)
    angle = np.arctan2(plane[:, 1], plane[:, 0])
    key = owner * SECTORS + np.minimum((angle + np.pi) * (SECTORS / (2.0 * np.pi)), SECTORS - 1).astype(np.intp)
    nearest = np.full(count * SECTORS, np.inf)
    np.minimum.at(nearest, key, distance)
    layer = distance <= nearest[key] + step_mm
    key, distance, plane = key[layer], distance[layer], plane[layer]
    size = count * SECTORS
    hits = np.bincount(key, minlength=size)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(key, distance, size) / hits
        unit = plane / np.maximum(distance, 1e-9)[:, None]
        direction = np.stack([np.bincount(key, unit[:, axis], size) / hits for axis in range(2)], axis=1)
    return mean.reshape(count, SECTORS), direction.reshape(count, SECTORS, 2)


def _circle(distance: Floats, direction: Floats, radius: Floats) -> tuple[Floats, Floats, Bools]:
    """Gauss-Newton step of the circle: ``distance = r + direction . shift``, walls only, equal weight a sector."""
    wall = np.isfinite(distance)
    expected = np.where(wall.any(axis=1), np.nanmedian(np.where(wall, distance, radius[:, None]), axis=1), radius)
    allowed = np.maximum(_OPEN_FRACTION * expected, 0.0)[:, None]
    for _ in range(2):
        rows = np.concatenate([np.nan_to_num(direction), np.ones((*distance.shape, 1))], axis=2)
        rows[~wall] = 0.0
        normal = np.einsum("nsi,nsj->nij", rows, rows) + 1e-6 * np.eye(3)
        right = np.einsum("nsi,ns->ni", rows, np.where(wall, np.nan_to_num(distance), 0.0))
        solved = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        residual = np.abs(np.nan_to_num(distance) - np.einsum("nsi,ni->ns", rows, solved))
        spread = np.maximum(allowed, 2.0 * np.median(residual, axis=1)[:, None])
        wall = wall & (residual <= spread)
    enough = (wall.sum(axis=1) >= SECTORS // 2) & (np.linalg.eigvalsh(normal)[:, 0] > 0.1 * SECTORS / 2)
    return solved[:, :2], np.where(enough, solved[:, 2], radius), enough
