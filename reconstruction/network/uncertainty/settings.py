"""How much is spent on saying how sure the network is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from reconstruction.network.uncertainty.perturbation import Perturbation

Effort = Literal["none", "quick", "full"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)

# Passes of the network beside its own.
PASSES: Mapping[Effort, int] = MappingProxyType({"none": 0, "quick": 1, "full": 8})
# Share of the channels left out.
DROPOUT = 0.02
OFFSET_HU = 20.0
NOISE_HU = 10.0
ROTATION_DEG = 4.0
SCALE = 0.03
SEED = 20261126


def perturbations(effort: Effort, stride: int) -> tuple[Perturbation, ...]:
    """The changes of the CT, one for each pass: in pairs of opposite sign.

    `quick` shifts, and offsets HU; `full` also rotates, scales and adds noise from its third pass on.
    """
    rng = np.random.default_rng(SEED)
    made = []
    for index in range(PASSES[effort]):
        sign = 1.0 if index % 2 == 0 else -1.0
        k, j, i = (int(n) for n in rng.integers(1, stride, 3))
        turned = 0.0 if index < 2 else sign
        made.append(
            Perturbation(
                shift=(k, j, i),
                rotation_deg=turned * ROTATION_DEG,
                scale=1.0 + turned * SCALE,
                offset_hu=sign * OFFSET_HU,
                noise_hu=NOISE_HU if index >= 2 else 0.0,
                seed=SEED + index,
            )
        )
    return tuple(made)
