"""What is known of a spine's vertebrae: which, how sure, and what a person should look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from geometry.volume import Volume


@dataclass(frozen=True)
class Vertebra:
    """One vertebra.

    Attributes:
        label: its value in the label volume, from 1.
        name: of its structure in a case: ``vertebra_l3``, or ``vertebra_unnumbered_2`` counted from the head.
        number: its level, such as ``L3``; None if no level has `SURE` of the probability.
        confidence: probability of the likeliest level, 0 to 1.
        candidates: level to probability, likeliest first; those under 1 % are left out.
        centre_ct_mm: centroid of its bone in the frame of the volume.
        volume_ml: of its bone.
        cut: by the edge of the scan.
        regions: shares of cervical, thoracic and lumbar by the network.
        ribs: 0, 1 or 2 sides on which a rib lies at it; None if ribs could not be seen there.
        reasons: what the number rests on, and what makes it unsure.
    """

    label: int
    name: str
    number: str | None
    confidence: float
    candidates: Mapping[str, float]
    centre_ct_mm: tuple[float, float, float]
    volume_ml: float
    cut: bool
    regions: tuple[float, float, float]
    ribs: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Vertebrae:
    """All vertebrae of a scan.

    Attributes:
        vertebrae: from the head down.
        labels: uint8, the label of each vertebra's bone, 0 elsewhere.
        findings: about the spine as a whole, for a person to check.
    """

    vertebrae: tuple[Vertebra, ...]
    labels: Volume
    findings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without the label volume."""
        return findings_as_json(self.vertebrae, self.findings)


def findings_as_json(vertebrae: tuple[Vertebra, ...], findings: tuple[str, ...]) -> dict[str, Any]:
    """The record of `Vertebrae.to_json`; of vertebrae that others have numbered, the findings alone."""
    return {
        "schema": "surgnav.vertebrae",
        "version": 1,
        "vertebrae": [asdict(vertebra) | {"candidates": dict(vertebra.candidates)} for vertebra in vertebrae],
        "findings": list(findings),
    }
