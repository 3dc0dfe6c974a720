"""Infers the kind of planned landmarks (bone or bare skin) from their position, where the plan does not state it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.uncertainty.mobility import LandmarkKind

# Names of structures that are skin. Every other structure is assumed to be rigid, and the verdict says so.
SKIN = ("skin", "body")


# Landmarks deeper than this under the skin are not on it. The margin allows for the segmentation's error of some mm.
DEEP_MM = 12.0


def kinds_of(
    landmarks_ct: Mapping[str, Floats], said: Mapping[str, LandmarkKind], field_ct: DistanceField, *, swept_skin: bool
) -> dict[str, LandmarkKind]:
    """The kind of each planned landmark, by name.

    Where the plan does not state it: bare skin (the most cautious kind) for landmarks near swept skin, else bone.

    Args:
        landmarks_ct: name -> ``(3,)`` in ct, in mm.
        said: kinds that the plan states, by name.
        field_ct: distance to the surface that is registered to.
        swept_skin: whether that surface is the skin.
    """
    if not landmarks_ct:
        return {}
    depth_mm = -field_ct.distance(np.array(list(landmarks_ct.values()))).signed_mm
    near: list[LandmarkKind] = ["bare_skin" if swept_skin and depth < DEEP_MM else "bone" for depth in depth_mm]
    return {name: said.get(name, kind) for name, kind in zip(landmarks_ct, near, strict=True)}
