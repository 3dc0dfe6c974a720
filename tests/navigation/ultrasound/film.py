"""A recording of a few frames, each of one grey value."""

from __future__ import annotations

import numpy as np

from navigation.devices.ultrasound.source import UltrasoundFrame

FILM = 6
_STEP_NS = 50_000_000


class Film:
    """Satisfies `UltrasoundRecording`, 20 frames a second."""

    name = "film"
    times_ns = tuple(number * _STEP_NS for number in range(FILM))
    sequences = tuple(range(FILM))
    notes = ()

    def __len__(self) -> int:
        return FILM

    def frame(self, index: int) -> UltrasoundFrame:
        return UltrasoundFrame(index, self.times_ns[index], np.full((8, 8), index, np.uint8))
