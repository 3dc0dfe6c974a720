"""Spatial calibration from the wires of an N-wire phantom, and those wires in the image."""
