"""Registrations as kept in the case folder: plans, files of points, attempts, and the one in force."""
