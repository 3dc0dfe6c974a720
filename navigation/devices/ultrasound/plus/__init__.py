"""Sequences that PLUS (https://plustoolkit.github.io) and 3D Slicer write: images, times and tracked transforms."""
