"""Networks saved by Keras 2 as HDF5, rebuilt in torch from the description that the file carries.

Only the layers that the public spine network has; anything else is refused. What differs between the two libraries is
done as TensorFlow does it: images are channels-last, and "same" padding puts the odd pixel after, not before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Layer = Callable[[list[torch.Tensor]], torch.Tensor]
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "softmax": lambda x: torch.softmax(x, dim=1),
}


class KerasNetwork:
    """A functional Keras model with one input and one output, in evaluation mode."""

    def __init__(self, path: Path) -> None:
        import h5py

        with h5py.File(path) as file:
            described = json.loads(file.attrs["model_config"])["config"]
            weights = file["model_weights"]
            self._weights = {
                layer: [np.asarray(weights[layer][name]) for name in weights[layer].attrs["weight_names"]]
                for layer in weights
            }
        self._output = described["output_layers"][0][0]
        self._input = described["input_layers"][0][0]
        self._order: list[tuple[str, list[str], Layer | None]] = []
        for layer in described["layers"]:
            sources = [node[0] for node in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
            made = None if layer["class_name"] == "InputLayer" else self._make(layer["class_name"], layer["config"])
            self._order.append((layer["name"], sources, made))

    @property
    def parameters(self) -> int:
        """How many numbers the file holds for it, the moving averages of batch normalisation included."""
        return sum(values.size for layer in self._weights.values() for values in layer)

    def run(self, images: np.ndarray) -> np.ndarray:
        """Images ``(n, h, w)`` to the answer ``(n, classes, h, w)``."""
        values = {self._input: torch.from_numpy(images.astype(np.float32))[:, None]}
        with torch.inference_mode():
            for name, sources, layer in self._order:
                if layer is not None:
                    values[name] = layer([values[source] for source in sources])
        return values[self._output].numpy()

    def _make(self, kind: str, config: dict[str, Any]) -> Layer:
        if config.get("data_format", "channels_last") != "channels_last":
            raise ValueError(f"{config['name']}: only channels-last")
        if kind == "Conv2D" and config["padding"] == "same" and config["dilation_rate"] == [1, 1]:
            return self._convolution(config)
        if kind == "BatchNormalization" and config["axis"] == [3]:
            return self._batch_normalisation(config)
        if kind == "UpSampling2D" and config["interpolation"] == "nearest":
            size = tuple(config["size"])
            return lambda x: functional.interpolate(x[0], scale_factor=size, mode="nearest")
        if kind == "Concatenate" and config["axis"] in {3, -1}:
            return lambda x: torch.cat(x, dim=1)
        raise ValueError(f"{config['name']}: {kind} with {config} is not known here")

    def _convolution(self, config: dict[str, Any]) -> Layer:
        kernel, *bias = (torch.from_numpy(values) for values in self._weights[config["name"]])
        assert len(bias) == int(config["use_bias"])
        kernel = kernel.permute(3, 2, 0, 1).contiguous()
        strides, activation = tuple(config["strides"]), ACTIVATIONS[config["activation"]]

        def run(x: list[torch.Tensor]) -> torch.Tensor:
            padding: list[int] = []
            for side in (3, 2):  # columns first: torch pads from the last axis on
                size, stride, reach = x[0].shape[side], strides[side - 2], kernel.shape[side]
                missing = max(0, (-(-size // stride) - 1) * stride + reach - size)
                padding += [missing // 2, missing - missing // 2]
            padded = functional.pad(x[0], padding)
            return activation(functional.conv2d(padded, kernel, bias[0] if bias else None, strides))

        return run

    def _batch_normalisation(self, config: dict[str, Any]) -> Layer:
        assert config["scale"]
        assert config["center"]
        gamma, beta, mean, variance = (torch.from_numpy(values) for values in self._weights[config["name"]])
        return lambda x: functional.batch_norm(x[0], mean, variance, gamma, beta, eps=config["epsilon"])
