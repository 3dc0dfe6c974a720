"""Spatial calibration from targets that need no phantom: a stylus tip, one point such as crossed wires, a wall."""
