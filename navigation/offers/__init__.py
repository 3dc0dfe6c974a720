"""What is on offer follows the case: the case is watched, surfaces are prepared, the room is told."""
