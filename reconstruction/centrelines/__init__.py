"""Centrelines of vessels and of the spine, with radius, at sub-voxel accuracy."""
