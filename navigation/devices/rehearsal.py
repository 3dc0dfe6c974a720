"""What a rehearsal without a patient is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geometry import Surface


@dataclass(frozen=True)
class Rehearsal:
    """Input of the simulated tracker and hand; drivers of real trackers do not look at it.

    Attributes:
        read_skin_ct: reads the simulated patient's skin in ``ct``, which the stylus touches and sweeps; may raise a
            SurgNavError.
        seed: determines the patient's pose, the tracker's noise and the hand's errors.
    """

    read_skin_ct: Callable[[], Surface]
    seed: int
