"""nnU-Net's two U-Nets, run straight from a checkpoint's parameters.

They are ``PlainConvUNet`` and ``ResidualEncoderUNet`` of the package dynamic-network-architectures, which brings
torchvision and more by way of its dependencies; the layers here are torch's, under the names of its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geometry.extras import from_extra
from reconstruction.guests.errors import ModelError
from reconstruction.guests.nnunet.plan import UnetShape

if TYPE_CHECKING:
    import torch

# The package lists its parameters several times: the decoder holds the encoder, a block its layers and their list.
DOUBLES = ("decoder.encoder.", ".all_modules.")


class PlannedUnet:
    """A U-Net of a plan with the parameters of a checkpoint.

    Args:
        shape: the architecture.
        parameters: name -> tensor, as dynamic-network-architectures names them.
        heads: channels of the answer.

    Raises:
        ModelError: parameters are missing or left over, or the answer has other channels.
    """

    def __init__(self, shape: UnetShape, parameters: Mapping[str, torch.Tensor], heads: int) -> None:
        with from_extra("training"):
            import torch
        self._torch, self._functional, self._shape = torch, torch.nn.functional, shape
        plain = {name.removeprefix("module.").removeprefix("_orig_mod."): p for name, p in parameters.items()}
        self._parameters = {n: p.float() for n, p in plain.items() if not any(double in n for double in DOUBLES)}
        self._used: set[str] = set()
        self._check(heads)

    def run(self, batch: torch.Tensor) -> torch.Tensor:
        """Normalised CT ``(n, 1, a, b, c)`` to logits ``(n, heads, a, b, c)``."""
        residual = self._shape.kind == "ResidualEncoderUNet"
        x = self._stack("encoder.stem", batch, 1, (1, 1, 1)) if residual else batch
        skips = []
        for stage, (stride, blocks) in enumerate(zip(self._shape.strides, self._shape.blocks, strict=True)):
            if residual:
                for block in range(blocks):
                    x = self._residual(f"encoder.stages.{stage}.blocks.{block}", x, stride if block == 0 else (1, 1, 1))
            else:
                x = self._stack(f"encoder.stages.{stage}.0", x, blocks, stride)
            skips.append(x)
        for stage, convs in enumerate(self._shape.decoder_convs):
            name, stride = f"decoder.transpconvs.{stage}", self._shape.strides[-1 - stage]
            x = self._functional.conv_transpose3d(x, self._get(f"{name}.weight"), self._bias(name), stride)
            x = self._stack(f"decoder.stages.{stage}", self._torch.cat((x, skips[-2 - stage]), 1), convs, (1, 1, 1))
        return self._convolve(f"decoder.seg_layers.{len(self._shape.decoder_convs) - 1}", x, (1, 1, 1))

    def _check(self, heads: int) -> None:
        side = [2 * _product(s[axis] for s in self._shape.strides) for axis in range(3)]
        try:
            with self._torch.inference_mode():
                channels = self.run(self._torch.zeros(1, 1, *side)).shape[1]
        except (KeyError, RuntimeError) as error:
            raise _misfit(f"parameters that do not fit its plan ({str(error)[:120]})") from error
        # Outputs of the lower stages are for training only.
        left = {n for n in self._parameters if not n.startswith("decoder.seg_layers.")} - self._used
        if left:
            raise _misfit(f"{len(left)} parameters that its plan does not know ({sorted(left)[0]})")
        if channels != heads:
            raise _misfit(f"{channels} channels for {heads} labels")

    def _stack(self, name: str, x: torch.Tensor, convs: int, stride: Sequence[int]) -> torch.Tensor:
        for conv in range(convs):
            x = self._rectify(self._unit(f"{name}.convs.{conv}", x, stride if conv == 0 else (1, 1, 1)))
        return x

    def _residual(self, name: str, x: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
        """A block of ResNet-D: its shortcut is averaged where the resolution changes (He et al. 2019)."""
        short = x if max(stride) == 1 else self._functional.avg_pool3d(x, stride, stride)
        place = f"{name}.skip.{int(max(stride) > 1)}"
        if f"{place}.conv.weight" in self._parameters:
            short = self._unit(place, short, (1, 1, 1))
        out = self._rectify(self._unit(f"{name}.conv1", x, stride))
        return self._rectify(self._unit(f"{name}.conv2", out, (1, 1, 1)) + short)

    def _unit(self, name: str, x: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
        x = self._convolve(f"{name}.conv", x, stride)
        weight, bias = self._get(f"{name}.norm.weight"), self._get(f"{name}.norm.bias")
        return self._functional.instance_norm(x, weight=weight, bias=bias, eps=self._shape.norm_eps)

    def _convolve(self, name: str, x: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
        weight = self._get(f"{name}.weight")
        around = [(size - 1) // 2 for size in weight.shape[2:]]
        return self._functional.conv3d(x, weight, self._bias(name), tuple(stride), around)

    def _rectify(self, x: torch.Tensor) -> torch.Tensor:
        return self._functional.leaky_relu(x, self._shape.slope, inplace=True)

    def _get(self, name: str) -> Any:
        self._used.add(name)
        return self._parameters[name]

    def _bias(self, name: str) -> Any:
        return self._get(f"{name}.bias") if f"{name}.bias" in self._parameters else None


def _product(values: Any) -> int:
    result = 1
    for value in values:
        result *= value
    return int(result)


def _misfit(came: str) -> ModelError:
    return ModelError(f"a checkpoint of {came}", "the parameters of its plan", "restore plans.json and the checkpoint")
