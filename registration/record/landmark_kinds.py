"""What each planned landmark is, and so how far it may have moved: said in the plan, else told by where it lies.

In the plan: ``kind: bone``, ``kind: skin_marker`` or ``kind: bare_skin`` in a point's description (3D Slicer shows and
edits it), or ``"kind"`` beside the position in JSON. Balls that ``surgnav markers`` found say it themselves.
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
