"""Recordings as devices."""
