"""nnU-Net's sliding window: half-overlapping patches, weighted with a Gaussian, summed in half precision as there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, combinations, product
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles

if TYPE_CHECKING:
    import torch

STEP, SIGMA_SHARE, HIGHEST_WEIGHT = 0.5, 0.125, 10.0


def predict(
    voxels: Singles,
    patch: Sequence[int],
    networks: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    heads: int,
    mirror_axes: Sequence[int] = (),
    progress: Callable[[float], None] | None = None,
) -> torch.Tensor:
    """Logits ``(heads, a, b, c)`` of half precision: the mean of the networks, each of the windows' weighted mean.

    Args:
        voxels: ``(1, a, b, c)``, normalised; padded with 0 where smaller than the patch.
        patch: voxels of a window.
        networks: of each fold, ``(1, 1, *patch)`` to ``(1, heads, *patch)``.
        mirror_axes: axes 0, 1, 2 along which each window is mirrored too, in all combinations.
        progress: called with the share done.
    """
    with from_extra("training"):
        import torch

    missing = [max(0, p - n) for p, n in zip(patch, voxels.shape[1:], strict=True)]
    padded = torch.from_numpy(np.pad(voxels, [(0, 0), *((m // 2, m - m // 2) for m in missing)]))
    places = list(product(*(_starts(n, p) for n, p in zip(padded.shape[1:], patch, strict=True))))
    weights = torch.from_numpy(window_weights(patch)).half()
    weights[weights == 0] = weights[weights != 0].min()
    total = torch.zeros((heads, *padded.shape[1:]), dtype=torch.half)
    with torch.inference_mode():
        for fold, network in enumerate(networks):
            logits, sums = torch.zeros((heads, *padded.shape[1:]), dtype=torch.half), torch.zeros_like(padded[0]).half()
            for done, place in enumerate(places, start=1):
                where = tuple(slice(s, s + p) for s, p in zip(place, patch, strict=True))
                answer = _mirrored(network, padded[(slice(None), *where)][None].contiguous(), mirror_axes)[0]
                logits[(slice(None), *where)] += answer * weights
                sums[where] += weights
                if progress is not None:
                    progress((fold + done / len(places)) / len(networks))
            logits /= sums
            total += logits
    result = total / len(networks)
    kept = (slice(m // 2, m // 2 + n) for m, n in zip(missing, voxels.shape[1:], strict=True))
    return result[(slice(None), *kept)]


def window_weights(patch: Sequence[int]) -> Singles:
    """A Gaussian around the window's middle voxel, at most `HIGHEST_WEIGHT`."""
    from scipy.ndimage import gaussian_filter

    point = np.zeros(patch)
    point[tuple(n // 2 for n in patch)] = 1.0
    smooth = gaussian_filter(point, [n * SIGMA_SHARE for n in patch], mode="constant")
    return np.asarray(smooth / (smooth.max() / HIGHEST_WEIGHT))


def _starts(n: int, patch: int) -> list[int]:
    """First voxels of the windows: as few as steps of half a patch need, evenly spread."""
    count = int(np.ceil((n - patch) / (patch * STEP))) + 1
    return [round((n - patch) / max(1, count - 1) * index) for index in range(count)]


def _mirrored(
    network: Callable[[torch.Tensor], torch.Tensor], window: torch.Tensor, axes: Sequence[int]
) -> torch.Tensor:
    total = network(window)
    turns = list(chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1)))
    for turn in turns:
        flipped = [axis + 2 for axis in turn]
        total = total + network(window.flip(flipped)).flip(flipped)
    return total / (len(turns) + 1)
