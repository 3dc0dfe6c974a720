"""Closed surfaces from probabilities, labels and, for bone, from the CT; simplified with the error measured."""
