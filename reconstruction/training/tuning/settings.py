"""How a network is tuned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """How long and how far a network is tuned.

    Attributes:
        iterations: windows that it learns from.
        learning_rate: of AdamW at the start; it falls to nothing in a straight line.
        average_over: iterations of the running average of the weights, which is what is judged.
        largest_side: of a window in training, voxels; smaller than in use, for speed.
        rehearse_every: every so many windows is one of a rehearsal scan, where the network learns its old answer.
        keep_old: unlabelled tissue keeps the old network's answer; False teaches the labels alone, to compare with.
        shares: how far to go from the old weights to the tuned ones; the best that keeps the old structures is taken.
        largest_loss: of Dice that an old structure may lose.
        known_from: Dice from which on the old network counts as knowing a structure of the rehearsal scans.
        seed: of all that is drawn.
    """

    iterations: int = 150
    learning_rate: float = 5e-4
    average_over: int = 30
    largest_side: int = 64
    rehearse_every: int = 3
    keep_old: bool = True
    shares: tuple[float, ...] = (1.0, 0.6, 0.3)
    largest_loss: float = 0.01
    known_from: float = 0.5
    seed: int = 1
