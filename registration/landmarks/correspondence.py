"""Registration of landmarks in unknown order: which touched point is which planned landmark, and the pose.

A symmetric arrangement fits in more than one way. Then the result holds no registration, but says which landmarks could
be exchanged, and which further one would resolve the ambiguity. Reflections are excluded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist

from geometry import Transform
from geometry.errors import InvalidPointsError
from geometry.points import Floats, as_points
from registration.errors import LandmarksRefusedError
from registration.landmarks.checks import check_line, check_separation, check_units
from registration.landmarks.correspondence_search import Candidate, search
from registration.landmarks.fit import LandmarkRegistration, LandmarkSettings, register_landmarks
from registration.uncertainty.expected_error import noise_inflation
from registration.uncertainty.localisation_error import fle_sd_mm

MAXIMUM_POINTS = 40
MIRRORED = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class CorrespondenceSettings(LandmarkSettings):
    """When points are paired, in addition to the landmarks' settings; FLE values are per planned landmark.

    Attributes:
        gate_sd: largest distance between a touched point and its mapped landmark, in standard deviations.
        minimum_share: smallest share of matched points, on the side with fewer points.
        odds: likelihood ratio below which another pairing counts as possible.
        maximum_chance: largest expected number of equally good pairings among random points; beyond it a pairing is
            refused.
    """

    gate_sd: float = 5.0
    minimum_share: float = 0.5
    odds: float = 1000.0
    maximum_chance: float = 0.05


@dataclass(frozen=True, eq=False)
class Pairing:
    """One pairing of planned landmarks and touched points.

    Attributes:
        touched: index of the touched point, from 0, by the name of its landmark.
        T_reference_ct: the pose of these pairs.
        cost: sum of squared residuals over their variances; an unmatched point costs the squared gate.
    """

    touched: dict[str, int]
    T_reference_ct: Transform
    cost: float


@dataclass(frozen=True, eq=False)
class LandmarkMatch:
    """Result of the matching.

    Attributes:
        pairings: all possible pairings, best first; more than one if the arrangement is ambiguous.
        registration: of the pairs, in the order of ``pairings[0].touched``; None if ambiguous.
        not_touched: planned landmarks without a touched point.
        extra: indices, from 0, of touched points that match no planned landmark.
        exchangeable: groups of landmarks that could be taken for one another; empty if not ambiguous.
        reason: in words, what was matched, or why no pairing was chosen.
        action: in words, how to resolve an ambiguity; empty if there is none.
    """

    pairings: tuple[Pairing, ...]
    registration: LandmarkRegistration | None
    not_touched: tuple[str, ...]
    extra: tuple[int, ...]
    exchangeable: tuple[tuple[str, ...], ...]
    reason: str
    action: str = ""

    @property
    def ambiguous(self) -> bool:
        """Whether several pairings are possible."""
        return self.registration is None


def match_landmarks(
    planned_ct: ArrayLike,
    touched_reference: ArrayLike,
    names: Sequence[str] | None = None,
    settings: CorrespondenceSettings | None = None,
) -> LandmarkMatch:
    """Pairs planned landmarks ``(m, 3)`` in ct with touched points ``(n, 3)`` in reference, in mm, in any order.

    Either side may have points that the other lacks. An ambiguous match is returned; an impossible one is refused.

    Args:
        planned_ct, touched_reference: the points of either side.
        names: names of the planned landmarks; ``1``, ``2``, ... if left out.
        settings: FLE, and when points are paired.

    Raises:
        LandmarksRefusedError: fewer than three or more than 40 points on a side, NaN, coincident or collinear points,
            metres for mm, a mirrored side, too few points that fit, or a fit that chance explains.
    """
    settings = settings or CorrespondenceSettings()
    ct_mm, reference_mm, labels = _checked(planned_ct, touched_reference, names, settings)
    sd_mm = fle_sd_mm(settings.fle_rms_mm, len(ct_mm))
    candidates = search(ct_mm, reference_mm, sd_mm, settings.gate_sd)
    if not candidates or candidates[0].cost > _margin(settings):  # below it, no mirror image can be that much better
        mirrored = search(ct_mm * MIRRORED, reference_mm, sd_mm, settings.gate_sd)
        _refuse_mirrored(candidates, mirrored, settings)
    _refuse_too_few(candidates, ct_mm, reference_mm, settings)
    possible = _possible(candidates, ct_mm, sd_mm, settings)
    best = possible[0]
    _refuse_chance(best, ct_mm, reference_mm, sd_mm, settings)
    pairings = tuple(Pairing(_pairs(way, labels), way.T_reference_ct, way.cost) for way in possible)
    not_touched = tuple(name for name in labels if name not in pairings[0].touched)
    extra = tuple(int(i) for i in np.flatnonzero(best.planned_of_touched < 0))
    if len(possible) > 1:
        groups = _exchangeable(possible, labels)
        action = _advice(possible, ct_mm, labels, settings.gate_sd * float(sd_mm.max()))
        return LandmarkMatch(pairings, None, not_touched, extra, groups, _ambiguity(possible, groups), action)
    registration = _register(pairings[0].touched, ct_mm, reference_mm, sd_mm, labels, settings)
    return LandmarkMatch(pairings, registration, not_touched, extra, (), _said(pairings[0], not_touched, extra))


def _checked(
    planned_ct: ArrayLike,
    touched_reference: ArrayLike,
    names: Sequence[str] | None,
    settings: CorrespondenceSettings,
) -> tuple[Floats, Floats, tuple[str, ...]]:
    try:
        ct_mm = as_points(planned_ct, "planned landmarks in ct", 3)
        reference_mm = as_points(touched_reference, "touched points in reference", 3)
    except InvalidPointsError as error:
        raise LandmarksRefusedError(error.came, error.allowed, error.action) from error
    labels = tuple(str(name) for name in (range(1, len(ct_mm) + 1) if names is None else names))
    if len(labels) != len(ct_mm) or len(set(labels)) != len(labels):
        raise LandmarksRefusedError(
            f"{len(set(labels))} different names for {len(ct_mm)} planned landmarks",
            "one name for each",
            "give every landmark a name of its own",
        )
    if max(len(ct_mm), len(reference_mm)) > MAXIMUM_POINTS:
        raise LandmarksRefusedError(
            f"{len(ct_mm)} planned and {len(reference_mm)} touched points",
            f"up to {MAXIMUM_POINTS} on each side",
            "leave some out: ten already tell the pose; swept points belong to the surface registration",
        )
    check_units(ct_mm, reference_mm)
    check_separation("ct", ct_mm, labels, settings)
    check_line(f"ct ({', '.join(labels)})", ct_mm, settings)
    check_line("reference", reference_mm, settings)
    return ct_mm, reference_mm, labels


def _refuse_mirrored(candidates: list[Candidate], mirrored: list[Candidate], settings: CorrespondenceSettings) -> None:
    direct, mirror = (ways[0].cost if ways else math.inf for ways in (candidates, mirrored))
    if mirror + _margin(settings) < direct:
        raise LandmarksRefusedError(
            "points that fit the landmarks' mirror image, not themselves",
            "the same handedness on both sides",
            "check the orientation of the CT (left and right) and of the landmark file",
        )


def _refuse_too_few(
    candidates: list[Candidate], ct_mm: Floats, reference_mm: Floats, settings: CorrespondenceSettings
) -> None:
    fewer = min(len(ct_mm), len(reference_mm))
    needed = max(3, math.ceil(settings.minimum_share * fewer))
    most = max((way.matched for way in candidates), default=0)
    if most < needed:
        raise LandmarksRefusedError(
            f"{len(reference_mm)} touched points of which {most or 'fewer than 3'} fit the {len(ct_mm)} planned "
            f"landmarks in any order, within the stated localisation error",
            f"at least {needed} that fit",
            "touch the planned landmarks again, and check that plan, patient and stated error are the right ones",
        )


def _refuse_chance(
    best: Candidate, ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, settings: CorrespondenceSettings
) -> None:
    expected = expected_by_chance(best, ct_mm, reference_mm, sd_mm)
    if expected > settings.maximum_chance:
        raise LandmarksRefusedError(
            f"{best.matched} of {len(reference_mm)} touched points that fit {best.matched} of {len(ct_mm)} planned "
            f"landmarks, where random points give {expected:.2g} such fits",
            f"a fit of which random points give {settings.maximum_chance:g} at most",
            "touch more of the planned landmarks, or plan fewer",
        )


def expected_by_chance(best: Candidate, ct_mm: Floats, reference_mm: Floats, sd_mm: Floats) -> float:
    """Expected number of pairings as large and as close as `best` among random points (Moisan and Stival, 2004).

    Three pairs fix the pose: their three distances must agree by chance within the largest deviation of `best`. Each
    further touched point must fall into a ball of that radius about its landmark.
    """
    touched = np.flatnonzero(best.planned_of_touched >= 0)
    planned = best.planned_of_touched[touched]
    off_mm = np.abs(pdist(ct_mm[planned]) - pdist(reference_mm[touched])).max()
    # A fit closer than the FLE is luck, and no stronger evidence.
    off_mm = max(float(off_mm), 2.0 * math.sqrt(3.0) * float(sd_mm.max()))
    share = off_mm / float(np.linalg.norm(ct_mm - ct_mm.mean(axis=0), axis=1).max())
    k = len(touched)
    ways = math.comb(len(reference_mm), k) * math.perm(len(ct_mm), k)
    return float(ways * min(1.0, 2.0 * share) ** 3 * min(1.0, share) ** (3 * (k - 3)))


def _possible(
    candidates: list[Candidate], ct_mm: Floats, sd_mm: Floats, settings: CorrespondenceSettings
) -> list[Candidate]:
    """The best pairing, and all others that the data do not exclude and that give a different pose."""
    best = candidates[0]
    left_out = len(best.planned_of_touched) - best.matched
    inflation = noise_inflation(best.cost - settings.gate_sd**2 * left_out, 3.0 * best.matched - 6.0)
    possible = [best]
    for other in candidates[1:]:
        if other.cost - best.cost > inflation * _margin(settings):
            break
        if all(_differ(other, known, ct_mm, sd_mm, settings) for known in possible):
            possible.append(other)
    return possible


def _differ(one: Candidate, other: Candidate, ct_mm: Floats, sd_mm: Floats, settings: CorrespondenceSettings) -> bool:
    apart_mm = np.linalg.norm(one.T_reference_ct.apply(ct_mm) - other.T_reference_ct.apply(ct_mm), axis=1)
    return bool((apart_mm > settings.gate_sd * sd_mm).any())


def _margin(settings: CorrespondenceSettings) -> float:
    """Difference of costs that corresponds to the likelihood ratio `odds`."""
    return 2.0 * math.log(settings.odds)


def _pairs(way: Candidate, labels: tuple[str, ...]) -> dict[str, int]:
    """Index of the touched point by landmark name, in the planned order."""
    pairs = {labels[planned]: int(i) for i, planned in enumerate(way.planned_of_touched) if planned >= 0}
    return {name: pairs[name] for name in labels if name in pairs}


def _exchangeable(possible: list[Candidate], labels: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Groups of landmarks that different pairings assign to the same touched point."""
    group = np.arange(len(labels))
    for other in possible[1:]:
        for a, b in zip(possible[0].planned_of_touched, other.planned_of_touched, strict=True):
            if a >= 0 and b >= 0:
                group[group == group[b]] = group[a]
    members = (tuple(labels[i] for i in np.flatnonzero(group == number)) for number in np.unique(group))
    return tuple(names for names in members if len(names) > 1)


