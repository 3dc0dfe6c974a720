"""Which views are worth keeping, and where the board should be held next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.camera.quality import COLUMNS, ROWS, fields
from calibration.camera.views import BoardView, homography
from geometry.points import Floats

# Two views that differ by less than this in every way tell the same: a share of the picture, of the size, of the tilt.
DIFFERENT = 0.15
WANTED_VIEWS, WANTED_FIELDS = 15, 0.8
# Perspective across the board that a tilt of some 20 degrees gives at a usual distance; and the span of sizes.
_WANTED_TILT, _WANTED_SIZES = 0.15, 1.4


@dataclass(frozen=True, eq=False)
class Covered:
    """What views cover so far, each as a share of what is wanted, 0 to 1.

    Attributes:
        views, area, tilts, distances: how many; how much of the picture; tilts to the four sides; near and far.
        next_step: what is wanting most, as a request.
    """

    views: float
    area: float
    tilts: float
    distances: float
    next_step: str

    @property
    def share(self) -> float:
        """Of all together: the least counts, and what else is there."""
        parts = [self.views, self.area, self.tilts, self.distances]
        return (min(parts) + sum(parts) / len(parts)) / 2.0


def described(view: BoardView) -> Floats:
    """Place, size and tilt of a board in a picture, without a lens: ``(5,)``, all about 1 at most.

    The middle across and down in shares of the picture; the logarithm of its size; and how much larger its right is
    than its left, and its top than its bottom.
    """
    found = homography(view.board_mm, view.pixels)
    middle = view.board_mm[:, :2].mean(axis=0)
    half = max(float(np.ptp(view.board_mm, axis=0).max()) / 2.0, 1e-9)
    depth = found[2, :2] @ middle + found[2, 2]
    at = (found[:2, :2] @ middle + found[:2, 2]) / depth
    # Pixels for each mm, and how depth changes over half of the board.
    size = np.sqrt(abs(np.linalg.det(found) / depth**3)) * half / view.height_px
    tilt = -found[2, :2] * half / depth
    return np.array([at[0] / view.width_px, at[1] / view.height_px, np.log(size), tilt[0], tilt[1]])


def is_new(view: BoardView, kept: Sequence[BoardView]) -> bool:
    """Whether a view differs from all that were kept."""
    own = described(view)
    return all(float(np.abs(described(other) - own).max()) >= DIFFERENT for other in kept)


def choose(views: Sequence[BoardView], most: int) -> list[BoardView]:
    """At most `most` views that differ most from one another, beginning with the first (farthest-point sampling)."""
    if len(views) <= most:
        return list(views)
    places = np.stack([described(view) for view in views])
    chosen = [0]
    nearest = np.full(len(views), np.inf)
    while len(chosen) < most:
        nearest = np.minimum(nearest, np.abs(places - places[chosen[-1]]).max(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return [views[number] for number in sorted(chosen)]


def covered(views: Sequence[BoardView]) -> Covered:
    """What views cover, and what to do next."""
    if not views:
        return Covered(0.0, 0.0, 0.0, 0.0, "hold the board before the camera, so that it fills half of the picture")
    counts = np.zeros((ROWS, COLUMNS))
    for view in views:
        counts[fields(view.pixels, (view.width_px, view.height_px))] += 1
    area = min(1.0, float(np.mean(counts > 0)) / WANTED_FIELDS)
    places = np.stack([described(view) for view in views])
    # To the right, to the left, up and down.
    reached = np.clip(np.concatenate([places[:, 3:].max(axis=0), -places[:, 3:].min(axis=0)]) / _WANTED_TILT, 0.0, 1.0)
    spread = min(1.0, float(np.ptp(places[:, 2])) / np.log(_WANTED_SIZES))
    number = min(1.0, len(views) / WANTED_VIEWS)
    return Covered(number, area, float(reached.mean()), spread, _next_step(counts, area, reached, places[:, 2], spread))


def _next_step(counts: Floats, area: float, reached: Floats, sizes: Floats, spread: float) -> str:
    if area < 1.0:
        return f"hold the board {_emptiest(counts)} of the picture"
    if reached.min() < 1.0:
        side = ("right", "top", "left", "bottom")[int(np.argmin(reached))]
        return f"tilt the board by 30 degrees, its {side} side towards the camera"
    if spread < 1.0:
        return "hold the board farther away" if sizes[-1] > np.median(sizes) - 0.1 else "hold the board nearer"
    return "go on to other places and tilts, and hold the board still in each"


def _emptiest(counts: Floats) -> str:
    """The ninth of the picture with the largest share of fields without corners, in words."""
    names = (("top left", "top", "top right"), ("left", "middle", "right"), ("bottom left", "bottom", "bottom right"))
    rows, columns = np.array_split(np.arange(ROWS), 3), np.array_split(np.arange(COLUMNS), 3)
    empty = [[float(np.mean(counts[np.ix_(row, column)] == 0)) for column in columns] for row in rows]
    row, column = np.unravel_index(int(np.argmax(empty)), (3, 3))
    name = names[row][column]
    return f"in the {name}" if name == "middle" else f"at the {name}"
