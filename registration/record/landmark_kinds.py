"""Reads the kinds of landmarks that a plan states; other landmarks get theirs from `landmarks/kinds.py`.

A plan states ``kind: bone``, ``kind: skin_marker`` or ``kind: bare_skin`` in a point's description (which 3D Slicer
shows and edits), or ``"kind"`` beside the position in JSON. Markers that ``surgnav markers`` found have it set.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from case.markups import read_markups
from registration.errors import RegisteringError
from registration.uncertainty.mobility import KINDS, LandmarkKind

_SAID = re.compile(r"\bkind:\s*([A-Za-z_]+)")


def said_in(path: Path) -> dict[str, LandmarkKind]:
    """The kinds that a plan states, by landmark name; landmarks without one are left out.

    Raises:
        RegisteringError: an unknown kind.
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
    """The kind that a landmark's description states; None if it states none.

    Raises:
        RegisteringError: an unknown kind.
    """
    found = _SAID.search(text)
    if found is None:
        return None
    said = found.group(1)
    for kind in KINDS:
        if said == kind:
            return kind  # type: ignore[return-value]
    raise RegisteringError(
        f"the landmark '{name}' of kind '{said}'", f"one of {', '.join(KINDS)}", "correct its description"
    )
