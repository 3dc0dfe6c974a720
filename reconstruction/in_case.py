"""Writes CT, labels, probabilities, uncertainty and regions to review into a case, and reads them back.

These are functions, not methods of `Case`: reading a CT needs `reconstruction`, which `case` must not import.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from case.case import CT_ID, LABEL_NAMES_ID, LABELS_ID, UNCERTAINTY_ID, Case, checked_name, write_payload
from case.errors import CaseError
from case.manifest import Artefact, MadeBy
from case.nifti_files import write_nifti, write_probability_nifti
from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.ct.read import read_ct as read_ct_at
from reconstruction.ct.scan import CtScan
from reconstruction.ct.verdict import QualityVerdict
from reconstruction.network.uncertainty.measure import Uncertainty

HOW_SURE_KIND, HOW_SURE_NAME = "quality", "uncertainty"
BORDER_ERROR_KIND = "border_error"


def add_ct_copy(case: Case, scan: CtScan, made_by: MadeBy) -> Artefact:
    """Keeps the CT itself in the case, as NIfTI: the case stands alone and holds no DICOM header."""
    return case.add(
        "ct",
        "ct/ct.nii.gz",
        lambda path: write_nifti(path, scan.volume),
        made_by,
        artefact_id=CT_ID,
        details=_ct_details(scan),
    )


def add_ct_reference(case: Case, scan: CtScan, path: str | PathLike[str], made_by: MadeBy) -> Artefact:
    """Records only the CT's path and fingerprint. The path may contain a patient's name, and is stored as it is."""
    artefact = Artefact(
        id=CT_ID,
        kind="ct",
        path=str(Path(path).absolute()),
        sha256=scan.content_sha256,
        made_by=made_by,
        details=_ct_details(scan) | {"choice": asdict(scan.choice)},
        by_reference=True,
    )
    case.save(case.manifest.with_artefacts(artefact))
    return artefact


def add_labels(
    case: Case,
    labels: Volume,
    names: Mapping[int, str],
    made_by: MadeBy,
    made_from: Sequence[str] = (CT_ID,),
    *,
    layer: int = 0,
    given_names: Mapping[str, str] | None = None,
) -> Artefact:
    """Adds a label volume as NIfTI on its own grid, and the names of its values as JSON beside it.

    Structures that overlap need layers of their own: the first is ``labels/labels.nii.gz``, the second
    ``labels/labels_2.nii.gz``.

    Args:
        given_names: name -> the name in its source file, in any script, where it is known.
    """
    labels_id, names_id = _label_ids(layer)
    artefact = case.add("labels", labels_id, lambda path: write_nifti(path, labels), made_by, made_from)
    named = {str(value): name for value, name in names.items()}
    given = {name: (given_names or {})[name] for name in names.values() if name in (given_names or {})}
    details = {"given_names": given} if given else {}
    case.add("label_names", names_id, lambda path: write_payload(path, named), made_by, (labels_id,), details=details)
    return artefact


def add_probability(
    case: Case, structure: str, probability: Volume, made_by: MadeBy, made_from: Sequence[str] = (CT_ID,)
) -> Artefact:
    """Adds one structure's probability (floats from 0 to 1, or uint8 as 255ths) as NIfTI of one byte a voxel."""
    path = f"probabilities/{checked_name(structure)}.nii.gz"
    return case.add("probability", path, lambda path: write_probability_nifti(path, probability), made_by, made_from)


def add_uncertainty(case: Case, uncertainty: Volume, made_by: MadeBy, made_from: Sequence[str] = (CT_ID,)) -> Artefact:
    """Adds the entropy of the network's classes, 0 sure to 1 undecided, as NIfTI of one byte a voxel."""
    write = partial(write_probability_nifti, probability=uncertainty)
    return case.add("uncertainty", UNCERTAINTY_ID, write, made_by, made_from)


def add_how_sure(
    case: Case,
    uncertainty: Uncertainty,
    structures: Sequence[str],
    made_by: MadeBy,
    made_from: Sequence[str] = (CT_ID, LABELS_ID),
) -> None:
    """Adds how sure the network is, with the regions to review, and each surface's expected border error.

    The latter is ``border_error/{structure}.npy``: float32, mm, one for each vertex of the structure's GLB, in order.

    Args:
        structures: those that have a surface in the case.
    """
    case.write_json(HOW_SURE_KIND, HOW_SURE_NAME, uncertainty.to_json(), made_by, made_from)
    for structure in structures:
        error_mm = uncertainty.border_error_mm(structure, case.read_surface(structure).vertices_mm)
        case.add(
            BORDER_ERROR_KIND,
            f"{BORDER_ERROR_KIND}/{checked_name(structure)}.npy",
            partial(_write_array, values=error_mm.astype(np.float32)),
            made_by,
            (f"surfaces/{structure}.glb",),
            details={"unit": "mm", "median_mm": round(float(np.median(error_mm)), 3)},
        )


