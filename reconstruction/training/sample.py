"""What the training loop draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sample:
    """One batch: inputs ``(n, 1, ...)``, HU of volumes or grey 0 to 1 of images; fractions ``(n, classes, ...)``.

    `known` ``(n, 1, ...)`` is false where the fractions are not known, so that nothing is asked; None: all are.
    `offsets` ``(n, 3, ...)`` lead to the centre of the thing at a voxel along i, j, k, in the network's unit, where
    `on_thing` ``(n, 1, ...)`` is true.
    """

    inputs: torch.Tensor
    fractions: torch.Tensor
    known: torch.Tensor | None = None
    offsets: torch.Tensor | None = None
    on_thing: torch.Tensor | None = None
