"""Verification of a registration by touching a point that it was not made from.

Points that the registration was made from always fit it, so they cannot test it. A touch on the same skin detects a
slip, a wrong landmark or a wrong pose, but not a motion of all skin, which moves the touched point too. A touch on bone
detects that as well.
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
from registration.uncertainty.expected_error import PoseUncertainty, length_quantile_mm, tool_covariance_mm2
from registration.uncertainty.localisation_error import isotropic_mm2

PROBABILITY = 0.95
# 95 % quantile of the absolute value of a standard normal variable.
P95_OF_ONE = 1.959964


@dataclass(frozen=True, kw_only=True)
class VerificationSettings:
    """Errors of a verification touch itself, without those of the registration.

    Attributes:
        fle_rms_mm: RMS length of the 3-D error of picking the point in the CT and touching it, together.
        surface_sd_mm: standard deviation of a touch along the surface's normal: segmentation, pressed skin, tip.
        repeat_rms_mm: RMS length of the 3-D error of touching the same point again, without the error of picking.
        used_within_mm: a point nearer than this to a used landmark counts as that landmark, whatever its name.
    """

    fle_rms_mm: float = 0.8
    surface_sd_mm: float = 1.0
    repeat_rms_mm: float = 0.6
    used_within_mm: float = 2.0


@dataclass(frozen=True, eq=False)
class Verification:
    """Result of one verification touch.

    Attributes:
        name: name of the point, or ``surface``.
        kind: ``landmark``: a point of known CT position; ``surface``: anywhere on the surface, which tests one
            direction only; ``repeat``: a used landmark touched again, which only tests whether the reference moved.
        offset_reference_mm: touched minus mapped position, ``(3,)`` in reference; of a repeat, second minus first.
        distance_mm: length of the offset.
        expected_p95_mm: expected 95 % quantile of that length, if all stated errors are right.
        on_skin: whether the point moves with the skin.
        away_mm: distance in ct to the nearest landmark that was used.
        own_rms_mm: RMS error of the touch itself; for a touch on the surface, its standard deviation along the normal.
            None where a record does not hold it.
        point_reference_mm: position of the tip, ``(3,)``; None where a record does not hold it.
        normal_reference: unit normal of the surface there, ``(3,)``, of a touch on it; else None.
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
        """Whether the distance is within its expected 95 % quantile."""
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
    """Compares a touched point with the position to which the registration maps it.

    Args:
        T_reference_ct: the pose to be tested.
        uncertainty: its covariance.
        name: name of the point.
        points: its position in ct, and the touched position in reference, ``(3,)`` each, in mm.
        used_ct: the landmarks that the registration was made from: name -> ``(3,)`` in ct.
        settings: errors of the touch.
        tool_covariance_reference_mm2: covariance of the tip's position, ``(3, 3)``; zero if left out.
        on_skin: whether the point moves with the skin: then a motion of all skin is not part of the expected distance.

    Raises:
        VerificationRefusedError: the point was used for the registration, by its name or its position.
        InvalidPointsError: points that are not finite ``(3,)``.
        InvalidCovarianceError: a tool covariance with a wrong shape, not finite, or not positive semidefinite.
    """
    settings = settings or VerificationSettings()
    point_ct, touched = (_one_point(point, side) for point, side in zip(points, ("ct", "reference"), strict=True))
    _refuse_used(name, point_ct, used_ct, settings)
    mapped = T_reference_ct.apply(point_ct)
    tool_mm2 = _tool_covariance_mm2(tool_covariance_reference_mm2)
    covariance_mm2 = uncertainty.at(mapped, on_skin=on_skin) + tool_mm2 + isotropic_mm2(settings.fle_rms_mm)
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
    """Compares two touches of a used landmark: beyond the error of touching, they differ only if something moved.

    Args:
        name: name of the landmark.
        first_reference, again_reference: first and second touch, ``(3,)`` each in reference, in mm.
        settings: errors of the touches.

    Raises:
        InvalidPointsError: points that are not finite ``(3,)``.
    """
    settings = settings or VerificationSettings()
    first = _one_point(first_reference, "reference")[0]
    again = _one_point(again_reference, "reference")[0]
    both_mm2 = 2.0 * isotropic_mm2(settings.repeat_rms_mm)
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
    """Compares a touch anywhere on the surface with the surface: this tests the pose along the normal only.

    Args:
        T_reference_ct, uncertainty, settings, tool_covariance_reference_mm2, on_skin: as for `verify_landmark`.
        field_ct: distance to the surface, in ct.
        touched_reference: position of the tip, ``(3,)`` in reference, in mm.

    Raises:
        InvalidPointsError: a point that is not finite ``(3,)``.
        InvalidCovarianceError: as for `verify_landmark`.
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
            f"'{name}' as a test of the registration that was made from '{used}'",
            f"a point that was not used, {settings.used_within_mm:g} mm or more from those that were",
            "touch another point whose position in the CT is known, or anywhere on the surface",
        )


def _one_point(point: ArrayLike, side: str) -> Floats:
    points = as_points(point, f"the verification point in {side}", minimum=1)
    if len(points) != 1:
        raise InvalidPointsError(f"{len(points)} verification points", "one point", "verify them one by one")
    return points


def _nearest_mm(point_ct: Floats, used_ct: Mapping[str, ArrayLike]) -> float:
    return min((float(np.linalg.norm(np.asarray(place) - point_ct)) for place in used_ct.values()), default=0.0)


def _tool_covariance_mm2(covariance_mm2: ArrayLike | None) -> Floats:
    return tool_covariance_mm2(covariance_mm2, 1).reshape(3, 3)
