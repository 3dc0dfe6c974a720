"""Calibrations of cameras."""
