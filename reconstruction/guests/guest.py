"""What every guest can do, whatever library it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from geometry.volume import Volume
from reconstruction.guests.card import ModelCard
from reconstruction.labels.segments import SegmentLayers

Progress = Callable[[float], None]


class Guest(Protocol):
    """A loaded network of others."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def engine(self) -> str:
        """Library, version and device that run it, for manifests."""
        ...

    def segment(self, ct: Volume, progress: Progress | None = None) -> SegmentLayers:
        """Labels of the structures in a CT, with the names that the network gives them.

        Args:
            ct: HU in the frame ``ct``, any right-handed grid; it is turned and resampled as the network's card says.
            progress: called with the share done, as far as the library tells.

        Raises:
            ModelError: the network fails on this CT.
        """
        ...
