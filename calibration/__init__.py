"""An instrument and its marker: where the tip is, and how well that is known."""

from calibration.pivot import calibrate_pivot

__all__ = ["calibrate_pivot"]
