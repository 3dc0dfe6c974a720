"""What a rehearsal without a patient is made from."""

from __future__ import annotations

from geometry import Surface


class Rehearsal:
    """Input of the simulated tracker and hand.

    Attributes:
        skin_ct: the simulated patient's skin in ``ct``, which the stylus touches and sweeps.
        seed: determines the patient's pose, the tracker's noise and the hand's errors.
    """

    def __init__(self, skin_ct: Surface, seed: int) -> None:
        self.skin_ct = skin_ct
        self.seed = seed
