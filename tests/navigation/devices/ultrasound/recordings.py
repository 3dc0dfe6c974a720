"""A recording whose frames say in their pixels which one they are."""

from __future__ import annotations

import numpy as np

from navigation.devices.ultrasound.source import UltrasoundFrame, UltrasoundRecording

MS = 1_000_000


class ListedRecording:
    """Frames at the given times (None: stills), numbered as given; those in `damaged` have no image."""

    name = "listed"
    notes = ()

    def __init__(
        self,
        times_ns: tuple[int, ...] | None,
        sequences: tuple[int, ...] | None = None,
        damaged: frozenset[int] = frozenset(),
    ) -> None:
        self.times_ns = times_ns
        self.sequences = sequences or tuple(range(len(times_ns or (0,))))
        self._damaged = damaged

    def __len__(self) -> int:
        return len(self.sequences)

    def frame(self, index: int) -> UltrasoundFrame:
        pixels = None if index in self._damaged else np.full((4, 5), index, np.uint8)
        return UltrasoundFrame(
            self.sequences[index],
            self.times_ns[index] if self.times_ns else None,
            pixels,
            source_ns=1_000 * MS + index,
            missing="" if pixels is not None else "damaged",
        )


def check_recording(recording: UltrasoundRecording) -> None:
    """What every recording promises, whatever it was read from."""
    assert len(recording) > 0
    assert len(recording.sequences) == len(recording)
    assert recording.sequences[0] == 0
    assert (np.diff(recording.sequences) > 0).all()
    times_ns = recording.times_ns
    if times_ns is not None:
        assert len(times_ns) == len(recording)
        assert times_ns[0] == 0
        assert (np.diff(times_ns) >= 0).all()
    for index, sequence in enumerate(recording.sequences):
        frame = recording.frame(index)
        assert frame.sequence == sequence
        assert frame.capture_ns == (times_ns[index] if times_ns is not None else None)
