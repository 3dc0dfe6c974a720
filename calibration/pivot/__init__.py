"""The tip of an instrument from how it was moved: pivot calibration."""
