"""A torso defined by formulas: its CT, and the ground truth of every surface, marker, vessel and target in it."""
