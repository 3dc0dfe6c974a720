"""Measurements with a tracked stylus: pivoting, touching, sweeping."""
