"""Which candidates are a spine's vertebrae, from the head down: the chain whose distances and sizes fit best.

Dynamic programming over candidates, as in the labelling of Meng et al. (Comput Methods Programs Biomed 2023) and Payer
et al. (VISAPP 2020). Two neighbours may have vertebrae between them that were not found: the chain says how many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Floats
from reconstruction.vertebrae.anatomy import REGION_SPACING_MM
from reconstruction.vertebrae.votes import Candidates, expected_volume_ml

WORTH = 4.0  # of a whole vertebra in the chain
COST = 1.5  # of each member: a few votes between two vertebrae are none, unless the edge of the scan cuts there
SPREAD = 0.25  # standard deviation of the logarithm of distances around those expected
SPREAD_OF_CUT = 0.6  # at a vertebra that the edge of the scan cuts: its centroid is not where it should be
COST_OF_A_GAP = 3.0  # for each vertebra that should be there and was not found
MOST_MISSING = 3


@dataclass(frozen=True)
class Chain:
    """A spine from the head down.

    Attributes:
        members: rows of the candidates.
        missing: how many vertebrae are missing after each member but the last.
    """

    members: tuple[int, ...]
    missing: tuple[int, ...]


def best_chain(candidates: Candidates) -> Chain:
    """The best chain; its person's scale is found with it, so that small and tall people are alike."""
    chain, scale = Chain((), ()), 1.0
    for _ in range(3):
        chain = _best(candidates, scale)
        ratios = [
            distance / ((gap + 1) * _expected_mm(candidates, a, b))
            for a, b, gap in zip(chain.members, chain.members[1:], chain.missing, strict=False)
            for distance in [_distance(candidates.centres_mm, a, b)]
            if not gap
        ]
        if len(ratios) < 3:
            break
        scale = float(np.clip(np.median(ratios), 0.6, 1.3))
    return chain


def _best(candidates: Candidates, scale: float) -> Chain:
    count = len(candidates.volumes_ml)
    if not count:
        return Chain((), ())
    whole = candidates.volumes_ml / (expected_volume_ml(candidates.regions) * scale**3)
    worth = WORTH * np.minimum(1.0, 2.0 * whole) - np.where(candidates.cut, 0.0, COST)
    score, before, gaps = worth.copy(), np.full(count, -1), np.zeros(count, int)
    for b in range(count):
        for a in range(b):
            distance = _distance(candidates.centres_mm, a, b)
            spread = SPREAD_OF_CUT if candidates.cut[a] or candidates.cut[b] else SPREAD
            fit, gap = _fit(distance, scale * _expected_mm(candidates, a, b), spread)
            if score[a] + fit + worth[b] > score[b]:
                score[b], before[b], gaps[b] = score[a] + fit + worth[b], a, gap
    members, missing = [int(score.argmax())], []
    while before[members[-1]] >= 0:
        missing.append(int(gaps[members[-1]]))
        members.append(int(before[members[-1]]))
    return Chain(tuple(reversed(members)), tuple(reversed(missing)))


def _fit(distance: float, expected: float, spread: float) -> tuple[float, int]:
    """Logarithm of how well a distance fits, and with how many missing between."""
    fits = [
        -0.5 * (np.log(distance / ((gap + 1) * expected)) / spread) ** 2 - COST_OF_A_GAP * gap
        for gap in range(MOST_MISSING + 1)
    ]
    best = int(np.argmax(fits))
    return float(fits[best]), best


def _distance(centres_mm: Floats, a: int, b: int) -> float:
    return max(1.0, float(np.linalg.norm(centres_mm[a] - centres_mm[b])))


def _expected_mm(candidates: Candidates, a: int, b: int) -> float:
    regions = (candidates.regions[a] + candidates.regions[b]) / 2
    return float(regions @ np.array(REGION_SPACING_MM))
