"""Pictures to look at before a structure is approved: slices through its middle, with how sure the network is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from case.case import Case, MadeBy
from geometry.volume import Volume
from reconstruction import in_case

KIND = "pictures"


def draw_structure(case: Case, structure: str, made_by: MadeBy) -> Path:
    """Writes ``pictures/STRUCTURE.png`` into the case, and returns where it is.

    Raises:
        CaseError: no such structure; a CT that is no longer the case's.
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
    """Where the structure is: its probability, or the voxels of its label."""
    if any(artefact.id == f"probabilities/{structure}.nii.gz" for artefact in case.artefacts):
        return in_case.read_probability(case, structure)
    layers = sum(artefact.kind == "labels" for artefact in case.artefacts)
    for layer in range(layers):
        labels, names = in_case.read_labels(case, layer)
        value = next((value for value, name in names.items() if name == structure), None)
        if value is not None:
            return labels.with_voxels((np.asarray(labels.voxels) == value).astype(np.float32))
    return in_case.read_probability(case, structure)  # which raises, and lists what there is


def _middle(extent: Volume) -> np.ndarray:
    """The voxel of the structure that is nearest to its centre of gravity: a ring's own middle lies outside of it."""
    k, j, i = np.nonzero(np.asarray(extent.voxels) > 0.5)
    if not len(i):
        return extent.index_to_mm([(np.array(extent.shape_ijk) - 1) / 2])[0]
    places = extent.index_to_mm(np.stack([i, j, k], axis=1))
    nearest = np.linalg.norm(places - places.mean(axis=0), axis=1).argmin()
    return np.asarray(places[nearest])
