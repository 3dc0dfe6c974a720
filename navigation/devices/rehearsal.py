"""A room to rehearse in: a tracker, and a hand that does what it is asked."""

from __future__ import annotations

from geometry import Surface


class Rehearsal:
    """What a rehearsal is made from.

    Args:
        skin_ct: what the simulated patient's skin is; the stylus touches and sweeps it.
        seed: decides pose, noise and hand.
    """

    def __init__(self, skin_ct: Surface, seed: int) -> None:
        self.skin_ct = skin_ct
        self.seed = seed