def _ambiguity(possible: list[Candidate], groups: tuple[tuple[str, ...], ...]) -> str:
    who = "; ".join(" and ".join(f"'{name}'" for name in names) for names in groups)
    costs = ", ".join(f"{way.cost:.1f}" for way in possible[:4])
    said = f"{len(possible)} ways to pair the points fit about equally well (costs {costs})"
    return said + (f": {who} could be taken for one another" if who else ": with other points left out")


def _advice(possible: list[Candidate], ct_mm: Floats, labels: tuple[str, ...], told_apart_mm: float) -> str:
    untouched = [i for i in range(len(labels)) if i not in possible[0].planned_of_touched]
    power_mm = {labels[i]: _telling_mm(possible, ct_mm, i, untouched) for i in untouched}
    best = max(power_mm, key=power_mm.__getitem__, default=None)
    if best is not None and power_mm[best] > 2.0 * told_apart_mm:
        return f"touch '{best}' too: it lies where no other landmark could, and tells which is which"
    return "plan and touch one more landmark, off the symmetry, or name the points"


def _telling_mm(possible: list[Candidate], ct_mm: Floats, asked: int, untouched: list[int]) -> float:
    """Smallest distance between this landmark under one pairing and any untouched landmark under another."""
    apart = [
        np.linalg.norm(one.T_reference_ct.apply(ct_mm[[asked]]) - other.T_reference_ct.apply(ct_mm[untouched]), axis=1)
        for one in possible
        for other in possible
        if one is not other
    ]
    return float(np.min(apart))


def _register(
    pairs: dict[str, int],
    ct_mm: Floats,
    reference_mm: Floats,
    sd_mm: Floats,
    labels: tuple[str, ...],
    settings: CorrespondenceSettings,
) -> LandmarkRegistration:
    planned = [labels.index(name) for name in pairs]
    touched = list(pairs.values())
    fle_rms_mm = math.sqrt(3.0) * sd_mm[planned]
    return register_landmarks(ct_mm[planned], reference_mm[touched], tuple(pairs), settings, fle_rms_mm=fle_rms_mm)


def _said(pairing: Pairing, not_touched: tuple[str, ...], extra: tuple[int, ...]) -> str:
    said = f"{len(pairing.touched)} landmarks matched, in one way only"
    if not_touched:
        said += f"; not touched: {', '.join(not_touched)}"
    if extra:
        numbers = ", ".join(str(number + 1) for number in extra)
        said += f"; touched points that are no planned landmark: {numbers}, by their order"
    return said
