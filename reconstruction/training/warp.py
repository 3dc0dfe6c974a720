"""Random deformations of a training window, of its pictures and of the points in it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from geometry.points import Floats, Singles
from reconstruction.training.config import TrainingConfig

if TYPE_CHECKING:
    import torch


class Warp:
    """A deformation: where in the region each voxel of the window comes from."""

    def __init__(self, matrix: Floats, field: torch.Tensor, region: tuple[int, ...], window: tuple[int, ...]) -> None:
        self._matrix, self._field, self._region, self._window = matrix, field, region, window

    def carry(self, channels: torch.Tensor, how: str = "bilinear") -> torch.Tensor:
        """Channels ``(c, k, j, i)`` of the region onto the window; beyond the region its edge goes on."""
        with from_extra("training"):
            import torch

        middle = torch.tensor([(n - 1) / 2 for n in self._region])
        axes = (torch.arange(n) - (n - 1) / 2 for n in self._window)
        place = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        source = place @ torch.from_numpy(self._matrix.T.astype(np.float32)) + self._field.permute(1, 2, 3, 0)
        grid = (source / middle).flip(-1)  # torch wants i, j, k from -1 to 1
        carried = torch.nn.functional.grid_sample(
            channels[None], grid[None], mode=how, padding_mode="border", align_corners=True
        )
        return carried[0]

    def place(self, points: Singles) -> Singles:
        """Points ``(n, 3)`` of the region, in voxels k, j, i, to where they lie in the window, by fixed-point steps."""
        middle, inverse = (np.array(self._region) - 1) / 2, np.linalg.inv(self._matrix)
        half = (np.array(self._window) - 1) / 2
        found = (points - middle) @ inverse.T
        for _ in range(4):
            at = np.clip(np.rint(found + half), 0, 2 * half).astype(int)
            field = self._field.numpy()[:, at[:, 0], at[:, 1], at[:, 2]].T
            found = (points - middle - field) @ inverse.T
        return (found + half).astype(np.float32)


def draw_warp(config: TrainingConfig, region: tuple[int, ...], rng: np.random.Generator) -> Warp:
    """Rotation, scale and shear, and a smooth field between 6 control points along each axis."""
    with from_extra("training"):
        import torch

    a, window = config.augmentation, config.network.window
    matrix = np.eye(3)
    if rng.random() < a.affine:
        angles = np.deg2rad(rng.uniform(-a.rotate_deg, a.rotate_deg, 3))
        common = 1 + rng.uniform(-a.scale, a.scale)
        stretch = np.diag(common * (1 + rng.uniform(-0.3, 0.3, 3) * a.scale))
        shear = np.eye(3) + np.triu(rng.uniform(-a.shear, a.shear, (3, 3)), 1)
        matrix = _rotation(angles) @ shear @ stretch
    coarse = np.zeros((3, 6, 6, 6), np.float32)
    if rng.random() < a.elastic:
        reach = a.elastic_mm / config.network.spacing_mm
        coarse = rng.uniform(-reach, reach, coarse.shape).astype(np.float32)
    field = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None], size=window, mode="trilinear", align_corners=True
    )
    return Warp(matrix, field[0], region, window)


def _rotation(angles: Floats) -> Floats:
    """Rotations about the three axes, one after another."""
    result = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [n for n in range(3) if n != axis]
        one = np.eye(3)
        one[a, a] = one[b, b] = np.cos(angle)
        one[a, b], one[b, a] = -np.sin(angle), np.sin(angle)
        result = result @ one
    return result
