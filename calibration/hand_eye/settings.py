"""What hand-eye calibration asks of the poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class HandEyeSettings:
    """What the poses must bring before the transform is believed.

    Attributes:
        minimum_pairs: fewer pairs of poses than this are refused; four leave as many equations over as there are
            unknowns.
        minimum_tilt_rms_rad: least RMS tilt, in rad, of the body's least tilted axis about its mean direction. A
            device's error that changes with the tilt appears in no residual, and enters X multiplied by its inverse;
            what the noise leaves of X is judged by its expected error.
        outlier_cutoff: pairs farther off than this many standard deviations, by the scatter of the others, are left
            out; with normal noise, 6 left out 0 to 4 of 1,200 good pairs.
        maximum_rejected_fraction: more pairs left out than this leave too few to trust the rest.
        maximum_expected_error_rms_mm, maximum_expected_error_rms_rad: a larger expected error of X at the eye is
            refused.
        maximum_residual_rms_mm, maximum_residual_rms_rad: above these, the two bodies are not one, or a device is
            faulty.
        maximum_scale_error: how far the scale between both devices may be from 1, where it is known to be; a board
            whose squares have another size than was said shows here.
        least_overlap_s: least time that two recordings must share at a time offset that is considered.
        minimum_correlation: least correlation of the rotation rates at the time offset.
    """

    minimum_pairs: int = 4
    minimum_tilt_rms_rad: float = float(np.deg2rad(1.0))
    outlier_cutoff: float = 6.0
    maximum_rejected_fraction: float = 0.4
    maximum_expected_error_rms_mm: float = 5.0
    maximum_expected_error_rms_rad: float = float(np.deg2rad(1.0))
    maximum_residual_rms_mm: float = 25.0
    maximum_residual_rms_rad: float = float(np.deg2rad(3.0))
    maximum_scale_error: float = 0.02
    least_overlap_s: float = 5.0
    minimum_correlation: float = 0.6
