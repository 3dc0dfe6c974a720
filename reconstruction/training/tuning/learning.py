"""The tuning loop: the site's labels where it has some, the old network's own answer everywhere else.

A site labels a few structures; to treat the rest as background would make the network forget it. Learning without
forgetting (Li and Hoiem 2016): of the voxels without label, the target is the old network's answer, less the classes
that the site has labelled, which these voxels are not. Between the site's windows the network rehearses on other scans,
with its old answer as the target, for what the site's scans do not show.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.weights import Weights
from reconstruction.training.train import soft_dice_cross_entropy
from reconstruction.training.tuning.settings import TuningSettings
from reconstruction.training.tuning.site import SiteScan

if TYPE_CHECKING:
    import torch

Progress = Callable[[int, int, float], None]
Parameters = dict[str, Any]

ROTATE_DEG, SCALE, NOISE_HU = 8.0, 0.1, 25.0
MARGIN = 1.2  # room around a window for its rotation
LITTLE = 1e-3  # of probability, so that no class is impossible


def learn(
    network: torch.nn.Module,
    weights: Weights,
    scans: Sequence[SiteScan],
    rehearsal: Sequence[SiteScan],
    settings: TuningSettings,
    progress: Progress | None = None,
) -> Parameters:
    """Tunes a copy of the network and returns the running average of its parameters; the network itself stays.

    Args:
        network: with the parameters that `weights` describes.
        scans: labelled scans to learn from.
        rehearsal: scans on which the old answer is the target; their labels are not looked at.
        progress: called after each iteration with (iteration, iterations, loss).
    """
    with from_extra("training"):
        import torch

    torch.manual_seed(settings.seed)
    old, new = network.eval(), copy.deepcopy(network).train()
    average = {name: value.detach().clone() for name, value in new.state_dict().items()}
    optimiser = torch.optim.AdamW(new.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    loss_of, draw = soft_dice_cross_entropy(), _Windows(weights, settings)
    count = len(weights.classes)
    for number in range(settings.iterations):
        rehearses = bool(rehearsal) and settings.keep_old and number % settings.rehearse_every == 0
        scan = (rehearsal if rehearses else scans)[number % len(rehearsal if rehearses else scans)]
        clean, noisy, shares = draw(scan, number)
        goal_of = {} if rehearses else shares
        with torch.no_grad():
            before = old(clean)
        goal = target(before[:, :count].softmax(1), goal_of, keep_old=settings.keep_old)
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 - number / settings.iterations)
        after = new(noisy)
        loss = loss_of(after[:, :count], goal)
        if after.shape[1] > count:  # what is regressed beside the classes stays as it was
            loss = loss + torch.nn.functional.smooth_l1_loss(after[:, count:], before[:, count:])
        _step(new, optimiser, loss)
        _follow(average, new, min(1 - 1 / settings.average_over, (number + 1) / (number + 5)))
        if progress is not None:
            progress(number + 1, settings.iterations, float(loss.detach()))
    return average


def _step(network: torch.nn.Module, optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    with from_extra("training"):
        import torch

    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


def _follow(average: Parameters, network: torch.nn.Module, decay: float) -> None:
    """Moves the running average towards the network's parameters, in place."""
    with from_extra("training"):
        import torch

    with torch.no_grad():
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1 - decay)


def target(old: torch.Tensor, shares: Mapping[tuple[int, ...], torch.Tensor], keep_old: bool = True) -> torch.Tensor:
    """Class probabilities to learn ``(1, c, k, j, i)``.

    Args:
        old: the old network's, ``(1, c, k, j, i)``.
        shares: classes that a label may mean -> its share of each voxel ``(1, 1, k, j, i)``; within a label the old
            network decides between them.
        keep_old: of what has no label, the old answer without these classes; else the class `body`, as if it were
            background, where the old network is not surely outside.
    """
    with from_extra("training"):
        import torch

    goal = torch.zeros_like(old)
    labelled = torch.zeros_like(old[:, :1])
    for group, share in shares.items():
        goal[:, list(group)] += share * _normalised(old[:, list(group)])
        labelled = labelled + share
    rest = [index for index in range(old.shape[1]) if all(index not in group for group in shares)]
    if rest:
        free = (1 - labelled).clamp(min=0)
        known = rest if keep_old else [index for index in rest if index < 2]
        goal[:, known] += free * _normalised(old[:, known])
    return goal / goal.sum(1, keepdim=True).clamp(min=LITTLE)


def between(old: Mapping[str, Any], new: Mapping[str, Any], share: float) -> Parameters:
    """Parameters on the straight line from the old to the new ones (Wortsman et al. 2022): 0 is old, 1 is new."""
    return {name: value + share * (new[name] - value) for name, value in old.items()}


def _normalised(part: torch.Tensor) -> torch.Tensor:
    part = part + LITTLE
    return part / part.sum(1, keepdim=True)


class _Windows:
    """Draws window number n: the same number gives the same window."""

    def __init__(self, weights: Weights, settings: TuningSettings) -> None:
        with from_extra("training"):
            from monai.transforms import RandAffine
        step = weights.stride
        self._window = [max(2 * step, min(n, settings.largest_side) // step * step) for n in weights.window]
        self._seed = settings.seed
        self._turn = RandAffine(
            prob=1.0,
            spatial_size=self._window,
            rotate_range=[np.deg2rad(ROTATE_DEG)] * 3,
            scale_range=[SCALE] * 3,
            padding_mode="border",
        )

    def __call__(
        self, scan: SiteScan, number: int
    ) -> tuple[torch.Tensor, torch.Tensor, dict[tuple[int, ...], torch.Tensor]]:
        """HU ``(1, 1, k, j, i)``, the same with noise, and shares of labels."""
        with from_extra("training"):
            import torch

        rng = np.random.default_rng((self._seed, number))
        region = self._region(scan, rng)
        stack: list[Singles] = [
            scan.hu[region],
            *(np.divide(share[region], 255, dtype=np.float32) for share in scan.shares.values()),
        ]
        self._turn.set_random_state(seed=int(rng.integers(2**31)))
        warped = self._turn(torch.from_numpy(np.stack(stack))).as_tensor()[None]
        clean = warped[:, :1]
        noise = rng.normal(0.0, NOISE_HU * rng.random(), clean.shape).astype(np.float32)
        parts = {group: warped[:, n : n + 1].clamp(0, 1) for n, group in enumerate(scan.shares, start=1)}
        return clean, clean + torch.from_numpy(noise), parts

    def _region(self, scan: SiteScan, rng: np.random.Generator) -> tuple[slice, ...]:
        """A window with margin, every second one around a labelled voxel, any label as often as another."""
        centre = np.array([rng.integers(n) for n in scan.hu.shape])
        if rng.random() < 0.5:
            share = list(scan.shares.values())[int(rng.integers(len(scan.shares)))]
            places = np.flatnonzero(share > 127)
            if places.size:
                centre = np.array(np.unravel_index(int(rng.choice(places)), share.shape))
        slices = []
        for middle, window, size in zip(centre, self._window, scan.hu.shape, strict=True):
            length = min(int(window * MARGIN), size)
            first = int(np.clip(middle - length // 2, 0, size - length))
            slices.append(slice(first, first + length))
        return tuple(slices)
