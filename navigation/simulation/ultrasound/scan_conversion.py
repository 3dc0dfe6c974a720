"""From samples along beams to the pixels of an image."""

from __future__ import annotations

import numpy as np

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry.points import Floats, Singles
from navigation.devices.ultrasound.source import GreyPixels


class ScanConversion:
    """Interpolates between beams and samples; pixels outside the scan stay black.

    Args:
        geometry: of the scan.
        lines: number of beams, at equal distances from the first to the last.
        deep_mm: depth of the samples, ``(s,)``, at equal distances.
    """

    def __init__(self, geometry: ScanGeometry, lines: int, deep_mm: Floats) -> None:
        self._shape = geometry.size_px[1], geometry.size_px[0]
        self._pixels = np.flatnonzero(geometry.mask)
        y, x = np.divmod(self._pixels, geometry.size_px[0])
        across, reach_mm = geometry.beams(np.column_stack([x, y]).astype(np.float64))
        line = np.clip(0.5 * (across + 1.0) * (lines - 1), 0.0, lines - 1.0)
        sample = np.clip((reach_mm - deep_mm[0]) / (deep_mm[1] - deep_mm[0]), 0.0, len(deep_mm) - 1.0)
        left, above = np.minimum(line.astype(int), lines - 2), np.minimum(sample.astype(int), len(deep_mm) - 2)
        self._first, self._lines = (above * lines + left).astype(np.int32), lines
        self._of_right, self._of_below = (line - left).astype(np.float32), (sample - above).astype(np.float32)

    def image(self, samples: Singles) -> GreyPixels:
        """The image ``(h, w)`` of grey values 0 to 255 of the samples, ``(s, lines)``."""
        flat = samples.ravel()
        rows = []
        for start in (self._first, self._first + self._lines):
            left = flat[start]
            rows.append(left + self._of_right * (flat[start + 1] - left))
        grey = np.zeros(self._shape[0] * self._shape[1], np.uint8)
        grey[self._pixels] = (rows[0] + self._of_below * (rows[1] - rows[0]) + 0.5).astype(np.uint8)
        return grey.reshape(self._shape)
