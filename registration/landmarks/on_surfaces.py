"""Compares planned landmarks with the case's surfaces, to detect wrong axes or units before anything is touched.

Landmarks alone cannot reveal wrong axes: RAS coordinates are LPS ones rotated by half a turn, and give a pose with a
small FRE but targets on the wrong side. The case's surfaces do reveal them. Landmarks that fit a surface only in other
axes or another unit are refused with that finding, never corrected: only the author of the file knows what was meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.errors import LandmarksRefusedError
from registration.landmarks.units import IN_MM

AXES = ("x", "y", "z")
# Another reading is mentioned, though not certain, from this likelihood ratio on.
HINT_ODDS = 30.0
SIDES = {"x": "left and right", "y": "front and back", "z": "head and feet"}


@dataclass(frozen=True, kw_only=True)
class PlacementLimits:
    """When the position of a planned landmark is plausible.

    Attributes:
        inside_mm, outside_mm: how far inside and outside the registered surface a landmark may lie: the centre of a
            marker on the skin lies up to 15 mm outside; skin yields, or was segmented a few mm off.
        near_mm: largest distance from any other approved surface, such as the bone on which it was picked.
        beyond_mm: largest distance outside the box of everything known of the patient.
        floor_mm: smallest RMS distance that counts, given the errors of segmentation and of picking by hand.
        fits_mm: largest RMS distance from the surface under another reading of the coordinates.
        least: number of landmarks from which on other readings are tried.
        odds, odds_more: likelihood ratio at which another reading is reported, times `odds_more` for each further
            change to the coordinates. For landmarks placed at random inside a body of which only the skin is approved,
            this happens by chance with 1 of 100 sets of three or four, and with hardly any of six.
    """

    inside_mm: float = 10.0
    outside_mm: float = 15.0
    near_mm: float = 5.0
    beyond_mm: float = 20.0
    floor_mm: float = 1.5
    fits_mm: float = 3.0
    least: int = 3
    odds: float = 300.0
    odds_more: float = 3.0


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What landmarks in ct are compared with.

    Attributes:
        registered: name of the surface that is swept and registered to.
        fields: distance to each approved surface, by name; the registered one is among them.
        box_mm: ``(2, 3)``: lowest and highest corner in ct of everything known of the patient.
    """

    registered: str
    fields: Mapping[str, DistanceField]
    box_mm: Floats


@dataclass(frozen=True)
class Reading:
    """One interpretation of three coordinates: ``x`` is ``signs[0]`` times the number at ``axes[0]``, in `unit`."""

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    unit: str = "millimetres"

    def apply(self, points: Floats) -> Floats:
        """The coordinates ``(n, 3)`` under this reading, in mm and LPS."""
        return IN_MM.get(self.unit, 1.0) * points[:, self.axes] * np.array(self.signs, dtype=np.float64)

    @property
    def changes(self) -> int:
        """Number of changes from mm in LPS; RAS, a half turn about z, counts as one."""
        moved = sum(place != axis for place, axis in enumerate(self.axes))
        return moved + (1 if self._is_ras else 2 * self.signs.count(-1)) + 2 * (self.unit != "millimetres")

    @property
    def _is_ras(self) -> bool:
        return self.axes == (0, 1, 2) and self.signs == (-1, -1, 1)

    @property
    def is_mirrored(self) -> bool:
        """Whether this reading reverses handedness."""
        matrix = np.zeros((3, 3))
        matrix[range(3), self.axes] = self.signs
        return bool(np.linalg.det(matrix) < 0.0)

    def words(self) -> str:
        """The changes to the coordinates, in words."""
        done = [] if self.unit == "millimetres" else [f"taken for {self.unit}"]
        if self.axes != (0, 1, 2):
            kept = [place == axis for place, axis in enumerate(self.axes)]
            swapped = [name for name, same in zip(AXES, kept, strict=True) if not same]
            order = ", ".join(AXES[axis] for axis in self.axes)
            done.append(f"{' and '.join(swapped)} exchanged" if len(swapped) == 2 else f"in the order {order}")
        negated = [name for name, sign in zip(AXES, self.signs, strict=True) if sign < 0]
        if negated:
            done.append(f"{' and '.join(negated)} negated")
        return " and ".join(done)

    def meaning(self) -> str:
        """What these changes mean for the file, in words."""
        said = [] if self.unit == "millimetres" else [f"they are {self.unit}"]
        if self._is_ras:
            said.append("they are RAS, where LPS is meant")
        elif self.is_mirrored:
            lone = [AXES[i] for i in range(3) if self.signs[i] < 0] if self.axes == (0, 1, 2) else []
            said.append(f"{SIDES[lone[0]]} are exchanged" if len(lone) == 1 else "they are mirrored")
        elif self.axes != (0, 1, 2) or -1 in self.signs:
            said.append("their axes are others than left, back and head (LPS)")
        return ", and ".join(said)

    def action(self) -> str:
        """What to do about it, as the action of an error message."""
        if self._is_ras and self.unit == "millimetres":
            return (
                'say so: "coordinateSystem": "RAS" in .mrk.json, "# CoordinateSystem = RAS" in .fcsv, '
                '"coordinate_system": "RAS" in JSON; and look at the targets, if the same program wrote them'
            )
        return (
            "write them in mm and LPS; look at the CT's own orientation (left and right) and at the targets, "
            "if the same program wrote them"
        )


