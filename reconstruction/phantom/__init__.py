"""A torso made by formulas: the CT, and the truth about every surface, marker, vessel and target in it."""
