"""Video files whose frames show their own number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

COUNT, BITS = 60, 8


def write_video(path: Path, code: str, count: int = COUNT, height: int = 120, width: int = 160) -> Path:
    """Frame i shows the bits of i as bright bars, which every codec leaves readable."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 25.0, (width, height))
    assert writer.isOpened()
    for number in range(count):
        image = np.zeros((height, width, 3), np.uint8)
        bars = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8)
        image[20:100] = 255 * np.repeat(bars, width // BITS)[:, None]
        writer.write(image)
    writer.release()
    return path


def number_in(pixels: np.ndarray) -> int:
    bars = pixels[60].reshape(BITS, -1).mean(axis=1) > 128
    return sum(int(bar) << bit for bit, bar in enumerate(bars))
