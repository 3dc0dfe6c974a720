"""Vertebrae one by one: instances from a network's votes, and numbers that say how sure they are."""
