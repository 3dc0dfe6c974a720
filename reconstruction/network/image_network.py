"""2D U-Nets for grey images: one family in several sizes, and MONAI's plain U-Net to compare with.

Convolution, batch normalisation (folded into the convolution when exported) and ReLU only, because these are what INT8
engines fuse. The first convolution halves the resolution and the logits are interpolated back, which costs a quarter
of the arithmetic: speckle has no detail of one pixel, and drawn borders are smoother than that.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from geometry.extras import from_extra

if TYPE_CHECKING:
    import torch

Family = Literal["half_resolution", "monai_unet"]


def build_image_network(channels: Sequence[int], classes: int, family: Family = "half_resolution") -> torch.nn.Module:
    """Grey 0 to 1 ``(n, 1, h, w)`` float32 to logits ``(n, classes, h, w)``; h, w multiples of `image_stride`."""
    if family == "monai_unet":
        with from_extra("training"):
            from monai.networks.nets import UNet

        strides = (2,) * (len(channels) - 1)
        return UNet(2, 1, classes, tuple(channels), strides, num_res_units=0)
    return _half_resolution_unet(tuple(channels), classes)


def image_stride(channels: Sequence[int], family: Family = "half_resolution") -> int:
    """What each side of an image must be a multiple of."""
    return 2 ** (len(channels) - (1 if family == "monai_unet" else 0))


def _half_resolution_unet(channels: tuple[int, ...], classes: int) -> torch.nn.Module:
    with from_extra("training"):
        import torch
        from torch import nn

    class HalfResolutionUNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = _block(1, channels[0], kernel=5, stride=2)
            self.down = nn.ModuleList(_block(a, b, stride=2) for a, b in itertools.pairwise(channels))
            rising = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
            self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, kernel_size=2, stride=2) for a, b in rising)
            self.join = nn.ModuleList(_block(2 * b, b) for _, b in rising)
            self.head = nn.Conv2d(channels[0], classes, kernel_size=1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = [self.stem(image)]
            for down in self.down:
                features.append(down(features[-1]))
            x = features.pop()
            for up, join in zip(self.up, self.join, strict=True):
                x = join(torch.cat([up(x), features.pop()], dim=1))
            return nn.functional.interpolate(self.head(x), scale_factor=2.0, mode="bilinear", align_corners=False)

    return HalfResolutionUNet()


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> torch.nn.Module:
    """Two convolutions, each with batch normalisation and ReLU."""
    with from_extra("training"):
        from torch import nn

    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def fold_batch_norm(network: torch.nn.Module) -> torch.nn.Module:
    """The same function in fewer operations: each convolution takes over the batch normalisation that follows it.

    The network is changed, and must be in evaluation mode from here on. Parameters keep their names.
    """
    with from_extra("training"):
        from torch import nn
        from torch.nn.utils.fusion import fuse_conv_bn_eval

    network.eval()
    for module in list(network.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            pair = module[i], module[i + 1]
            if isinstance(pair[0], nn.Conv2d) and isinstance(pair[1], nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(*pair), nn.Identity()
    return network
