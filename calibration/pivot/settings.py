"""What a pivot must bring before its tip is believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class PivotSettings:
    """What a pivot must bring before its tip is believed.

    Attributes:
        minimum_poses: fewer poses than this, before or after rejection, are refused.
        minimum_tilt_rms_rad: least RMS tilt, in rad, of the marker's least tilted axis about its mean direction. A
            tracker error that changes with the tilt appears in no residual, and enters the tip multiplied by the
            inverse of this tilt: by 11 at 5 degrees, by 3 at 20. Rocking evenly by 7 degrees to every side gives
            about 5 degrees RMS.
        maximum_tip_error_rms_mm: a larger expected tip error is refused. It combines noise, tilt and number of poses,
            so it cannot be replaced by limits on each of the three.
        maximum_share: largest share of the squared tilt that the farthest twentieth of the poses may hold; evenly
            spread poses give about 15 %. A single wild pose fits exactly and would otherwise count as tilt.
        maximum_residual_rms_mm: above this, the tip slipped, the marker bent or the tracker is faulty.
        tukey_cutoff: poses whose residual exceeds this many standard deviations (of one axis) are rejected; 4.685
            rejects one in 15,000 poses with normal noise.
        maximum_rejected_fraction: where more are rejected, those used are no majority.
    """

    minimum_poses: int = 30
    minimum_tilt_rms_rad: float = np.deg2rad(5.0)
    maximum_tip_error_rms_mm: float = 1.0
    maximum_share: float = 0.6
    maximum_residual_rms_mm: float = 1.5
    tukey_cutoff: float = 4.685
    maximum_rejected_fraction: float = 0.5
