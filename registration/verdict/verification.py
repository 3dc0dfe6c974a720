"""The touch that tests a registration: at a point of known CT position that had no part in making it.

What the registration was made from always fits it; only what it was not made from can contradict it. And a touch counts
by what it is independent of: one on the skin that was swept goes wherever that skin went, and sees a slip, a wrong
landmark or a wrong pose, but not that all skin has moved; one on bone sees that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from geometry import Transform
from geometry.errors import InvalidPointsError
from geometry.points import Floats, as_points, read_only
from registration.distance.closest_point import DistanceField
from registration.errors import VerificationRefusedError
from registration.uncertainty.expected_error import PoseUncertainty, length_quantile_mm

PROBABILITY = 0.95
# Of 100 errors of one normal variable, 95 are smaller than this many standard deviations.
P95_OF_ONE = 1.959964


@dataclass(frozen=True, kw_only=True)
class VerificationSettings:
    """What a touch is worth by itself, besides the registration.

    Attributes:
        fle_rms_mm: RMS length of the 3-D error of picking the point in the CT and putting the tip on it, together.
        surface_sd_mm: standard deviation along the normal of one touch on the surface: segmentation, pressed skin, tip.
        repeat_rms_mm: RMS length of the 3-D error of putting the tip on the same point again, picking left out.
        used_within_mm: a point nearer than this to one that was used is that one, whatever it is called.
    """

    fle_rms_mm: float = 0.8
    surface_sd_mm: float = 1.0
    repeat_rms_mm: float = 0.6
    used_within_mm: float = 2.0


@dataclass(frozen=True, eq=False)
class Verification:
    """What a touch found.

    Attributes:
        name: of the point, or ``surface``.
        kind: ``landmark`` (a point of known CT position), ``surface`` (anywhere on it; tells one direction only) or
            ``repeat`` (a landmark that was used, touched again: tells whether the reference moved, and nothing else).
        offset_reference_mm: from where the registration puts the point to where it was touched, ``(3,)`` in reference;
            of a repeat, from the first touch.
        distance_mm: its length.
        expected_p95_mm: 95 of 100 such distances are shorter if the registration is what it says, all errors included.
        on_skin: whether the point goes where the skin goes.
        away_mm: from the nearest landmark that was used.
        own_rms_mm: RMS error of the touch by itself; None where a record does not tell. point_reference_mm: where the
            tip was, ``(3,)``; normal_reference: of the surface there, for a touch on it.
    """

    name: str
    kind: Literal["landmark", "surface", "repeat"]
    offset_reference_mm: Floats
    distance_mm: float
    expected_p95_mm: float
    on_skin: bool = False
    away_mm: float = 0.0
    own_rms_mm: float | None = None
    point_reference_mm: Floats | None = None
    normal_reference: Floats | None = None

    @property
    def consistent(self) -> bool:
        return self.distance_mm <= self.expected_p95_mm


def verify_landmark(
    T_reference_ct: Transform,
    uncertainty: PoseUncertainty,
    name: str,
    points: tuple[ArrayLike, ArrayLike],
    used_ct: Mapping[str, ArrayLike],
    settings: VerificationSettings | None = None,
    *,
    tool_covariance_reference_mm2: ArrayLike | None = None,
    on_skin: bool = False,
) -> Verification:
    """Compares a touched point with where the registration puts it.

    Args:
        name: of the point.
        on_skin: it goes where the skin goes: then what all skin shares cannot show, and is not expected either.
        points: where it is in ct, and where it was touched in reference, ``(3,)`` each, in mm.
        used_ct: the landmarks that the registration was made from: name -> ``(3,)`` in ct.
        tool_covariance_reference_mm2: of the tip's position, ``(3, 3)``; zero if left out.

    Raises:
        VerificationRefusedError: a landmark that was used, by its name or its place.
        InvalidPointsError: points that are not finite ``(3,)``.
    """
    settings = settings or VerificationSettings()
    point_ct, touched = (_one_point(point, side) for point, side in zip(points, ("ct", "reference"), strict=True))
    _refuse_used(name, point_ct, used_ct, settings)
    mapped = T_reference_ct.apply(point_ct)
    tool_mm2 = _tool_covariance_mm2(tool_covariance_reference_mm2)
    covariance_mm2 = uncertainty.at(mapped, on_skin=on_skin) + tool_mm2 + settings.fle_rms_mm**2 / 3.0 * np.eye(3)
    offset_mm = touched[0] - mapped[0]
    return Verification(
        name=name,
        kind="landmark",
        offset_reference_mm=read_only(offset_mm),
        distance_mm=float(np.linalg.norm(offset_mm)),
        expected_p95_mm=float(length_quantile_mm(covariance_mm2, PROBABILITY)[0]),
        on_skin=on_skin,
        away_mm=_nearest_mm(point_ct[0], used_ct),
        own_rms_mm=float(np.sqrt(settings.fle_rms_mm**2 + np.trace(tool_mm2))),
        point_reference_mm=read_only(touched[0].copy()),
    )


def repeat_of(
    name: str,
    first_reference: ArrayLike,
    again_reference: ArrayLike,
    settings: VerificationSettings | None = None,
) -> Verification:
    """Compares a landmark that was used with itself, touched again: the two differ only if something moved.

    Args:
        first_reference: where it was touched for the registration; again_reference: where it is now, ``(3,)`` each.

    Raises:
        InvalidPointsError: points that are not finite ``(3,)``.
    """
    settings = settings or VerificationSettings()
    first = _one_point(first_reference, "reference")[0]
    again = _one_point(again_reference, "reference")[0]
    both_mm2 = 2.0 * settings.repeat_rms_mm**2 / 3.0 * np.eye(3)
    return Verification(
        name=name,
        kind="repeat",
        offset_reference_mm=read_only(again - first),
        distance_mm=float(np.linalg.norm(again - first)),
        expected_p95_mm=float(length_quantile_mm(both_mm2[None], PROBABILITY)[0]),
        own_rms_mm=settings.repeat_rms_mm,
        point_reference_mm=read_only(again.copy()),
    )


def verify_surface(
    T_reference_ct: Transform,
    uncertainty: PoseUncertainty,
    field_ct: DistanceField,
    touched_reference: ArrayLike,
    settings: VerificationSettings | None = None,
    *,
    tool_covariance_reference_mm2: ArrayLike | None = None,
    on_skin: bool = False,
) -> Verification:
    """Compares a touch anywhere on the surface with the surface: the distance along its normal, and no other.

    Args:
        on_skin: as for `verify_landmark`.
        field_ct: distance to the surface, in ct.
        touched_reference: the tip, ``(3,)`` in reference, in mm.

    Raises:
        InvalidPointsError: a point that is not finite ``(3,)``.
    """
    settings = settings or VerificationSettings()
    touched = _one_point(touched_reference, "reference")
    distance = field_ct.distance(T_reference_ct.inverse().apply(touched))
    normal = T_reference_ct.rotate(distance.gradient)[0]
    tool_mm2 = _tool_covariance_mm2(tool_covariance_reference_mm2)
    own_mm2 = float(normal @ tool_mm2 @ normal) + settings.surface_sd_mm**2
    sd_mm = np.sqrt(normal @ uncertainty.at(touched, on_skin=on_skin)[0] @ normal + own_mm2)
    return Verification(
        name="surface",
        kind="surface",
        offset_reference_mm=read_only(distance.signed_mm[0] * normal),
        distance_mm=float(abs(distance.signed_mm[0])),
        expected_p95_mm=float(P95_OF_ONE * sd_mm),
        on_skin=on_skin,
        own_rms_mm=float(np.sqrt(own_mm2)),
        point_reference_mm=read_only(touched[0].copy()),
        normal_reference=read_only(normal.copy()),
    )


def _refuse_used(name: str, point_ct: Floats, used_ct: Mapping[str, ArrayLike], settings: VerificationSettings) -> None:
    near: Iterable[str] = (
        used
        for used, place in used_ct.items()
        if used == name or np.linalg.norm(np.asarray(place) - point_ct[0]) < settings.used_within_mm
    )
    for used in near:
        raise VerificationRefusedError(
            f"'{name}' as a test of the registration that '{used}' helped to make",
            f"a point that was not used, {settings.used_within_mm:g} mm or more from those that were",
            "touch another point whose place in the CT is known, or anywhere on the surface",
        )


def _one_point(point: ArrayLike, side: str) -> Floats:
    points = as_points(point, f"the verification point in {side}", minimum=1)
    if len(points) != 1:
        raise InvalidPointsError(f"{len(points)} verification points", "one", "verify them one by one")
    return points


def _nearest_mm(point_ct: Floats, used_ct: Mapping[str, ArrayLike]) -> float:
    return min((float(np.linalg.norm(np.asarray(place) - point_ct)) for place in used_ct.values()), default=0.0)


def _tool_covariance_mm2(covariance_mm2: ArrayLike | None) -> Floats:
    return np.zeros((3, 3)) if covariance_mm2 is None else np.asarray(covariance_mm2, dtype=np.float64)
