"""Pictures for the review of a structure: slices through its centre, with the network's uncertainty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from case.case import Case, MadeBy
from geometry.volume import Volume
from reconstruction import in_case

KIND = "pictures"


def draw_structure(case: Case, structure: str, made_by: MadeBy) -> Path:
    """Writes ``pictures/STRUCTURE.png`` into the case, and returns its path.

    Raises:
        CaseError: there is no such structure, or the CT is no longer the case's.
        UnreadableInputError, CtRefusedError: the CT is no longer there, or no longer readable.
    """
    from navigation.pictures.slices import slice_picture

    surface = case.artefact(f"surfaces/{structure}.glb")
    probabilities = {structure: _extent(case, structure)}
    uncertainty = in_case.read_uncertainty(case)
    ct = in_case.read_ct(case).volume
    title = f"{case.name}: {structure}, {case.state(structure)}"
    middle = _middle(probabilities[structure])

    def write(path: Path) -> None:
        slice_picture(ct, probabilities, uncertainty, path, title=title, point_ct=middle)

    drawn = case.add(KIND, f"{KIND}/{structure}.png", write, made_by, (surface.id,))
    return case.path_of(drawn.id)


def _extent(case: Case, structure: str) -> Volume:
    """The structure's probability, or else the mask of its label."""
    if any(artefact.id == f"probabilities/{structure}.nii.gz" for artefact in case.artefacts):
        return in_case.read_probability(case, structure)
    layers = sum(artefact.kind == "labels" for artefact in case.artefacts)
    for layer in range(layers):
        labels, names = in_case.read_labels(case, layer)
        value = next((value for value, name in names.items() if name == structure), None)
        if value is not None:
            return labels.with_voxels((np.asarray(labels.voxels) == value).astype(np.float32))
    return in_case.read_probability(case, structure)  # raises an error that lists the structures of the case


def _middle(extent: Volume) -> np.ndarray:
    """The structure's voxel nearest to its centroid; the centroid itself may lie outside, as that of a ring does."""
    k, j, i = np.nonzero(np.asarray(extent.voxels) > 0.5)
    if not len(i):
        return extent.index_to_mm([(np.array(extent.shape_ijk) - 1) / 2])[0]
    places = extent.index_to_mm(np.stack([i, j, k], axis=1))
    nearest = np.linalg.norm(places - places.mean(axis=0), axis=1).argmin()
    return np.asarray(places[nearest])
