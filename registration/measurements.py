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
    """A landmark touched with the tip: mean ``(3,)`` in ``reference``, RMS spread of its frames, their number.

    Spread and number are None where a file did not tell them.
    """

    point_reference_mm: Floats
    spread_rms_mm: float | None
    n_frames: int | None


Start = Literal["landmarks", "global"]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was planned and measured for one registration.

    Attributes:
        landmarks_ct: planned, name -> ``(3,)`` in ct; only those in `touched` take part.
        touched: by the same names, in reference.
        swept_reference_mm: ``(n, 3)``; empty without a sweep.
        targets_ct: name -> ``(3,)`` in ct.
        tip_error_rms_mm: expected error of the tip that touched; None if unknown.
        unordered: touched points of which nobody knows the landmark, in place of `touched`.
        doubts: about planned landmarks whose place nothing vouches for, in words, by name.
        kinds: what each landmark is, and so how far it may have moved; where it is not said, by where it lies
            (`landmark_kinds.py`).
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
        """Where the pose begins: without any touched point, from the sweep alone."""
        return "landmarks" if self.touched or self.unordered or not len(self.swept_reference_mm) else "global"

    def pairs(self) -> tuple[tuple[str, ...], Floats, Floats]:
        """Names, and the landmarks in ct and in reference, ``(n, 3)`` each."""
        unknown = [name for name in self.touched if name not in self.landmarks_ct]
        if unknown:
            raise RegisteringError(
                f"touched landmarks that nobody planned: {', '.join(unknown)}",
                f"names among {', '.join(self.landmarks_ct) or 'none'}",
                "give both sides the same names",
            )
        names = tuple(name for name in self.landmarks_ct if name in self.touched)
        planned = np.array([self.landmarks_ct[name] for name in names]).reshape(-1, 3)
        touched = np.array([self.touched[name].point_reference_mm for name in names]).reshape(-1, 3)
        return names, planned, touched

    def touch_order(self) -> tuple[int, ...]:
        """In which place each of `pairs` was touched, counted from 0; empty where nobody knows."""
        made = list(self.touched)
        return tuple(made.index(name) for name in self.landmarks_ct if name in self.touched)
