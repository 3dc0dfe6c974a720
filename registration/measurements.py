"""What was measured at the patient, before anything is computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from geometry.points import Floats
from registration.errors import RegisteringError
from registration.uncertainty.mobility import LandmarkKind


@dataclass(frozen=True, eq=False)
class TouchedPoint:
    """A landmark touched with the tip of the stylus.

    Attributes:
        point_reference_mm: mean position ``(3,)`` over the frames, in reference.
        spread_rms_mm: RMS distance of the frames from that mean; None if unknown.
        n_frames: number of frames averaged; None if unknown.
    """

    point_reference_mm: Floats
    spread_rms_mm: float | None
    n_frames: int | None


Start = Literal["landmarks", "global", "registration"]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was planned and measured for one registration.

    Attributes:
        landmarks_ct: planned landmarks, name -> ``(3,)`` in ct, in mm; only those in `touched` take part.
        touched: touched landmarks by the same names, in the order of touching.
        swept_reference_mm: swept points ``(n, 3)`` in reference; empty without a sweep.
        targets_ct: name -> ``(3,)`` in ct, in mm.
        tip_error_rms_mm: expected RMS error of the stylus tip; None if unknown.
        unordered: touched points whose landmark is unknown; given instead of `touched`.
        doubts: by landmark name, in words: planned landmarks that lie on no approved surface.
        kinds: the kinds that the plan states, by landmark name; the others follow from where the landmark lies
            (`landmarks/kinds.py`).
    """

    landmarks_ct: Mapping[str, Floats]
    touched: Mapping[str, TouchedPoint]
    swept_reference_mm: Floats = field(default_factory=lambda: np.empty((0, 3)))
    targets_ct: Mapping[str, Floats] = field(default_factory=dict)
    tip_error_rms_mm: float | None = None
    unordered: tuple[TouchedPoint, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, LandmarkKind] = field(default_factory=dict)

    @property
    def start(self) -> Start:
        """How the pose is found first: from landmarks, or, without any touched point, from the sweep alone."""
        return "landmarks" if self.touched or self.unordered or not len(self.swept_reference_mm) else "global"

    def pairs(self) -> tuple[tuple[str, ...], Floats, Floats]:
        """Names of the touched landmarks, and their positions in ct and in reference, ``(n, 3)`` each, in mm.

        Raises:
            RegisteringError: a touched landmark has no planned one of its name.
        """
        unknown = [name for name in self.touched if name not in self.landmarks_ct]
        if unknown:
            raise RegisteringError(
                f"touched landmarks that were not planned: {', '.join(unknown)}",
                f"names of planned landmarks ({', '.join(self.landmarks_ct) or 'there are none'})",
                "give planned and touched landmarks the same names",
            )
        names = tuple(name for name in self.landmarks_ct if name in self.touched)
        planned = np.array([self.landmarks_ct[name] for name in names]).reshape(-1, 3)
        touched = np.array([self.touched[name].point_reference_mm for name in names]).reshape(-1, 3)
        return names, planned, touched

    def touch_order(self) -> tuple[int, ...]:
        """The place in which each landmark of `pairs` was touched, counted from 0."""
        made = list(self.touched)
        return tuple(made.index(name) for name in self.landmarks_ct if name in self.touched)
