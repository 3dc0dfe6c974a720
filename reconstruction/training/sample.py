"""What the training loop draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sample:
    """One batch: inputs ``(n, 1, ...)``, HU of volumes or grey 0 to 1 of images; fractions ``(n, classes, ...)``."""

    inputs: torch.Tensor
    fractions: torch.Tensor
