"""What each planned landmark is, and so how far it may have moved: said in the plan, else told by where it lies.

In the plan: ``kind: bone``, ``kind: skin_marker`` or ``kind: bare_skin`` in a point's description (3D Slicer shows and
edits it), or ``"kind"`` beside the position in JSON. Balls that ``surgnav markers`` found say it themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from case.markups import read_markups
from geometry.points import Floats
from navigation.errors import RegisteringError
from registration.distance.closest_point import DistanceField
from registration.uncertainty.mobility import KINDS, LandmarkKind

# Structures that are skin. Every other one is taken to be as rigid as the CT shows it, and the verdict says so.
SKIN = ("skin", "body")
# A landmark deeper than this under the skin is none on it. Balls lie outside, and segmented skin is off by some mm.
DEEP_MM = 12.0
_SAID = re.compile(r"\bkind:\s*([A-Za-z_]+)")


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


def said_in(path: Path) -> dict[str, LandmarkKind]:
    """By name, the kinds that a plan says: markups in their descriptions, JSON beside each position.

    Raises:
        RegisteringError: a kind that there is not.
        MarkupsError: markups that cannot be read.
    """
    if path.name.endswith(".mrk.json"):
        texts = dict(read_markups(path).descriptions)
    elif path.suffix == ".json":
        points = json.loads(path.read_bytes().decode("utf-8-sig")).get("points", {})
        texts = {name: f"kind: {point['kind']}" for name, point in dict(points).items() if point.get("kind")}
    else:
        texts = {}
    found = {name: kind_in(text, name) for name, text in texts.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def kind_in(text: str, name: str) -> LandmarkKind | None:
    """The kind that a description says; None if it says none.

    Raises:
        RegisteringError: a kind that there is not.
    """
    found = _SAID.search(text)
    if found is None:
        return None
    said = found.group(1)
    for kind in KINDS:
        if said == kind:
            return kind  # type: ignore[return-value]
    raise RegisteringError(f"the landmark '{name}' of kind '{said}'", ", ".join(KINDS), "correct its description")