def read_how_sure(case: Case) -> dict[str, Any] | None:
    """How sure the network was, as `Uncertainty.to_json` gives it; None where that was not asked for."""
    path = f"{HOW_SURE_KIND}/{HOW_SURE_NAME}.json"
    known = any(artefact.id == path for artefact in case.artefacts)
    return dict(json.loads(case.path_of(path).read_bytes())) if known else None


def read_border_error(case: Case, structure: str) -> Singles | None:
    """Expected border error in mm at each vertex of the structure's surface; None where there is none.

    Raises:
        CaseError: it does not belong to the surface as it is now.
    """
    path = f"{BORDER_ERROR_KIND}/{structure}.npy"
    if not any(artefact.id == path for artefact in case.artefacts):
        return None
    problem = case.stale().get(path) or case.verify().get(path)
    if problem:
        raise CaseError(
            f"border errors of '{structure}' that cannot be used: {problem}", "current ones", "make it again"
        )
    return np.asarray(np.load(case.path_of(path), allow_pickle=False), np.float32)


def _write_array(path: Path, values: Singles) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def read_ct(case: Case) -> CtScan:
    """Reads the case's CT, with the verdict that it got when the case was made.

    Raises:
        CaseError: the CT's voxels or affine differ from those that the case was made from.
        UnreadableInputError, CtRefusedError: the CT is missing or unreadable.
    """
    recorded = case.artefact(CT_ID).details
    scan = read_ct_at(case.path_of(CT_ID), choice=recorded_choice(case.artefact(CT_ID)))
    if scan.content_sha256 != recorded["content_sha256"]:
        raise CaseError("a CT other than the one the case was made from", "the same voxels", "make a new case")
    verdict = QualityVerdict(recorded["verdict"], tuple(recorded["reasons"]), tuple(recorded["notes"]))
    return replace(scan, verdict=verdict, source=recorded["source"])


def read_labels(case: Case, layer: int = 0) -> tuple[Volume, dict[int, str]]:
    """A label volume, and the names of its values; overlapping structures are in layers of their own."""
    labels_id, names_id = _label_ids(layer)
    names = json.loads(case.path_of(names_id).read_bytes())
    return read_nifti_volume(case.path_of(labels_id)), {int(value): name for value, name in names.items()}


def read_probability(case: Case, structure: str) -> Volume:
    """One structure's probability, float32 from 0 to 1."""
    return read_nifti_volume(case.path_of(f"probabilities/{structure}.nii.gz"))


def read_uncertainty(case: Case) -> Volume | None:
    """The entropy of the network's classes, 0 to 1; None for surfaces that no network made."""
    known = any(artefact.id == UNCERTAINTY_ID for artefact in case.artefacts)
    return read_nifti_volume(case.path_of(UNCERTAINTY_ID)) if known else None


def _label_ids(layer: int) -> tuple[str, str]:
    if layer == 0:
        return LABELS_ID, LABEL_NAMES_ID
    return f"labels/labels_{layer + 1}.nii.gz", f"labels/labels_{layer + 1}.json"


def recorded_choice(ct: Artefact) -> CtChoice:
    """Which CT at its path was meant; a copy in the case is the only one there, and in HU already."""
    if not ct.by_reference:
        return CtChoice()
    if "choice" in ct.details:
        return CtChoice(**ct.details["choice"])
    number = ct.details["series_number"]  # a case of an earlier version
    return CtChoice(series=None if number is None else str(number))


def _ct_details(scan: CtScan) -> dict[str, Any]:
    return {
        "source": scan.source,
        "content_sha256": scan.content_sha256,
        "series_number": scan.info.series_number,
        "shape_ijk": list(scan.volume.shape_ijk),
        "spacing_mm": scan.volume.spacing_mm.tolist(),
        "verdict": scan.verdict.level,
        "reasons": list(scan.verdict.reasons),
        "notes": list(scan.verdict.notes),
    }
