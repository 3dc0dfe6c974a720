"""What the counting works from: a network's classes and offsets on its grid, and bone on a finer one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InvalidVolumeError
from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume

VERTEBRA_CLASSES = ("vertebra_cervical", "vertebra_thoracic", "vertebra_lumbar")
NEIGHBOURS = ("sacrum", "rib", "bone")
CLASSES_NEEDED = (*VERTEBRA_CLASSES, *NEIGHBOURS)
VERTEBRA = 0.4  # probability of the three classes together from which on a voxel is a vertebra's


@dataclass(frozen=True, eq=False)
class SpineEvidence:
    """What a network says about a spine, on one grid near LPS.

    Attributes:
        grid: any volume on the network's grid; only its geometry counts.
        probabilities: class name to ``(nk, nj, ni)``, 0 to 1; `CLASSES_NEEDED` must be there.
        offsets_mm: ``(3, nk, nj, ni)``, from each voxel along L, P and S of the grid's frame to the centroid of its
            vertebra, of any use only inside vertebrae; None for a network that gives none.

    Raises:
        InvalidVolumeError: a class is missing, or shapes differ.
    """

    grid: Volume
    probabilities: Mapping[str, NDArray[np.floating]]
    offsets_mm: NDArray[np.floating] | None

    def __post_init__(self) -> None:
        missing = [name for name in CLASSES_NEEDED if name not in self.probabilities]
        if missing:
            raise InvalidVolumeError(
                f"a network without the classes {', '.join(missing)}",
                f"the classes {', '.join(CLASSES_NEEDED)}",
                "use a network that separates them",
            )
        shape = self.grid.voxels.shape
        wrong = {name for name in CLASSES_NEEDED if self.probabilities[name].shape != shape}
        if wrong or (self.offsets_mm is not None and self.offsets_mm.shape != (3, *shape)):
            raise InvalidVolumeError(
                f"evidence of differing shapes: {sorted(wrong) or 'offsets'}",
                f"{shape} for every class, (3, ...) for the offsets",
                "pass all of it on one grid",
            )

    @cached_property
    def vertebra(self) -> Singles:
        """Probability of any vertebra: ``(nk, nj, ni)``."""
        total = np.zeros(self.grid.voxels.shape, np.float32)
        for name in VERTEBRA_CLASSES:
            total += self.probabilities[name]
        return total

    @cached_property
    def voxels(self) -> NDArray[np.intp]:
        """Index (k, j, i) of each voxel that is a vertebra's: ``(n, 3)``."""
        strongest = np.maximum.reduce([self.probabilities[name] for name in NEIGHBOURS])
        return np.argwhere((self.vertebra >= VERTEBRA) & (self.vertebra > strongest))

    @cached_property
    def points_mm(self) -> Floats:
        """Centres of `voxels`: ``(n, 3)`` in the grid's frame."""
        return self.grid.index_to_mm(self.voxels[:, ::-1])

    @cached_property
    def weights_ml(self) -> Floats:
        """Volume of `voxels`, each times its probability: ``(n,)``."""
        return self.vertebra[tuple(self.voxels.T)].astype(np.float64) * self.grid.voxel_volume_ml

    def regions_at(self, voxels: NDArray[np.intp]) -> Floats:
        """Shares of cervical, thoracic and lumbar in the vertebra probability of voxels (k, j, i): ``(n, 3)``."""
        values = np.stack([self.probabilities[name][tuple(voxels.T)] for name in VERTEBRA_CLASSES], axis=1)
        totals = values.sum(axis=1, keepdims=True, dtype=np.float64)
        return np.asarray(values / np.maximum(totals, 1e-6), np.float64)

    def mask_of(self, name: str) -> Bools:
        """Where a class is likelier than any vertebra, and more likely than not among bones."""
        return np.asarray((self.probabilities[name] >= VERTEBRA) & (self.probabilities[name] > self.vertebra))
