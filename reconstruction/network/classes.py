"""The structures that the network separates, and their class indices.

The softmax classes exclude one another: outside, body (the soft tissue that is nothing else), bone, lung, liver.
The structure `body` that a surface is made from is everything inside the skin, 1 - P(outside), so that lungs and
bones leave no holes in it.
"""

from __future__ import annotations

import numpy as np

from geometry.points import Singles

OUTSIDE = "outside"
STRUCTURES = ("body", "bone", "lung", "liver")
CLASSES = (OUTSIDE, *STRUCTURES)
OUTSIDE_INDEX = 0

# Voxels of a class, as uint8 in label volumes: the index in CLASSES.
CLASS_INDEX = {name: index for index, name in enumerate(CLASSES)}


def structure_probability(probabilities: Singles, structure: str) -> Singles:
    """Probability of one structure from the softmax classes ``(5, nk, nj, ni)``: ``(nk, nj, ni)``, 0 to 1."""
    if structure == "body":
        return np.subtract(1.0, probabilities[OUTSIDE_INDEX], dtype=np.float32)
    return probabilities[CLASS_INDEX[structure]]
