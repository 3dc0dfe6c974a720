"""What each planned landmark is, told by where it lies where the plan does not say it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.uncertainty.mobility import LandmarkKind

# Structures that are skin. Every other one is taken to be as rigid as the CT shows it, and the verdict says so.
SKIN = ("skin", "body")


# A landmark deeper than this under the skin is none on it. Balls lie outside, and segmented skin is off by some mm.
DEEP_MM = 12.0


def kinds_of(
    landmarks_ct: Mapping[str, Floats], said: Mapping[str, LandmarkKind], field_ct: DistanceField, *, swept_skin: bool
) -> dict[str, LandmarkKind]:
    """Of every planned landmark. Where it is not said: bare skin near the skin, which is the most careful; else bone.

    Args:
        field_ct: distance to the surface that is registered to; swept_skin: whether it is the skin.
    """
    if not landmarks_ct:
        return {}
    depth_mm = -field_ct.distance(np.array(list(landmarks_ct.values()))).signed_mm
    near: list[LandmarkKind] = ["bare_skin" if swept_skin and depth < DEEP_MM else "bone" for depth in depth_mm]
    return {name: said.get(name, kind) for name, kind in zip(landmarks_ct, near, strict=True)}
