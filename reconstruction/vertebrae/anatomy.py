"""What is known of spines before one is seen: levels, distances between neighbours, and how often numbers differ.

Distances are means over the two TotalSegmentator subjects s0327 and s0328, the TotalSegmentator example and, for the
X/reconstruction/bench_vertebrae.py DATA --spacing` prints them. A person's own
scale is a free number of the counting step, so only the pattern matters.
"""

from __future__ import annotations

from dataclasses import dataclass

REGIONS = ("cervical", "thoracic", "lumbar")
REGION_LETTERS = "CTL"
# mm from the centroid of a whole vertebra to that of the next one below.
BELOW_MM = {
    f"{letter}{n}": mm
    for letter, row in {
        "C": (17.0, 18.5, 14.4, 15.2, 16.5, 18.7, 18.7),
        "T": (22.0, 23.9, 23.0, 23.1, 23.7, 23.6, 24.0, 23.9, 24.5, 27.0, 30.0, 32.3, 32.3),
        "L": (34.9, 35.1, 34.4, 32.3, 31.6),
    }.items()
    for n, mm in enumerate(row, start=1)
}
# mm and ml of a vertebra of each region, to recognise one before its level is known.
REGION_SPACING_MM = (16.5, 24.5, 34.0)
REGION_VOLUME_ML = (13.0, 28.0, 62.0)


@dataclass(frozen=True)
class SpinePlan:
    """How many vertebrae a spine has.

    Attributes:
        thoracic, lumbar: their numbers; all people of this model have seven cervical ones.
        prior: share of people.
    """

    thoracic: int
    lumbar: int
    prior: float

    @property
    def levels(self) -> tuple[str, ...]:
        """Names from C1 down to the last lumbar one."""
        counts = (7, self.thoracic, self.lumbar)
        return tuple(
            f"{letter}{n}" for letter, count in zip(REGION_LETTERS, counts, strict=True) for n in range(1, count + 1)
        )


# About one person in ten has not 24 vertebrae above the sacrum, or the border of chest and loin elsewhere (Carrino et
# al., Radiology 2011). The shares are rounded: they decide only where what is seen does not.
PLANS = (
    SpinePlan(12, 5, 0.90),
    SpinePlan(12, 6, 0.035),
    SpinePlan(12, 4, 0.035),
    SpinePlan(13, 5, 0.01),
    SpinePlan(11, 5, 0.01),
    SpinePlan(11, 6, 0.005),
    SpinePlan(13, 4, 0.005),
)
USUAL = next(plan for plan in PLANS if (plan.thoracic, plan.lumbar) == (12, 5))


def region_of(level: str) -> int:
    """Index into `REGIONS` of a level such as ``L3``."""
    return REGION_LETTERS.index(level[0])
