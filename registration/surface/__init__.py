"""A swept surface to a pose: iteration, start from nothing, bone points, and the evidence that the points carry."""
