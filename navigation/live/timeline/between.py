"""A pose between two others: on a straight line, and turning at constant speed about one axis (slerp)."""

from __future__ import annotations

from geometry import Transform
from geometry.points import Floats
from navigation.live.timeline.turns import rotation_of, rotation_vector


def between(first: Transform, second: Transform, share: float) -> Transform | None:
    """The pose that lies `share` of the way from `first` to `second`, which connect the same frames.

    Args:
        share: 0 for `first`, 1 for `second`.

    Returns:
        None where the tool turned by a quarter or more: the way it took is not known.
    """
    turn = rotation_vector(first.rotation_matrix.T @ second.rotation_matrix)
    if turn is None:
        return None
    place = first.translation_mm + share * (second.translation_mm - first.translation_mm)
    return posed(first.rotation_matrix @ rotation_of(turn, share), place, first)


def posed(rotation: Floats, translation_mm: Floats, like: Transform) -> Transform:
    """A pose of the same frames as `like`."""
    matrix = like.matrix.copy()
    matrix[:3, :3], matrix[:3, 3] = rotation, translation_mm
    return Transform(matrix, like.to_frame, like.from_frame)
