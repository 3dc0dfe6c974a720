"""Devices: a Protocol, the drivers that satisfy it, and the registry that opens them by name."""
