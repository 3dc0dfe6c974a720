"""One ultrasound frame through a 2D network: calibrated probabilities of its structures on the network's grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from reconstruction.network.engines.engine import InferenceEngine
from reconstruction.network.letterbox import Letterbox, letterbox
from reconstruction.network.segmentation import softmax
from reconstruction.network.weights import Weights
from reconstruction.ultrasound.errors import UltrasoundError

_LEAST_PROBABILITY = np.float32(1e-7)  # so that every score is finite


@dataclass(frozen=True, eq=False)
class SegmentedFrame:
    """What a network says about one frame, on its own grid.

    Attributes:
        grey: the frame as the network saw it, 0 to 255 ``(H, W)`` float32.
        scores: logits over temperature ``(c, H, W)`` float32; their softmax is calibrated.
        placement: where the frame lies on the grid.
        classes: names by index, the background first.
    """

    grey: Singles
    scores: Singles
    placement: Letterbox
    classes: tuple[str, ...]

    @property
    def probabilities(self) -> Singles:
        """Of each class at each pixel of the grid, ``(c, H, W)``."""
        return softmax(self.scores[None])[0]


@runtime_checkable
class FrameEngine(Protocol):
    """An engine that scales frames and makes probabilities itself, beside the network: on a GPU."""

    def run_frame(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Singles]:
        """A frame ``(h, w)`` to its grey values ``(H, W)`` and calibrated probabilities ``(c, H, W)`` on the grid."""
        ...


class FrameSegmenter:
    """Runs a 2D network on frames of any size.

    Args:
        weights: of a network of grey images.
        engine: that runs these weights, or another form of them.

    Raises:
        UltrasoundError: the network takes volumes.
    """

    def __init__(self, weights: Weights, engine: InferenceEngine) -> None:
        check_takes_images(weights)
        self.classes = weights.classes
        self._window = (weights.window[0], weights.window[1])
        self._temperature = np.float32(weights.temperature)
        self._engine = engine

    def segment(self, pixels: NDArray[np.uint8]) -> SegmentedFrame:
        """Segments a grey frame ``(h, w)``.

        Raises:
            EngineError: the engine cannot run.
        """
        placement = letterbox((pixels.shape[0], pixels.shape[1]), self._window)
        if isinstance(self._engine, FrameEngine):
            seen, probabilities = self._engine.run_frame(pixels)
            scores = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
            return SegmentedFrame(seen.astype(np.float32), scores, placement, self.classes)
        grey = _on_grid(pixels, placement)
        logits = self._engine.run(_as_input(grey))[0]
        return SegmentedFrame(grey, logits / self._temperature, placement, self.classes)


def check_takes_images(weights: Weights) -> None:
    """Refuses a network of volumes.

    Raises:
        UltrasoundError: it is one.
    """
    if weights.dimensions != 2:
        raise UltrasoundError(
            f"the network {weights.name!r}, which takes volumes",
            "a network of grey images",
            "name a network of ultrasound, such as ultrasound_nerve_vessel",
        )


def network_inputs(frames: Iterable[NDArray[np.uint8]], weights: Weights) -> Singles:
    """Frames ``(h, w)`` of any sizes as a 2D network gets them, ``(n, 1, H, W)``, 0 to 1."""
    window = (weights.window[0], weights.window[1])
    grids = (_on_grid(pixels, letterbox((pixels.shape[0], pixels.shape[1]), window)) for pixels in frames)
    return np.concatenate([_as_input(grey) for grey in grids])


def _on_grid(pixels: NDArray[np.uint8], placement: Letterbox) -> Singles:
    """Whole grey values, as in training, ``(H, W)``."""
    return np.rint(placement.to_grid(pixels.astype(np.float32)), dtype=np.float32)


def _as_input(grey: Singles) -> Singles:
    return (grey / np.float32(255))[None, None]
