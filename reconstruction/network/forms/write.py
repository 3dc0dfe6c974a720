"""A shipped or trained network in other precisions, each with its description: files that `load_weights` reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.network.errors import QuantisationError
from reconstruction.network.forms.quantise import Precision, write_precision
from reconstruction.network.grid import network_grid, resample_hu, to_nearest_lps
from reconstruction.network.letterbox import letterbox
from reconstruction.network.weights import Weights, load_weights

CALIBRATION_WINDOWS = 8
CALIBRATION_FRAMES = 24


def write_form(description: Path, precision: Precision, out: Path, calibration: Iterable[Singles] = ()) -> Path:
    """Writes ``<name>_<precision>.onnx`` and its description into a folder; returns the description's path.

    The description is written last, so that an interrupted run leaves nothing that looks whole.

    Args:
        description: JSON of the network in single precision.
        calibration: for ``int8``: inputs as the network gets them in use.

    Raises:
        WeightsError: the network is not what its description says.
        QuantisationError: INT8 without calibration data.
    """
    weights = load_weights(description)
    stem = f"{weights.name}_{precision}"
    onnx = out / f"{stem}.onnx"
    write_precision(weights.onnx, onnx, precision, calibration)
    text = json.loads(description.read_text("utf-8"))
    text |= {
        "name": stem,
        "onnx": onnx.name,
        "sha256": hashlib.sha256(onnx.read_bytes()).hexdigest(),
        "precision": precision,
        "made_from_sha256": weights.sha256,
    }
    path = out / f"{stem}.json"
    path.write_text(json.dumps(text, indent=2) + "\n", "utf-8")
    return path


def calibration_windows(ct: Volume, weights: Weights, count: int = CALIBRATION_WINDOWS) -> Iterator[Singles]:
    """Windows of a CT as the network sees them, ``(1, 1, d, h, w)`` HU, evenly along the scan's longest diagonal.

    A scan smaller than the window is continued at its edges, as in use.

    Raises:
        QuantisationError: the network takes images, not volumes.
    """
    if weights.dimensions != 3:
        raise QuantisationError(
            f"a CT for {weights.name}, which takes images of {weights.dimensions} dimensions",
            "a network that takes CT",
            "give a folder of images, by which it is calibrated; half precision needs no calibration",
        )
    lps = to_nearest_lps(ct)
    hu = resample_hu(lps, network_grid(lps, weights.ct_spacing_mm))
    missing = [max(0, window - side) for window, side in zip(weights.window, hu.shape, strict=True)]
    hu = np.pad(hu, [(m // 2, m - m // 2) for m in missing], mode="edge")
    for share in np.linspace(0.0, 1.0, count):
        starts = [round(share * (side - window)) for side, window in zip(hu.shape, weights.window, strict=True)]
        k, j, i = (slice(start, start + window) for start, window in zip(starts, weights.window, strict=True))
        yield np.ascontiguousarray(hu[None, None, k, j, i], np.float32)


def calibration_frames(frames: Iterable[NDArray[np.uint8]], weights: Weights) -> Iterator[Singles]:
    """Frames of any size as the network sees them, ``(1, 1, h, w)`` from 0 to 1, whole grey values over 255.

    They go through `reconstruction.network.letterbox`, as in training and in use.

    Args:
        frames: grey values ``(h, w)``, spread over what the network will see; of those it was trained on, so that
            others can judge it.

    Raises:
        QuantisationError: the network takes volumes, not images.
    """
    if weights.dimensions != 2:
        raise QuantisationError(
            f"images for {weights.name}, which takes volumes of {weights.dimensions} dimensions",
            "a network that takes images",
            "give a CT, by whose windows it is calibrated; half precision needs no calibration",
        )
    grid = (weights.window[0], weights.window[1])
    for pixels in frames:
        placement = letterbox((pixels.shape[0], pixels.shape[1]), grid)
        grey: Singles = np.rint(placement.to_grid(pixels.astype(np.float32)), dtype=np.float32)
        yield (grey / np.float32(255))[None, None]


def spread(length: int, count: int) -> list[int]:
    """At most `count` of the indices up to `length`, evenly from the first to the last."""
    return sorted({round(float(place)) for place in np.linspace(0, length - 1, min(length, count))})
