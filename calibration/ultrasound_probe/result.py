"""What a spatial calibration of an ultrasound probe comes to, whatever it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.ultrasound_probe.errors import ProbeInputError
from calibration.ultrasound_probe.image_map import ImageToProbe
from geometry.points import Floats


@dataclass(frozen=True)
class ProbeOutlier:
    """A point that the calibration did not use.

    Attributes:
        index: number of its image, as in `ProbeSample`.
        time_s: time of its image.
        name: what it was taken for, such as a wire; empty where all points are alike.
        residual_mm: its distance from where the calibration puts it.
    """

    index: int
    time_s: float
    name: str
    residual_mm: float


@dataclass(frozen=True, eq=False)
class ProbeCalibration:
    """Where the pixels of an ultrasound image lie in the probe's frame, and how well that is known.

    Attributes:
        image_map: from pixel to probe, with its covariance.
        method: how it was made, such as ``n_wire``.
        image_size_px: width and height of the images.
        residuals_mm: of each point used, ``(n,)`` in mm, zero or more; not the error of the calibration.
        outliers: the points not used.
        n_images: images of which at least one point was used.
        orientation: where the image's axes point, and its flips, as sentences.
        coverage: over what it was measured, as sentences with numbers.
        reasons: why it is refused, as sentences; empty when it is accepted.
    """

    image_map: ImageToProbe
    method: str
    image_size_px: tuple[int, int]
    residuals_mm: Floats
    outliers: tuple[ProbeOutlier, ...]
    n_images: int
    orientation: tuple[str, ...]
    coverage: tuple[str, ...]
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.residuals_mm):
            raise ProbeInputError("a calibration without a point", "at least one residual", "record again")

    @property
    def accepted(self) -> bool:
        return not self.reasons

    @property
    def residual_rms_mm(self) -> float:
        return float(np.sqrt(np.mean(self.residuals_mm**2)))

    @property
    def residual_p95_mm(self) -> float:
        return float(np.percentile(self.residuals_mm, 95.0))

    @property
    def corners_px(self) -> Floats:
        """The middles of the image's corner pixels, ``(4, 2)`` in px."""
        width, height = self.image_size_px
        return np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)

    @property
    def middle_px(self) -> Floats:
        """The middle of the image, ``(1, 2)`` in px."""
        return self.corners_px.mean(axis=0, keepdims=True)

    @property
    def expected_error_mm(self) -> float:
        """RMS error expected at the middle of the image; at the corners it is larger."""
        return float(self.image_map.expected_errors_mm(self.middle_px)[0])

    @property
    def expected_corner_error_mm(self) -> float:
        """RMS error expected at the worst of the image's corners."""
        return float(self.image_map.expected_errors_mm(self.corners_px).max())
