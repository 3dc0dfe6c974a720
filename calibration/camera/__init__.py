"""Cameras: lenses, stereo pairs, the boards that they are calibrated with, and their files."""
