"""Which motion is missing: what a recording leaves open, and which further motion would tell most about it.

Prager et al. (Ultrasound in Medicine and Biology 24(6), 1998) list by hand the motions without which a target leaves a
parameter open. Here they are tried: views as a motion would bring them are added to the recording's information, and
the motion that lowers the expected error at the image's corners most is the one to make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.points import Floats

# Views of the recording that a motion is tried on.
_VIEWS = 12
# Steps, in mm, that nothing is said about are known to this; so that "open" is a number and not a singular matrix.
_OPEN_MM = 1000.0
# The size of a pixel of many scanners, and how many times smaller or larger one may be.
_TYPICAL_MM, _MOST_UNLIKE = 0.15, 8.0


@dataclass(frozen=True)
class Motion:
    """A motion that a person can make with the probe.

    Attributes:
        words: what to do, as an imperative without a full stop.
        turns_rad: rotation vectors in axes of the image, about what is seen.
        pixels: where in the image the target goes, as shares of its width and height; None leaves it.
        places_mm: how far along two directions of the wall.
    """

    words: str
    turns_rad: tuple[tuple[float, float, float], ...] = ()
    pixels: tuple[tuple[float | None, float | None], ...] = ()
    places_mm: tuple[tuple[float, float], ...] = ()


def _turned(axis: int, degrees: float) -> tuple[tuple[float, float, float], ...]:
    vectors = np.zeros((2, 3))
    vectors[:, axis] = np.deg2rad([-degrees, degrees])
    return tuple((float(x), float(y), float(z)) for x, y, z in vectors)


TILT = Motion("tilt the probe to and fro, out of the image's plane, by 25 degrees and more", _turned(0, 25.0))
TURN = Motion("turn the probe about its beam, a quarter turn and back", _turned(1, 60.0))
ROCK = Motion("rock the probe from side to side, within the image's plane, by 25 degrees and more", _turned(2, 25.0))
SIDEWAYS = Motion("bring the target to the left and to the right of the image", pixels=((0.1, None), (0.9, None)))
DEEP = Motion("bring the target near the top and near the bottom of the image", pixels=((None, 0.15), (None, 0.85)))
PLACES = Motion(
    "go to places of the wall that are far apart, along it and across",
    places_mm=((-60.0, 0.0), (60.0, 0.0), (0.0, -60.0), (0.0, 60.0)),
)
FOR_KNOWN_POINTS = (SIDEWAYS, DEEP)
FOR_ONE_POINT = (SIDEWAYS, DEEP, TILT, TURN, ROCK)
FOR_A_WALL = (DEEP, TILT, TURN, ROCK, PLACES)


@dataclass(frozen=True, eq=False)
class Views:
    """Where a target is seen in each of n images.

    Attributes:
        pixels: the point, or the middle of the wall's line, ``(n, 2)`` in px.
        rotations: of the probe in the fixed frame, ``(n, 3, 3)``.
        places_mm: the same points in the fixed frame, ``(n, 3)``.
    """

    pixels: Floats
    rotations: Floats
    places_mm: Floats

    def poses(self, columns_mm: Floats) -> Floats:
        """Poses that see them so, ``(n, 4, 4)``."""
        poses = np.tile(np.eye(4), (len(self.pixels), 1, 1))
        poses[:, :3, :3] = self.rotations
        seen = self.pixels @ columns_mm[:, :2].T + columns_mm[:, 2]
        poses[:, :3, 3] = self.places_mm - np.einsum("nij,nj->ni", self.rotations, seen)
        return poses


# From views to the information about steps that they bring, ``(p, p)`` in 1 / mm^2; its first nine are of u, v, o.
Information = Callable[[Views], Floats]


@dataclass(frozen=True, eq=False)
class Design:
    """What a recording tells about the calibration, and what would tell more.

    Attributes:
        information: of the recording, ``(p, p)`` in 1 / mm^2.
        information_of: that of other views.
        step_scale: what the nine first steps are multiplied with to be u, v, o.
        views: those of the recording.
        columns_mm: ``u, v, o`` as columns.
        size_px: width and height of the images.
        motions: what can be made.
        across: two directions along the wall, ``(2, 3)``; zeros for points.
    """

    information: Floats
    information_of: Information
    step_scale: Floats
    views: Views
    columns_mm: Floats
    size_px: tuple[int, int]
    motions: Sequence[Motion]
    across: Floats

    def missing(self, limit_mm: float) -> tuple[str, ...]:
        """What to do, the most telling first, until the worst corner is expected within `limit_mm`; none if it is."""
        information, words, left = self.information, [], list(self.motions)
        while left and self.corner_error_mm(information) > limit_mm:
            brought = [information + self.information_of(self._moved(motion)) for motion in left]
            best = int(np.argmin([self.corner_error_mm(one) for one in brought]))
            information = brought[best]
            words.append(left.pop(best).words)
        return tuple(words)

    def corner_error_mm(self, information: Floats | None = None) -> float:
        """RMS error expected at the worst corner of the image."""
        width, height = self.size_px
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
        blocks = self._covariance(self.information if information is None else information).reshape(3, 3, 3, 3)
        return float(np.sqrt(np.einsum("na,nb,aibi->n", corners, corners, blocks).max()))

    def open_parameters(self, limit_mm: float) -> tuple[str, ...]:
        """What is not known within `limit_mm`, each with its standard deviation over the image, the worst first."""
        x = self.columns_mm[:, 0] / np.linalg.norm(self.columns_mm[:, 0])
        z = np.cross(x, self.columns_mm[:, 1])
        z /= np.linalg.norm(z)
        y = np.cross(z, x)
        (width, height), none = self.size_px, np.zeros(3)
        named = {
            "the spacing along the rows": np.r_[width * x, none, none],
            "the spacing down the depth": np.r_[none, height * y, none],
            "the turn about the image's x": np.r_[none, height * z, none],
            "the turn about the image's y": np.r_[width * z, none, none],
            "the turn within the image's plane": np.r_[width * y, -height * x, none] / 2.0,
            "the shift along the rows": np.r_[x * width / 2.0, x * height / 2.0, x],
            "the shift along the depth": np.r_[y * width / 2.0, y * height / 2.0, y],
            "the shift out of the image's plane": np.r_[z * width / 2.0, z * height / 2.0, z],
        }
        covariance = self._covariance(self.information)
        spreads = {name: float(np.sqrt(part @ covariance @ part)) for name, part in named.items()}
        worst_first = sorted(spreads, key=lambda name: -spreads[name])
        return tuple(name for name in worst_first if spreads[name] > limit_mm)

    def _covariance(self, information: Floats) -> Floats:
        covariance = np.linalg.inv(information + np.eye(len(information)) / _OPEN_MM**2)[:9, :9]
        return covariance * np.outer(self.step_scale, self.step_scale)

    def _moved(self, motion: Motion) -> Views:
        """The recording's views as they would be with the motion made."""
        few = np.unique(np.linspace(0, len(self.views.pixels) - 1, _VIEWS).astype(int))
        pixels, rotations, places = self.views.pixels[few], self.views.rotations[few], self.views.places_mm[few]
        size = np.array(self.size_px, np.float64)
        axes = _axes(self.columns_mm)
        parts = [
            Views(pixels, rotations @ (axes @ Rotation.from_rotvec(turn).as_matrix() @ axes.T), places)
            for turn in motion.turns_rad
        ]
        for shares in motion.pixels:
            given = [
                np.full(len(few), size[k] * share) if share is not None else pixels[:, k]
                for k, share in enumerate(shares)
            ]
            parts.append(Views(np.column_stack(given), rotations, places))
        parts += [Views(pixels, rotations, places + np.array(steps) @ self.across) for steps in motion.places_mm]
        return Views(
            np.concatenate([part.pixels for part in parts]),
            np.concatenate([part.rotations for part in parts]),
            np.concatenate([part.places_mm for part in parts]),
        )


