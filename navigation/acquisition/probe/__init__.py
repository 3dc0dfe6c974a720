"""Ultrasound images with the poses of their probe, live and recorded, and what is found in them for a calibration."""