AS_GIVEN = Reading((0, 1, 2), (1, 1, 1))


def check_placement(
    landmarks_ct: Mapping[str, Floats], around: Surroundings, limits: PlacementLimits | None = None
) -> dict[str, str]:
    """Doubts in words, by name, about landmarks that lie on no approved surface; empty if there are none.

    A landmark inside the body on no approved surface, such as on a bone that was not segmented, is not refused, but its
    coordinates cannot be confirmed.

    Raises:
        LandmarksRefusedError: all landmarks fit the surface in other axes or another unit, but not as they are; or one
            lies outside the patient.
    """
    limits = limits or PlacementLimits()
    points = np.array(list(landmarks_ct.values())).reshape(-1, 3)
    if not len(points):
        return {}
    signed_mm = around.fields[around.registered].distance(points).signed_mm
    hint = ""
    if len(points) >= limits.least and _off_mm(signed_mm, limits) > limits.fits_mm:
        hint = _refuse_other_readings(points, around, limits)
    refuse_outside(landmarks_ct, around.box_mm, limits)
    doubtful = ~_on(signed_mm, limits) & (_nearest_other_mm(points, around) > limits.near_mm)
    return {
        name: f"'{name}' lies {abs(signed):.0f} mm off the {around.registered} and on no approved surface: nothing "
        f"vouches for its numbers{hint}. Approve the surface that it lies on, sweep, or look at it in the CT"
        for name, signed, doubt in zip(landmarks_ct, signed_mm, doubtful, strict=True)
        if doubt
    }


def lie_on(points_ct: Mapping[str, Floats], field: DistanceField, limits: PlacementLimits | None = None) -> bool:
    """Whether all points ``(3,)`` in ct lie on the surface of `field`, so that no other surface need be compared."""
    limits = limits or PlacementLimits()
    signed_mm = field.distance(np.array(list(points_ct.values())).reshape(-1, 3)).signed_mm
    return not len(signed_mm) or bool(_on(signed_mm, limits).all() and _off_mm(signed_mm, limits) <= limits.fits_mm)


def _readings() -> Iterator[Reading]:
    """All readings but the one as given: axes in any order, either sign, any unit."""
    for unit in ("millimetres", *IN_MM):
        for a, b, c in permutations(range(3)):
            for i, j, k in product((1, -1), repeat=3):
                reading = Reading((a, b, c), (i, j, k), unit)
                if reading != AS_GIVEN:
                    yield reading


