"""Whether a calibrated tool is still what it was: in a divot, at known points, and from day to day."""
