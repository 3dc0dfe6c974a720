"""Freehand 3D ultrasound: a volume from tracked frames, live and offline."""
