"""What goes before and after a 2D network, in torch: on the GPU beside TensorRT, with the same numbers as on the CPU.

A frame's way onto the network's grid (`reconstruction.network.letterbox`) is linear and the same for rows and columns
apart, so it is two matrices that are made once for each size of frame. A GPU multiplies by them in microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.letterbox import Letterbox

if TYPE_CHECKING:
    import torch


class FrameOperations:
    """For frames of one size.

    Args:
        placement: of the frame on the network's grid.
        temperature: logits are divided by it before softmax.
        device: of the tensors that come.
    """

    def __init__(self, placement: Letterbox, temperature: float, device: torch.device) -> None:
        with from_extra("training"):
            import torch

        rows, columns = _matrices(placement)
        self._rows = torch.from_numpy(rows).to(device)
        self._columns = torch.from_numpy(np.ascontiguousarray(columns.T)).to(device)
        self._temperature = temperature

    def before(self, pixels: torch.Tensor) -> torch.Tensor:
        """Grey values ``(h, w)`` uint8 to the network's input ``(1, 1, H, W)``, whole grey values over 255."""
        grey = (self._rows @ pixels.float() @ self._columns).round()
        return (grey / 255)[None, None]

    def after(self, image: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Input and logits ``(1, c, H, W)`` to grey values ``(H, W)`` uint8 and probabilities ``(c, H, W)``."""
        with from_extra("training"):
            import torch

        return (image[0, 0] * 255).round().to(torch.uint8), torch.softmax(logits[0] / self._temperature, dim=0)


def _matrices(placement: Letterbox) -> tuple[Singles, Singles]:
    """Rows ``(H, h)`` and columns ``(W, w)``: the grid is rows @ frame @ columns.T, 0 beside the frame."""
    averaged = all(inner <= side for inner, side in zip(placement.inner, placement.frame, strict=True))
    matrices = []
    for axis in (0, 1):
        matrix = np.zeros((placement.grid[axis], placement.frame[axis]), np.float32)
        first, inner = placement.first[axis], placement.inner[axis]
        matrix[first : first + inner] = (_average if averaged else _interpolate)(placement.frame[axis], inner)
        matrices.append(matrix)
    return matrices[0], matrices[1]


def _average(old: int, new: int) -> Singles:
    """``(new, old)``: every new pixel is the mean of the old over its extent."""
    edges = np.arange(new + 1) * (old / new)
    covered = np.minimum(edges[1:, None], np.arange(1, old + 1)) - np.maximum(edges[:-1, None], np.arange(old))
    return (np.clip(covered, 0, None) * (new / old)).astype(np.float32)


def _interpolate(old: int, new: int) -> Singles:
    """``(new, old)``: linear interpolation at the new pixels' centres, the outermost old pixels continued."""
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    return np.clip(1 - np.abs(centres[:, None] - np.arange(old)), 0, None).astype(np.float32)