def _refuse_other_readings(points: Floats, around: Surroundings, limits: PlacementLimits) -> str:
    """Raises if another reading explains the distances far better than the coordinates as given.

    Returns:
        A hint in words where another reading is likely but not certain; else empty.
    """
    field = around.fields[around.registered]
    readings = sorted(_readings(), key=lambda reading: reading.changes)
    read = np.concatenate([reading.apply(points) for reading in readings])
    signed_mm = field.distance(read).signed_mm.reshape(len(readings), len(points))
    offs_mm = np.array([_off_mm(row, limits) for row in signed_mm])
    best = int(offs_mm.argmin())  # the simplest of those that fit equally well
    # A common distance outside the surface, estimated from the landmarks, costs one degree of freedom.
    facts = len(points) - (_common_mm(signed_mm[best], limits) > limits.floor_mm)
    evidence = facts * math.log(_off_as_given_mm(points, around, limits) / offs_mm[best])
    needed = math.log(limits.odds) + (readings[best].changes - 1) * math.log(limits.odds_more)
    reading, off = readings[best], np.abs(field.distance(points).signed_mm)
    if offs_mm[best] > limits.fits_mm or evidence < math.log(HINT_ODDS):
        return ""
    if evidence < needed:
        return f" (all would lie on it if {reading.words()}: perhaps {reading.meaning()})"
    raise LandmarksRefusedError(
        f"landmarks that lie {off.min():.0f} to {off.max():.0f} mm off the {around.registered}, and fit it within "
        f"{np.abs(signed_mm[best]).max():.1f} mm if {reading.words()}: {reading.meaning()}",
        "coordinates of the CT in mm, LPS or said to be RAS",
        reading.action(),
    )


def _on(signed_mm: Floats, limits: PlacementLimits) -> np.ndarray:
    return (signed_mm > -limits.inside_mm) & (signed_mm < limits.outside_mm)


def _off_mm(signed_mm: Floats, limits: PlacementLimits) -> float:
    """RMS distance from the surface, or from the surface of the markers' centres at a common distance outside it."""
    off_mm = signed_mm - _common_mm(signed_mm, limits)
    return max(float(np.sqrt(np.mean(off_mm**2))), limits.floor_mm)


def _common_mm(signed_mm: Floats, limits: PlacementLimits) -> float:
    return float(np.clip(np.median(signed_mm), 0.0, limits.outside_mm))


def _off_as_given_mm(points: Floats, around: Surroundings, limits: PlacementLimits) -> float:
    """As `_off_mm`, but with each landmark's distance to the nearest of all approved surfaces."""
    signed_mm = around.fields[around.registered].distance(points).signed_mm
    off_mm = np.abs(signed_mm - _common_mm(signed_mm, limits))
    nearest_mm = np.minimum(off_mm, _nearest_other_mm(points, around))
    return max(float(np.sqrt(np.mean(nearest_mm**2))), limits.floor_mm)


def _nearest_other_mm(points: Floats, around: Surroundings) -> Floats:
    others = [field for name, field in around.fields.items() if name != around.registered]
    if not others:
        return np.full(len(points), np.inf)
    return np.min([np.abs(field.distance(points).signed_mm) for field in others], axis=0)


def refuse_outside(points_ct: Mapping[str, Floats], box_mm: Floats, limits: PlacementLimits | None = None) -> None:
    """Raises `LandmarksRefusedError` for planned points outside the box of everything known of the patient.

    Args:
        points_ct: name -> ``(3,)`` in ct, in mm.
        box_mm: ``(2, 3)``: lowest and highest corner in ct.
        limits: how far outside is allowed.
    """
    limits = limits or PlacementLimits()
    points = np.array(list(points_ct.values())).reshape(-1, 3)
    if not len(points):
        return
    low, high = box_mm
    out_mm = np.maximum(low - points, points - high).max(axis=1)
    worst = int(out_mm.argmax())
    if out_mm[worst] > limits.beyond_mm:
        place = ", ".join(f"{value:.0f}" for value in points[worst])
        raise LandmarksRefusedError(
            f"'{list(points_ct)[worst]}' at ({place}), {out_mm[worst]:.0f} mm outside all that the CT shows",
            f"points of the same CT, in mm and LPS, at most {limits.beyond_mm:g} mm outside",
            "check that plan and case are of the same CT, and the file's unit and coordinate system",
        )
