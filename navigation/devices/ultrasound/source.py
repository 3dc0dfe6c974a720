"""The Protocols of ultrasound sources, recorded and live, and the frames that they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geometry import Transform
from navigation.errors import DeviceError

GreyPixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class UltrasoundFrame:
    """One ultrasound image at one instant.

    Attributes:
        sequence: counts the source's frames from 0, including those that a reader never saw; a gap means that frames
            were lost or overtaken.
        capture_ns: time of capture on the clock that the source was opened with; None for stills, which have no time.
        source_ns: the same instant as the source itself stamped it, on the source's own clock; None if it stamped none.
        pixels: grey values ``(h, w)`` uint8, the transducer at row 0; None exactly if `missing` says why.
        missing: why the source has no valid image at this instant; empty if it has one.
        pixel_mm: size of a pixel ``(along a column, along a row)`` in mm; None if the source does not state it. It is
            never guessed.
        poses: the tracked transforms recorded with this frame, by name ``T_<to>_<from>``; None for one that the source
            marks as not valid.
        label: what people call the frame: its file's name in a folder; empty where frames have no names.

    Raises:
        DeviceError: pixels of another type or shape, or that do not agree with `missing`.
    """

    sequence: int
    capture_ns: int | None
    pixels: GreyPixels | None
    source_ns: int | None = None
    missing: str = ""
    pixel_mm: tuple[float, float] | None = None
    poses: Mapping[str, Transform | None] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        if (self.pixels is None) != bool(self.missing):
            raise DeviceError(
                f"an ultrasound frame {'without' if self.pixels is None else 'with'} pixels, missing={self.missing!r}",
                "pixels, or a reason why there are none",
                "correct the driver: give None and the reason for an image that is not valid",
            )
        if self.pixels is not None and (self.pixels.ndim != 2 or self.pixels.dtype != np.uint8):
            raise DeviceError(
                f"an ultrasound frame of shape {self.pixels.shape}, {self.pixels.dtype}",
                "grey values (h, w) of 8 bits",
                "correct the driver: convert colour and other depths where they come in",
            )


class UltrasoundRecording(Protocol):
    """Frames that are all there from the start: a folder of images, a video file, a PLUS sequence.

    `navigation.devices.ultrasound.playback` makes an `UltrasoundSource` of one that has times.
    """

    @property
    def name(self) -> str:
        """The file or folder, for people and records."""
        ...

    @property
    def times_ns(self) -> tuple[int, ...] | None:
        """Time of each frame since the first, not decreasing; None for stills, whose times nobody knows."""
        ...

    @property
    def sequences(self) -> tuple[int, ...]:
        """The number of each frame, from 0 and increasing; a gap means that the recording lost frames."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done or left out while reading, for people and records: images flipped, poses not valid, ..."""
        ...

    def __len__(self) -> int: ...

    def frame(self, index: int) -> UltrasoundFrame:
        """The frame with its own number; `capture_ns` is its time since the first frame, or None for stills.

        A damaged frame is one with `missing`, so that the others can still be read.
        """
        ...


class UltrasoundSource(Protocol):
    """An ultrasound device that runs, or a recording that is played as if it did.

    As for trackers (`navigation.devices.tracker.Tracker`), **the newest frame wins**: a reader that was delayed gets
    the newest frame, never a backlog.
    """

    @property
    def name(self) -> str: ...

    @property
    def rate_hz(self) -> float:
        """Frames a second, as stated or measured; what a reader may expect."""
        ...

    @property
    def ended(self) -> str:
        """Why no more frames will come; empty while they may."""
        ...

    def start(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> UltrasoundFrame | None:
        """The newest frame that was not returned yet, or None if none came within `timeout_ns`, or after the end.

        Older frames that were not returned are dropped. A timeout of 0 returns without waiting.
        """
        ...

    def stop(self) -> None: ...
