"""How pixels become voxels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# PLUS's default: both ends included, so a hole of at most seven voxels is bridged.
STICK_VOXELS = 9


class Interpolation(StrEnum):
    """Which voxels a pixel gives its value to."""

    NEAREST = "nearest"
    """The voxel that it lies in."""
    LINEAR = "linear"
    """The eight around it, each with its trilinear weight."""


class Compounding(StrEnum):
    """What a voxel holds that several pixels gave a value."""

    MEAN = "mean"
    """Their weighted mean."""
    MAXIMUM = "maximum"
    """The brightest. Of linear interpolation those voxels count that have a weight of at least 1/8, as in PLUS."""
    LATEST = "latest"
    """The last, by frame and then along the rows. Weights as for the maximum."""
    MEAN_8_BIT = "mean_8_bit"
    """The running mean as PLUS and 3D Slicer round it, in 8 bits with 14 bits of place: theirs bit for bit, slower."""


@dataclass(frozen=True)
class CompoundingSettings:
    """Interpolation and rule of compounding."""

    interpolation: Interpolation = Interpolation.LINEAR
    compounding: Compounding = Compounding.MEAN
