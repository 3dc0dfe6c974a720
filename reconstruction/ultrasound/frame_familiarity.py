"""Whether a frame looks like the frames that a network was trained on; of others, the network knows nothing.

The distance is Mahalanobis's: in standard deviations of the familiar frames, over the numbers of `frame_descriptor`,
with what these have in common divided out (P. C. Mahalanobis, Proc. Natl. Inst. Sci. India 2(1), 1936).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats
from reconstruction.errors import FamiliarityError
from reconstruction.ultrasound.frame_descriptor import NAMES, describe

FORMAT = 1
SUFFIX = ".familiarity.json"


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What familiar frames look like.

    Attributes:
        mean: ``(n,)`` of each number of the descriptor over the familiar frames.
        deviation: ``(n,)`` standard deviation of each.
        whitening: ``(n, n)`` lower triangle; it makes the centred and scaled numbers uncorrelated, of variance 1.
        limit: distance over which a frame is unfamiliar.
        made_from: in words, of which frames, and how the limit was chosen.
    """

    mean: Floats
    deviation: Floats
    whitening: Floats
    limit: float
    made_from: str

    def distance(self, pixels: NDArray[np.uint8]) -> tuple[float, str]:
        """How far a frame ``(h, w)`` is from the familiar ones, and which of its numbers is the most unusual."""
        unusual = (describe(pixels) - self.mean) / self.deviation
        worst = int(np.abs(unusual).argmax())
        return float(np.linalg.norm(self.whitening @ unusual)), f"{NAMES[worst]} ({unusual[worst]:+.1f} deviations)"


def write_familiarity(familiarity: Familiarity, path: Path) -> None:
    """Writes the statistics as JSON, with the names of the numbers."""
    rows = [[float(f"{value:.4g}") for value in row[: i + 1]] for i, row in enumerate(familiarity.whitening.tolist())]
    text = {
        "format": FORMAT,
        "made_from": familiarity.made_from,
        "limit": round(familiarity.limit, 3),
        "numbers": {
            name: [float(f"{mean:.6g}"), float(f"{deviation:.6g}")]
            for name, mean, deviation in zip(NAMES, familiarity.mean, familiarity.deviation, strict=True)
        },
    }
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
    head = json.dumps(text, indent=2).replace("[\n      ", "[").replace(",\n      ", ", ").replace("\n    ]", "]")
    path.write_text(f'{head[:-2]},\n  "whitening": [\n{lines}\n  ]\n}}\n', "utf-8")


def familiarity_beside(description: Path) -> Familiarity | None:
    """The statistics beside a network's description, ``<name>.familiarity.json``; None where it has none.

    Raises:
        FamiliarityError: damaged, or of another version.
    """
    path = description.with_suffix(SUFFIX)
    return load_familiarity(path) if path.exists() else None


def load_familiarity(path: Path) -> Familiarity:
    """Reads the statistics that belong to a network.

    Raises:
        FamiliarityError: missing, or not the statistics of this version's descriptor.
    """
    try:
        text: dict[str, Any] = json.loads(path.read_text("utf-8"))
        names, rows, limit = list(text["numbers"]), text["whitening"], float(text["limit"])
        mean, deviation = np.array(list(text["numbers"].values()), float).T
        whitening = np.zeros((len(names), len(names)))
        for i, row in enumerate(rows):
            whitening[i, : i + 1] = row
        made_from = str(text["made_from"])
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise FamiliarityError(
            f"{path.name}, which cannot be read ({type(error).__name__}: {error})",
            "statistics of familiar frames (JSON)",
            "restore the file from the repository, or make it again",
        ) from error
    sound = np.isfinite(whitening).all() and (whitening.diagonal() > 0).all() and (deviation > 0).all() and limit > 0
    if text.get("format") != FORMAT or tuple(names) != NAMES or len(rows) != len(NAMES) or not sound:
        raise FamiliarityError(
            f"{path.name} of format {text.get('format')} with {len(names)} numbers",
            f"format {FORMAT} with this version's {len(NAMES)} numbers, finite and not degenerate",
            "make the file again with this version",
        )
    return Familiarity(mean, deviation, whitening, limit, made_from)
