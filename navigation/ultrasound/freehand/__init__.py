"""Freehand 3D ultrasound from recordings and from live frames."""
