"""Distance from points to a triangle surface: exact, and on grids a hundred times as fast."""
