"""The counting step: which numbers a row of vertebrae can have, and how probable each is.

The row is laid along every spine of `anatomy.PLANS` at every start. Each position is weighed by what is seen (Bayes'
rule, sources taken as independent): the network's regions, ribs, the sacrum below, the skull's room above, and the
pattern of distances. A number stands only if its probability, over all positions, is `SURE`; a sequence as a whole is
what Meng et al. (2023) and Payer et al. (2020) enforce too, but they return the best one however near the second is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from geometry.points import Floats
from reconstruction.vertebrae.anatomy import BELOW_MM, PLANS, SpinePlan, region_of
from reconstruction.vertebrae.chain import COST_OF_A_GAP, MOST_MISSING
from reconstruction.vertebrae.observations import SACRUM_MM, Observations

SURE = 0.9
MOST = 0.99  # of a probability that is told: that the evidence is what it seems is not in the sum
SLIPPED = 0.15  # chance that the network takes a vertebra for one of any region
REGION_WEIGHT = 0.5  # regions of neighbours are judged from the same picture, so they are not independent
RIB_WEIGHT = 0.7
# Chance of no rib, one side, both sides: chest, the two lowest of the chest, elsewhere.
RIBS_AT = {"chest": (0.08, 0.12, 0.80), "lowest": (0.25, 0.20, 0.55), "elsewhere": (0.92, 0.05, 0.03)}
# Chance that the vertebra above the sacrum is the last, or the last but one (its own taken for sacrum), or any other.
ABOVE_SACRUM = (0.95, 0.045, 0.005)
TOP_ROOM_MM = 40.0  # of scan above the highest vertebra without another: it is the atlas, or one below was found first
ATLAS = (0.80, 0.15, 0.05)
GAP_SPREAD, OPEN, OPEN_LINKS = 0.2, 0.02, 3  # of a distance about its neighbours'; probability that leaves a gap open
DISTANCE_SPREAD, SCALE_SPREAD, DISTANCE_WEIGHT = 0.08, 0.12, 0.5


@dataclass(frozen=True)
class Position:
    """One way to number a row.

    Attributes:
        plan: the spine.
        levels: a level for each vertebra.
        probability: of this way among all.
        by_source: source to the logarithm of how well it fits; larger is better.
    """

    plan: SpinePlan
    levels: tuple[str, ...]
    probability: float
    by_source: Mapping[str, float]


def positions(seen: Observations) -> tuple[Position, ...]:
    """All ways to number what is seen, likeliest first; empty if the row is longer than any spine."""
    if not len(seen.volumes_ml):
        return ()
    found = []
    for plan, (missing, log_share) in product(PLANS, _possible_gaps(seen)):
        ranks = np.concatenate([[0], np.cumsum(np.array(missing, int) + 1)])
        for start in range(len(plan.levels) - int(ranks[-1])):
            levels = tuple(plan.levels[start + rank] for rank in ranks)
            found.append((plan, levels, {"gaps": log_share, **_by_source(seen, plan, levels)}))
    if not found:
        return ()
    logs = np.array([sum(sources.values()) for _, _, sources in found])
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    return tuple(Position(found[n][0], found[n][1], float(shares[n]), found[n][2]) for n in order)


def _possible_gaps(seen: Observations) -> list[tuple[tuple[int, ...], float]]:
    """How many may be missing after each vertebra but the last, and the logarithm of how probable each answer is.

    A distance that is neither one step of its neighbours nor two leaves the count open, and so all numbers beyond it.
    """
    distances = np.linalg.norm(np.diff(seen.centres_mm, axis=0), axis=1)
    steps = distances / (np.array(seen.missing, int) + 1)
    open_links: list[tuple[float, int, dict[int, float]]] = []
    for n, distance in enumerate(distances):
        beside = [steps[m] for m in (n - 2, n - 1, n + 1, n + 2) if 0 <= m < len(steps)]
        if not beside or seen.cut[n] or seen.cut[n + 1]:
            continue
        off = np.log(distance / (np.arange(1, MOST_MISSING + 2) * np.median(beside))) / GAP_SPREAD
        logs = -0.5 * off**2 - COST_OF_A_GAP * np.arange(MOST_MISSING + 1)
        shares = np.exp(logs - np.logaddexp.reduce(logs))
        open_answers = {gap: float(np.log(share)) for gap, share in enumerate(shares) if share > OPEN}
        if len(open_answers) > 1:
            open_links.append((float(shares.max()), n, open_answers))
    links = [(n, answers) for _, n, answers in sorted(open_links)[:OPEN_LINKS]]
    found = []
    for chosen in product(*(answers.items() for _, answers in links)):
        missing = list(seen.missing)
        for (n, _), (gap, _) in zip(links, chosen, strict=True):
            missing[n] = gap
        found.append((tuple(missing), sum(log for _, log in chosen)))
    return found


def level_probabilities(ways: tuple[Position, ...]) -> tuple[dict[str, float], ...]:
    """For each vertebra, level to probability over all ways, likeliest first."""
    if not ways:
        return ()
    totals: list[dict[str, float]] = [{} for _ in ways[0].levels]
    for way in ways:
        for own, level in zip(totals, way.levels, strict=True):
            own[level] = own.get(level, 0.0) + way.probability
    return tuple(dict(sorted(own.items(), key=lambda item: -item[1])) for own in totals)


def _by_source(seen: Observations, plan: SpinePlan, levels: tuple[str, ...]) -> dict[str, float]:
    return {
        "how common": float(np.log(plan.prior)),
        "regions": _regions(seen, levels),
        "ribs": _ribs(seen, plan, levels),
        "sacrum": _sacrum(seen, plan, levels),
        "top": _top(seen, levels),
        "distances": _distances(seen, levels),
    }


def _regions(seen: Observations, levels: tuple[str, ...]) -> float:
    own = np.array([seen.regions[n, region_of(level)] for n, level in enumerate(levels)])
    return REGION_WEIGHT * float(np.log((1.0 - SLIPPED) * own + SLIPPED / 3.0).sum())


def _ribs(seen: Observations, plan: SpinePlan, levels: tuple[str, ...]) -> float:
    lowest = (f"T{plan.thoracic}", f"T{plan.thoracic - 1}")
    total = 0.0
    for level, sides, cut in zip(levels, seen.ribs, seen.cut, strict=True):
        if sides >= 0:
            where = "elsewhere" if level[0] != "T" else "lowest" if level in lowest else "chest"
            total += (0.3 if cut else 1.0) * float(np.log(RIBS_AT[where][sides]))
    return RIB_WEIGHT * total


def _sacrum(seen: Observations, plan: SpinePlan, levels: tuple[str, ...]) -> float:
    if seen.sacrum_mm is None:
        return 0.0
    between = missing_above_sacrum(seen)
    after = len(plan.levels) - 1 - plan.levels.index(levels[-1])
    chances = ABOVE_SACRUM if between == 0 else (0.7, 0.2, 0.02)  # a gap is measured less surely
    return float(np.log(chances[min(abs(after - between), 2)]))


def missing_above_sacrum(seen: Observations) -> int:
    """Vertebrae that seem to be missing between the lowest one and the sacrum."""
    if seen.sacrum_mm is None or seen.sacrum_mm <= SACRUM_MM:
        return 0
    return max(1, round(seen.sacrum_mm / BELOW_MM["L4"]))


def _top(seen: Observations, levels: tuple[str, ...]) -> float:
    if seen.above_mm < TOP_ROOM_MM:
        return 0.0
    return float(np.log(ATLAS[min(int(levels[0][1:]) - 1, 2) if levels[0][0] == "C" else 2]))


def _distances(seen: Observations, levels: tuple[str, ...]) -> float:
    """Log-normal, the person's own scale integrated out; only between whole neighbours."""
    pairs = [n for n, gap in enumerate(seen.missing) if not gap and not seen.cut[n] and not seen.cut[n + 1]]
    if not pairs:
        return 0.0
    found: Floats = np.linalg.norm(np.diff(seen.centres_mm, axis=0), axis=1)[pairs]
    off = np.log(found / np.array([BELOW_MM[levels[n]] for n in pairs]))
    # A few far-off distances, at a fracture or a bad border, must not outvote all the rest.
    off = np.median(off) + np.clip(off - np.median(off), -3 * DISTANCE_SPREAD, 3 * DISTANCE_SPREAD)
    shared = SCALE_SPREAD**2 / (DISTANCE_SPREAD**2 + len(off) * SCALE_SPREAD**2)
    squares = float((off**2).sum() - shared * off.sum() ** 2) / DISTANCE_SPREAD**2
    return -0.5 * DISTANCE_WEIGHT * squares
