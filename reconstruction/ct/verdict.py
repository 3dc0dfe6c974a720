"""The quality verdict as a value: how far a CT can be trusted, and why. Making one is `reconstruction.ct.quality`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "usable", "refused"]


@dataclass(frozen=True)
class QualityVerdict:
    """How far a CT can be trusted.

    Attributes:
        level: ``good`` (no reasons), ``usable`` (readable and true, with the limits that `reasons` name) or
            ``refused`` (it would be meshed or placed wrongly).
        reasons: why the level is not ``good``, each with its measured value.
        notes: observations that do not lower the level, such as a localizer left out.
    """

    level: Level
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
