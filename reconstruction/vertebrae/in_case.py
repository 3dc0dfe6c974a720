"""Writes vertebrae, their numbers and what is to be reviewed about them into a case, and reads them back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from case.case import CT_ID, Case, write_payload
from case.colours import structure_rgba
from case.manifest import MadeBy
from case.nifti_files import write_nifti
from geometry.volume import Volume
from reconstruction.vertebrae.from_network import Spine
from reconstruction.vertebrae.order import order_findings
from reconstruction.vertebrae.result import findings_as_json

SPINE_KIND, SPINE_NAME = "quality", "vertebrae"
SPINE_ID = f"{SPINE_KIND}/{SPINE_NAME}.json"
LABELS_ID, NAMES_ID = "labels/vertebrae.nii.gz", "labels/vertebrae.json"


def write_spine(case: Case, spine: Spine | None, made_by: MadeBy) -> None:
    """Adds the vertebrae's labels, each one's surface, and their numbers with the findings; nothing for None."""
    if spine is None:
        return
    found = spine.found
    names = {str(vertebra.label): vertebra.name for vertebra in found.vertebrae}
    case.add("labels", LABELS_ID, lambda path: write_nifti(path, found.labels), made_by, (CT_ID,))
    case.add("label_names", NAMES_ID, lambda path: write_payload(path, names), made_by, (LABELS_ID,))
    for vertebra in found.vertebrae:
        if vertebra.name in spine.surfaces:
            extracted = spine.surfaces[vertebra.name]
            facts = {"number": vertebra.number, "confidence": vertebra.confidence}
            case.add_surface(
                extracted.surface,
                made_by,
                (LABELS_ID,),
                structure_rgba(vertebra.name),
                details=extracted.simplified() | facts,
            )
    case.write_json(SPINE_KIND, SPINE_NAME, found.to_json(), made_by, (LABELS_ID,))


def write_order(
    case: Case,
    layers: Sequence[Volume],
    names_of: Callable[[int], Mapping[int, str]],
    made_by: MadeBy,
    made_from: Sequence[str],
) -> None:
    """Adds what is out of order among vertebrae that others have numbered, if anything is.

    Args:
        case: where to.
        layers: label volumes.
        names_of: number of a layer -> value -> name.
        made_by: of the labels.
        made_from: the labels' artefacts.
    """
    said = [finding for n, labels in enumerate(layers) for finding in order_findings(labels, names_of(n))]
    findings = tuple(dict.fromkeys(said))
    if findings:
        case.write_json(SPINE_KIND, SPINE_NAME, findings_as_json((), findings), made_by, made_from)


def read_spine(case: Case) -> dict[str, Any] | None:
    """The record of the vertebrae, as `Vertebrae.to_json` gives it; None if the case has none."""
    known = any(artefact.id == SPINE_ID for artefact in case.artefacts)
    return dict(json.loads(case.path_of(SPINE_ID).read_bytes())) if known else None
