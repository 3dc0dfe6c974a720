"""Localisation errors, errors that measurements share, the covariance of a pose, and the expected TRE at any point."""
