"""Places named targets and bone landmarks on the surfaces that the surgeon approved."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry import Surface
from geometry.points import Floats
from navigation.errors import PlanError


def plan_targets(surfaces_ct: Mapping[str, Surface]) -> dict[str, Floats]:
    """Named targets, ``(3,)`` in mm in ``ct``, at which the registration's error is evaluated.

    They lie at the centre and the dome of the liver, and on the spine at two heights.

    Raises:
        PlanError: `surfaces_ct` has neither liver nor bone.
    """
    targets: dict[str, Floats] = {}
    if "liver" in surfaces_ct:
        targets |= _liver_targets(surfaces_ct["liver"])
    if "bone" in surfaces_ct:
        targets |= _spine_targets(surfaces_ct["bone"])
    if not targets:
        raise PlanError(
            f"the approved structures {sorted(surfaces_ct)}", "liver or bone among them", "approve one of them first"
        )
    return targets


def plan_bone_landmarks(bone: Surface) -> dict[str, Floats]:
    """Points of bone, ``(3,)`` in mm in ``ct``, for the verification of a registration.

    They are the foremost points at two heights and one point at either side. Sternum and ribs can be palpated there
    under thin skin, and the points are far enough apart to reveal rotation errors.
    """
    low, high = bone.bounds_mm[:, 2]
    found = {}
    # ct is LPS: the front is -y, the left +x.
    for name, height, outward in (
        ("bone_front_low", 0.35, (0.0, -1.0, 0.0)),
        ("bone_front_high", 0.75, (0.0, -1.0, 0.0)),
        ("bone_left", 0.55, (1.0, 0.0, 0.0)),
        ("bone_right", 0.55, (-1.0, 0.0, 0.0)),
    ):
        slab = bone.vertices_mm[np.abs(bone.vertices_mm[:, 2] - (low + height * (high - low))) < 0.1 * (high - low)]
        if len(slab):
            found[name] = slab[np.argmax(slab @ outward)]
    return found


def _liver_targets(liver: Surface) -> dict[str, Floats]:
    dome = liver.vertices_mm[np.argmax(liver.vertices_mm[:, 2])]
    return {"liver_centre": liver.vertices_mm.mean(axis=0), "liver_dome": dome}


def _spine_targets(bone: Surface) -> dict[str, Floats]:
    """Vertices of the spine at two heights: those in the middle of the bones' width and in their rear third."""
    low, high = bone.bounds_mm
    middle_mm = 0.5 * (low[0] + high[0])
    rear = low[1] + 0.55 * (high[1] - low[1])
    near = (np.abs(bone.vertices_mm[:, 0] - middle_mm) < 30.0) & (bone.vertices_mm[:, 1] > rear)
    targets = {}
    for name, height in (("spine_lower", 0.35), ("spine_upper", 0.65)):
        level_mm = low[2] + height * (high[2] - low[2])
        slab = bone.vertices_mm[near & (np.abs(bone.vertices_mm[:, 2] - level_mm) < 15.0)]
        if len(slab):
            targets[name] = slab.mean(axis=0)
    return targets
