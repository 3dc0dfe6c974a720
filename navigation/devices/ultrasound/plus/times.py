"""Times and numbers of the frames of a PLUS sequence."""

from __future__ import annotations

import math
import re
from itertools import pairwise

from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.plus.header import PlusHeader

MOST_SECONDS = 9e9  # what whole nanoseconds in 64 bits hold; clocks that count from 1970 are far below


def read_stamps_ns(header: PlusHeader) -> tuple[int, ...]:
    """The time of each frame in ns, on the clock of the recording.

    Raises:
        DeviceError: a frame without a time.
    """
    stamps = []
    for index, frame in enumerate(header.frames):
        text = frame.get("Timestamp", "")
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not abs(seconds) < MOST_SECONDS:
            raise header.refuse(f"Timestamp = {text[:60]} in frame {index}", "a time in seconds for each frame")
        stamps.append(round(seconds * NS_PER_S))
    return tuple(stamps)


def read_numbers(header: PlusHeader) -> tuple[tuple[int, ...], list[str]]:
    """The frames' numbers from 0 on, and notes: PLUS's own where all have one and they increase, else their places."""
    texts = [frame.get("FrameNumber", "") for frame in header.frames]
    by_place = tuple(range(len(texts)))
    if not any(texts):
        return by_place, []
    if all(re.fullmatch(r"-?[0-9]{1,15}", text) for text in texts):
        numbers = [int(text) for text in texts]
        if all(later > earlier for earlier, later in pairwise(numbers)):
            return tuple(number - numbers[0] for number in numbers), []
    return by_place, ["FrameNumber does not increase from frame to frame, or is not stated in each: not used"]
