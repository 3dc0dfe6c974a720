"""What the ultrasound process tells the one that started it."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zmq

from navigation.ultrasound.pipeline import FrameResult


@dataclass(frozen=True)
class Started:
    """The worker is ready.

    Attributes:
        source: the source's name.
        rate_hz: its frames a second.
        finder: model, engine and version.
    """

    source: str
    rate_hz: float
    finder: str


@dataclass(frozen=True)
class Ended:
    """The worker has no more frames.

    Attributes:
        reason: why.
        used: frames that were handled.
        passed_over: frames that the source made and that were overtaken by newer ones.
        unsent: results that the reader was too slow for.
    """

    reason: str
    used: int
    passed_over: int
    unsent: int


def pack(result: FrameResult) -> list[Any]:
    """A result as message parts; the pixels are not copied."""
    shape = None if result.pixels is None else result.pixels.shape
    pixels = b"" if result.pixels is None else np.ascontiguousarray(result.pixels)
    return [pickle.dumps((replace(result, pixels=None), shape)), pixels]


def unpack(parts: list[zmq.Frame]) -> FrameResult:
    """The result of message parts from `pack`, sent by a process that this one started."""
    result, shape = pickle.loads(parts[0].bytes)
    pixels = None if shape is None else np.frombuffer(parts[1].buffer, np.uint8).reshape(shape)
    return replace(result, pixels=pixels)
