"""A small case from a DICOM series: a block of three structures that no flip maps to itself, decided by a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from case.case import Case, MadeBy
from geometry import Surface, Volume
from geometry.frames import CT
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.dicom.dicom_factory import Edit, nothing, write_series
from tests.registration.shapes import icosphere

TIME, PERSON = "2026-11-27T10:00:00+01:00", "Dr A. Example"
SHAPE = 14, 10, 12  # slices, rows, columns
NAMES = {0: "outside", 1: "liver", 2: "kidney_left", 3: "lesion_7"}
FRAME = "1.2.826.0.1.3680043.8.498.77"


def with_frame(edit: Edit = nothing) -> Edit:
    """Slices that share a frame of reference, as an archive's do."""

    def edited(dataset: object, k: int) -> None:
        dataset.FrameOfReferenceUID = FRAME
        edit(dataset, k)

    return edited


def labels() -> np.ndarray:
    """``(nk, nj, ni)``: different extents along every axis and direction; two slices are empty."""
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[1:9, 1:4, 2:7] = 1
    voxels[9:12, 5:9, 6:11] = 2
    voxels[3, 7, 9] = 3
    return voxels


def make_case(folder: Path, *, rotation: np.ndarray | None = None, edit: Edit = nothing, decided: bool = True) -> Case:
    write_series(folder / "ct", edit=with_frame(edit), hu=body(), rotation=rotation, step_mm=1.7)
    scan = read_ct(folder / "ct")
    made_by = MadeBy.surgnav(TIME, {"weights_sha256": "ab" * 32})
    with Case.create(folder / "case", "phantom", TIME) as case:
        in_case.add_ct_reference(case, scan, folder / "ct", made_by)
        in_case.add_labels(case, Volume(labels(), scan.volume.affine), NAMES, made_by)
        for value, name in NAMES.items():
            if value:
                case.add_surface(ball(name, 5.0 + value), made_by)
    if decided:
        for state, name in (("approved", "liver"), ("edited", "kidney_left"), ("rejected", "lesion_7")):
            case.decide(name, state, PERSON, TIME, looked_at=True, reason=f"{state} by hand")
    return case


def ball(name: str, radius_mm: float) -> Surface:
    vertices, triangles = icosphere(2)
    return Surface(radius_mm * vertices, triangles, CT, name)


def body() -> np.ndarray:
    """HU of a scan that passes for one."""
    rng = np.random.default_rng(3)
    voxels = np.full(SHAPE, -1000.0)
    voxels[:, 1:-1, 1:-1] = 40.0
    voxels[:, 3:5, 3:5] = 900.0
    return (voxels + rng.normal(0.0, 8.0, SHAPE)).round().astype(np.int16)
