"""What a person should look at in a numbered spine, in sentences."""

from __future__ import annotations

import numpy as np

from reconstruction.vertebrae.anatomy import REGIONS, USUAL, SpinePlan
from reconstruction.vertebrae.numbering import TOP_ROOM_MM, Position, missing_above_sacrum
from reconstruction.vertebrae.observations import Observations

LIKELY, POSSIBLE = 0.5, 0.1
COUNTS = {4: "four", 5: "five", 6: "six", 11: "eleven", 12: "twelve", 13: "thirteen"}
UNEVEN = 0.3  # by which a distance may differ from the mean of its neighbours', as a share
SMALL = 0.5  # of the mean volume of its neighbours
SCATTERED = 0.6  # share of a spine's voxels whose vote is clear, less and instances are doubtful


def spine_findings(seen: Observations, ways: tuple[Position, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """All findings, the gravest first.

    Args:
        names: what to call each vertebra.
    """
    if not names:
        return ("no vertebra found",)
    if not ways:
        return (f"{len(names)} vertebrae in a row with those missing between, more than a spine has: count by hand",)
    return (
        *_unusual(seen, ways),
        *_disagreeing(seen),
        *_disordered(seen, names),
        *_gaps(seen, names),
        *_without_anchor(seen, ways),
        *_irregular(seen, names),
        *(f"{name} is cut by the edge of the scan" for name, cut in zip(names, seen.cut, strict=True) if cut),
    )


def _unusual(seen: Observations, ways: tuple[Position, ...]) -> list[str]:
    """Six lumbar vertebrae and the like, where what shows them is in the scan."""
    shares: dict[str, float] = {}
    for way in ways:
        said = _shown(way.plan, way.levels, seen)
        if said:
            shares[said] = shares.get(said, 0.0) + way.probability
    found = []
    for said, share in sorted(shares.items(), key=lambda item: -item[1]):
        if share >= LIKELY:
            found.append(f"{said} ({share:.0%} probable): check the level before anything is counted from it")
        elif share >= POSSIBLE:
            found.append(f"perhaps {said} ({share:.0%} probable): check the level")
    return found


def _shown(plan: SpinePlan, levels: tuple[str, ...], seen: Observations) -> str:
    """What is unusual in the part of a plan that the scan shows; empty if nothing."""
    lumbar = "L6" in levels or (plan.lumbar == 4 and "L4" in levels and seen.sacrum_mm is not None and "T12" in levels)
    thoracic = "T13" in levels or (plan.thoracic == 11 and {"T11", "L1"} <= set(levels) and "T1" in levels)
    parts = [f"{COUNTS[plan.lumbar]} lumbar vertebrae"] if lumbar else []
    parts += [f"{COUNTS[plan.thoracic]} thoracic vertebrae"] if thoracic else []
    return " and ".join(parts)


def not_sure(ways: tuple[Position, ...], unsure: tuple[int, ...]) -> tuple[str, ...]:
    """Which numbers the row could have, where some of them do not stand; `unsure` are their places in the row."""
    if not unsure or not ways:
        return ()
    shares: dict[str, float] = {}
    for way in ways:
        first, last = way.levels[unsure[0]], way.levels[unsure[-1]]
        said = first if first == last else f"{first} to {last}"
        shares[said] = shares.get(said, 0.0) + way.probability
    likeliest = sorted(shares.items(), key=lambda item: -item[1])[:3]
    told = " or ".join(f"{said} ({share:.0%})" for said, share in likeliest)
    return (f"not sure of {len(unsure)} of {len(ways[0].levels)} numbers: {told}",)


def anchors(seen: Observations) -> dict[str, int]:
    """Anchor to the rank, in a usual spine, that it gives the highest vertebra; 0 is C1."""
    ranks = np.concatenate([[0], np.cumsum(np.array(seen.missing, int) + 1)])
    found = {}
    if seen.sacrum_mm is not None:
        found["the sacrum"] = len(USUAL.levels) - 1 - missing_above_sacrum(seen) - int(ranks[-1])
    both = np.flatnonzero(np.array(seen.ribs) == 2)
    if len(both) and both[-1] + 1 < len(ranks) and seen.ribs[both[-1] + 1] == 0:
        found["the lowest ribs"] = USUAL.levels.index("T12") - int(ranks[both[-1]])
    if len(both) and both[0] > 0 and seen.ribs[both[0] - 1] == 0 and seen.regions[both[0] - 1].argmax() == 0:
        found["the highest ribs"] = USUAL.levels.index("T1") - int(ranks[both[0]])
    chest = np.flatnonzero(seen.regions.argmax(axis=1) == 1)
    if len(chest) and chest[-1] + 1 < len(ranks) and seen.regions[chest[-1] + 1].argmax() == 2:
        found["the network's border of chest and loin"] = USUAL.levels.index("T12") - int(ranks[chest[-1]])
    if len(chest) and chest[0] > 0 and seen.regions[chest[0] - 1].argmax() == 0:
        found["the network's border of neck and chest"] = USUAL.levels.index("T1") - int(ranks[chest[0]])
    if seen.above_mm >= TOP_ROOM_MM and seen.regions[0].argmax() == 0:
        found["the room above the highest one"] = 0
    return found


def _disagreeing(seen: Observations) -> list[str]:
    """Each anchor that contradicts the first of them, as they would number a usual spine."""
    found = list(anchors(seen).items())
    said = []
    for anchor, rank in found[1:]:
        off = abs(rank - found[0][1])
        if off:
            by = "one" if off == 1 else str(off)
            said.append(f"two anchors disagree by {by} in a usual spine: {found[0][0]} and {anchor}")
    return said


def _disordered(seen: Observations, names: tuple[str, ...]) -> list[str]:
    regions = seen.regions.argmax(axis=1)
    return [
        f"out of order: the network takes {names[n + 1]} for {REGIONS[regions[n + 1]]}, below {names[n]} that it takes "
        f"for {REGIONS[regions[n]]}"
        for n in np.flatnonzero(np.diff(regions) < 0)
    ]


def _gaps(seen: Observations, names: tuple[str, ...]) -> list[str]:
    said = [
        f"gap: {_vertebrae(gap)} missing between {names[n]} and {names[n + 1]}"
        for n, gap in enumerate(seen.missing)
        if gap
    ]
    below = missing_above_sacrum(seen)
    if below and seen.sacrum_mm is not None:
        said.append(
            f"gap: {seen.sacrum_mm:.0f} mm between {names[-1]} and the sacrum, {_vertebrae(below)} may be missing"
        )
    return said


def _without_anchor(seen: Observations, ways: tuple[Position, ...]) -> list[str]:
    if seen.sacrum_mm is not None:
        return []
    rests = [name for name in anchors(seen) if name != "the sacrum"]
    on = f"the numbers rest on {', '.join(rests)}" if rests else "nothing in it can be counted from"
    where = "in the field of view" if seen.below_mm < TOP_ROOM_MM else "found below the lowest vertebra"
    return [f"no sacrum {where}: {on}"]


def _irregular(seen: Observations, names: tuple[str, ...]) -> list[str]:
    said = []
    distances = np.linalg.norm(np.diff(seen.centres_mm, axis=0), axis=1) / (np.array(seen.missing, int) + 1)
    whole = [not (seen.cut[n] or seen.cut[n + 1]) for n in range(len(distances))]
    for n in range(len(distances)):
        beside = [distances[m] for m in (n - 1, n + 1) if 0 <= m < len(distances) and whole[m]]
        if whole[n] and beside and abs(distances[n] / np.mean(beside) - 1.0) > UNEVEN:
            said.append(
                f"uneven: {names[n]} and {names[n + 1]} lie {distances[n]:.0f} mm apart, their neighbours "
                f"{np.mean(beside):.0f} mm"
            )
    for n, volume in enumerate(seen.volumes_ml):
        near = [seen.volumes_ml[m] for m in (n - 1, n + 1) if 0 <= m < len(names) and not seen.cut[m]]
        if not seen.cut[n] and near and volume < SMALL * np.mean(near):
            said.append(f"small: {names[n]} has {volume:.0f} ml, its neighbours {np.mean(near):.0f} ml")
    return said


def _vertebrae(count: int) -> str:
    return "one vertebra" if count == 1 else f"{count} vertebrae"
