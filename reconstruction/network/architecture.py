"""The network: a small residual 3D U-Net that takes HU as they are.

MONAI's `UNet` (Kerfoot et al. 2018, residual units; after Cicek et al. 2016) halves the resolution in its first layer,
which makes it cheap on a CPU. A last convolution sees its features beside the CT at full resolution again, because
that is where the sub-voxel position of a border is.

HU enter unscaled; the two windows are part of the network, so no engine and no caller can get them wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geometry.extras import from_extra
from reconstruction.network.classes import CLASSES

if TYPE_CHECKING:
    import torch

# Wide: air to dense bone. Narrow: soft tissue, where the liver differs from its neighbours by 20 to 60 HU.
WINDOWS_HU = ((-1000.0, 1000.0), (-160.0, 240.0))
FEATURES = 8


def build_network(channels: Sequence[int], outputs: int = len(CLASSES)) -> torch.nn.Module:
    """HU ``(n, 1, d, h, w)`` float32 to ``(n, outputs, d, h, w)``; d, h, w multiples of ``stride(channels)``.

    The outputs are logits of the classes, and after them any channels that are regressed.
    """
    with from_extra("training"):
        import torch
        from monai.networks.nets import UNet

    class HuUNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = UNet(
                spatial_dims=3,
                in_channels=len(WINDOWS_HU),
                out_channels=FEATURES,
                channels=tuple(channels),
                strides=(2,) * (len(channels) - 1),
                num_res_units=1,
                norm=("INSTANCE", {"affine": True}),
            )
            self.head = torch.nn.Conv3d(FEATURES + len(WINDOWS_HU), outputs, kernel_size=3, padding=1)

        def forward(self, hu: torch.Tensor) -> torch.Tensor:
            # Each window to -1 .. 1.
            scaled = [((hu - (a + b) / 2) * (2 / (b - a))).clamp(-1, 1) for a, b in WINDOWS_HU]
            windows = torch.cat(scaled, dim=1)
            features = self.body(windows)
            return self.head(torch.cat([features, windows.to(features.dtype)], dim=1))

    return HuUNet()


def stride(channels: Sequence[int]) -> int:
    """What each side of a window must be a multiple of."""
    return 2 ** (len(channels) - 1)
