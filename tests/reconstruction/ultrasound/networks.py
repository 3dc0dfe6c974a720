"""Networks as files, for tests on made frames."""

from __future__ import annotations

import shutil
from pathlib import Path

from reconstruction.network.weights import DEFAULT_WEIGHTS


def tiny_network_without_statistics(folder: Path) -> Path:
    """A copy of the tiny network that takes every frame for familiar: made frames are not, to the one that ships."""
    name = "ultrasound_nerve_vessel_tiny"
    for suffix in (".json", ".onnx"):
        shutil.copy(DEFAULT_WEIGHTS.parent / f"{name}{suffix}", folder)
    return folder / f"{name}.json"