def repaired(columns_mm: Floats) -> Floats:
    """Axes of an image also where a recording left them open, for judging which motion is missing.

    An axis that is nearer in length to a pixel of any scanner is believed; the other, unless it is alike, is put at a
    right angle to it, and as long.
    """
    u, v, o = columns_mm.T
    off = [abs(np.log(max(float(np.linalg.norm(axis)), 1e-12) / _TYPICAL_MM)) for axis in (u, v)]
    believed, other = (u, v) if off[0] <= off[1] else (v, u)
    length = float(np.linalg.norm(believed))
    if length == 0.0 or min(off) > np.log(_MOST_UNLIKE):
        believed = (believed / length if length > 0.0 else np.eye(3)[0]) * _TYPICAL_MM
        length = _TYPICAL_MM
    direction = believed / length
    across = other - direction * (direction @ other)
    if np.linalg.norm(across) < length / 3.0 or np.linalg.norm(other) > 3.0 * length:
        if np.linalg.norm(across) < 1e-6 * np.linalg.norm(other) or not across.any():
            across = np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))])
        other = across * (length / np.linalg.norm(across))
    return np.column_stack([believed, other, o] if off[0] <= off[1] else [other, believed, o])


def turned_deg(rotations: Floats, columns_mm: Floats) -> Floats:
    """By how much a probe was turned about its image's x, y and z, in degrees, ``(3,)``: 5 to 95 % of its images."""
    all_turns = Rotation.from_matrix(rotations)
    vectors = (all_turns.mean().inv() * all_turns).as_rotvec() @ _axes(columns_mm)
    low, high = np.percentile(np.rad2deg(vectors), [5.0, 95.0], axis=0)
    return high - low


def _axes(columns_mm: Floats) -> Floats:
    """The image's x, y and z in the probe, as columns."""
    x = columns_mm[:, 0] / np.linalg.norm(columns_mm[:, 0])
    z = np.cross(x, columns_mm[:, 1])
    z /= np.linalg.norm(z)
    return np.column_stack([x, np.cross(z, x), z])
