"""Tests of the driver `optical_markers`."""
