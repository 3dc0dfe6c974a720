"""Checks a plan against the case's approved surfaces and the extent of its CT, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from case.case import CT_ID, LABELS_ID, Case
from geometry import Surface
from geometry.extras import from_extra
from geometry.orientation import flip_affine_ras_lps
from geometry.points import Floats
from registration.distance.closest_point import ExactDistance
from registration.landmarks.on_surfaces import Surroundings, check_placement, lie_on, refuse_outside

NIFTI = (".nii", ".nii.gz")


def check_plan(
    case: Case, surface: Surface, landmarks_ct: Mapping[str, Floats], targets_ct: Mapping[str, Floats]
) -> dict[str, str]:
    """Doubts about planned landmarks in words, by name; empty if all positions are plausible.

    Args:
        case: the case with its approved surfaces.
        surface: the surface that is registered to, in ct.
        landmarks_ct, targets_ct: name -> ``(3,)`` in ct, in mm.

    Raises:
        LandmarksRefusedError: landmarks in other axes or another unit, or a point outside the patient.
    """
    field = ExactDistance(surface)
    if lie_on(landmarks_ct, field) and _within(targets_ct, surface.bounds_mm):
        return {}
    names = [artefact.details["structure"] for artefact in case.approved_surfaces()]
    others = [case.read_surface(name) for name in names if name != surface.name]
    fields = {surface.name: field} | {other.name: ExactDistance(other) for other in others}
    box_mm = _joined(_ct_box_mm(case), surface.bounds_mm, *(other.bounds_mm for other in others))
    doubts = check_placement(landmarks_ct, Surroundings(surface.name, fields, box_mm))
    refuse_outside(targets_ct, box_mm)
    return doubts


def _within(points_ct: Mapping[str, Floats], box_mm: Floats) -> bool:
    return all(bool((box_mm[0] <= point).all() and (point <= box_mm[1]).all()) for point in points_ct.values())


def _joined(*boxes_mm: Floats | None) -> Floats:
    known = np.array([box for box in boxes_mm if box is not None])
    return np.stack([known[:, 0].min(axis=0), known[:, 1].max(axis=0)])


def _ct_box_mm(case: Case) -> Floats | None:
    """Lowest and highest corner ``(2, 3)`` of the CT in ct, from a NIfTI header in the case; None if there is none."""
    known = {artefact.id for artefact in case.artefacts}
    for artefact_id in (CT_ID, LABELS_ID):
        path = case.path_of(artefact_id) if artefact_id in known else Path()
        if path.name.endswith(NIFTI) and path.is_file():
            return _nifti_box_mm(path)
    return None


def _nifti_box_mm(path: Path) -> Floats | None:
    with from_extra("registration"):
        import nibabel

    try:
        image = nibabel.load(path)
    except (OSError, ValueError, nibabel.filebasedimages.ImageFileError):
        return None  # the box of the surfaces is used instead
    corners = np.array(np.meshgrid(*((-0.5, count - 0.5) for count in image.shape[:3]))).reshape(3, -1)
    affine = flip_affine_ras_lps(image.affine)
    corners_ct = (affine[:3, :3] @ corners + affine[:3, 3:]).T
    return np.stack([corners_ct.min(axis=0), corners_ct.max(axis=0)])
