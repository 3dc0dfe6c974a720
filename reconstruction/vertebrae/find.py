"""From a network's evidence to numbered vertebrae."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.vertebrae.anatomy import REGIONS
from reconstruction.vertebrae.chain import Chain, best_chain
from reconstruction.vertebrae.discs import find_bodies
from reconstruction.vertebrae.evidence import SpineEvidence
from reconstruction.vertebrae.findings import SCATTERED, anchors, not_sure, spine_findings
from reconstruction.vertebrae.growth import grow
from reconstruction.vertebrae.numbering import MOST, SURE, Position, level_probabilities, positions
from reconstruction.vertebrae.observations import Observations, observe
from reconstruction.vertebrae.result import Vertebra, Vertebrae
from reconstruction.vertebrae.votes import Candidates, gather_votes

LEAST_TOLD = 0.01


def find_vertebrae(evidence: SpineEvidence, bone: Volume | None = None) -> Vertebrae:
    """Finds the vertebrae, gives each its bone and, where it is sure, its number.

    Args:
        evidence: what a network says, with offsets or without.
        bone: probability or mask of all bone on a finer grid, in the same frame; None to stay on the network's grid.
    """
    if evidence.offsets_mm is not None:
        candidates = gather_votes(evidence, evidence.offsets_mm)
    else:
        candidates = find_bodies(evidence, bone or evidence.grid.with_voxels(evidence.vertebra))
    chain = best_chain(candidates)
    labels, missing = _labels(evidence, candidates, chain, bone)
    seen = observe(evidence, labels, missing)
    ways = positions(seen)
    vertebrae = _described(seen, ways, by_discs=evidence.offsets_mm is None)
    names = tuple(v.number or v.name.removeprefix("vertebra_").replace("_", " vertebra ") for v in vertebrae)
    findings = spine_findings(seen, ways, names) + _of_votes(evidence, candidates)
    unsure = tuple(n for n, vertebra in enumerate(vertebrae) if vertebra.number is None)
    return Vertebrae(vertebrae, labels, findings + not_sure(ways, unsure))


def _labels(
    evidence: SpineEvidence, candidates: Candidates, chain: Chain, bone: Volume | None
) -> tuple[Volume, tuple[int, ...]]:
    """Labels of the chain's members that got any bone, from 1 without gaps, and what is missing between them.

    Candidates above or below the chain grow too, so that its ends do not take their bone, and are then cleared; votes
    for those within it were scattered, and their bone goes to the vertebrae around.
    """
    members = np.array(chain.members, int)
    within = np.zeros(len(candidates.volumes_ml) + 1, bool)
    if len(members):
        within[members[0] : members[-1]] = True
        within[members] = False
    grown = grow(evidence, np.where(within[candidates.owners], -1, candidates.owners), bone)
    occurring = set(np.unique(grown.voxels).tolist())
    kept, missing = [], []
    for n, member in enumerate(chain.members):
        if member + 1 in occurring:
            kept.append(member)
            missing.append(chain.missing[n] if n < len(chain.missing) else 0)
        elif missing:
            missing[-1] += 1 + (chain.missing[n] if n < len(chain.missing) else 0)
    table: NDArray[np.uint8] = np.zeros(len(candidates.volumes_ml) + 1, np.uint8)
    table[np.array(kept, int) + 1] = np.arange(1, len(kept) + 1)
    return grown.with_voxels(table[grown.voxels]), tuple(missing[:-1])


def _described(seen: Observations, ways: tuple[Position, ...], by_discs: bool) -> tuple[Vertebra, ...]:
    """All that is known of each. Parted at discs alone, what the edge cuts may be two, and gets no number."""
    told = level_probabilities(ways) or tuple({} for _ in seen.cut)
    found = []
    for n, levels in enumerate(told):
        best, confidence = next(iter(levels.items()), ("", 0.0))
        number = best if confidence >= SURE and not (by_discs and seen.cut[n]) else None
        found.append(
            Vertebra(
                label=n + 1,
                name=f"vertebra_{number.lower()}" if number else f"vertebra_unnumbered_{n + 1}",
                number=number,
                confidence=round(min(confidence, MOST), 3),
                candidates={level: round(p, 3) for level, p in levels.items() if p >= LEAST_TOLD},
                centre_ct_mm=_three(seen.centres_mm[n], 1),
                volume_ml=round(float(seen.volumes_ml[n]), 1),
                cut=seen.cut[n],
                regions=_three(seen.regions[n], 3),
                ribs=None if seen.ribs[n] < 0 else seen.ribs[n],
                reasons=_reasons(seen, n),
            )
        )
    return tuple(found)


def _three(values: Floats, digits: int) -> tuple[float, float, float]:
    a, b, c = (round(float(value), digits) for value in values)
    return a, b, c


def _reasons(seen: Observations, n: int) -> tuple[str, ...]:
    region = int(seen.regions[n].argmax())
    said = [f"the network takes it for {REGIONS[region]} ({seen.regions[n, region]:.0%})"]
    if seen.ribs[n] >= 0:
        said.append(("no rib at it", "a rib at one side", "ribs at both sides")[seen.ribs[n]])
    said += [f"counted from {anchor}" for anchor in anchors(seen)]
    if seen.cut[n]:
        said.append("cut by the edge of the scan")
    return tuple(said)


def _of_votes(evidence: SpineEvidence, candidates: Candidates) -> tuple[str, ...]:
    if evidence.offsets_mm is None:
        return ("the network gives no offsets: vertebrae are parted at the discs",)
    clear = float((candidates.owners >= 0).mean()) if len(candidates.owners) else 1.0
    if clear >= SCATTERED:
        return ()
    return (f"the network's votes for centroids are scattered: {clear:.0%} of them are clear",)
