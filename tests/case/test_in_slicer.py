"""3D Slicer's own core reads what SurgNav writes, and has the same geometry in its world, which is RAS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from case.findings.finding import MarkedIn, made_finding, write_finding
from case.markups import write_markups
from case.mesh_files import write_surface
from case.nifti_files import write_nifti
from geometry import Surface, Transform
from geometry.frames import CT, REFERENCE
from geometry.orientation import flip_affine_ras_lps, flip_ras_lps
from geometry.volume import Volume
from reconstruction.centrelines.files import write_curve
from registration.errors import RegisteringError
from registration.record.transform_files import write_transform
from tests.case.slicers_core import read_by_slicer

# Skin of a patient far from the origin, with coordinates that are no round numbers.
LANDMARKS = {"nasion": [1.25, -80.123456789, 1033.3], "tragus left": [71.0, 12.5, 1001.0000001]}
DESCRIPTIONS = {"nasion": "between the eyes"}
BRANCH_MM = np.array([[10.1, 20.2, 30.3], [11.0, 22.0, 29.5], [12.0, 24.5, 28.0]])
WEDGE = Surface(
    np.array([[0.1, 0, 1000], [40, 0.7, 1000], [0, -60, 1000.25], [0, 0, 1080.5]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    CT,
    "wedge",
)
CONTOUR = made_finding(
    name="vessel-1",
    shape="contour",
    in_frame=CT,
    points_mm=tuple(map(tuple, BRANCH_MM.tolist())),
    closed=True,
    registration="r-0001",
    registration_sha256="ab" * 32,
    person="Dr Test",
    time="2026-11-27T10:00:00+00:00",
    marked_in=MarkedIn(images="the probe"),
)
T_CT_REFERENCE = Transform.from_rotation(
    Rotation.from_rotvec([0.3, -1.1, 0.7]), [12.25, -80.123456789, 1033.3], CT, REFERENCE
)


@pytest.fixture(scope="module")
def oblique() -> Volume:
    """Labels on a grid that is turned by 30 degrees about the superior axis, with thick slices."""
    turn = np.array([[np.cos(0.5236), -np.sin(0.5236), 0.0], [np.sin(0.5236), np.cos(0.5236), 0.0], [0.0, 0.0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.7, 0.8, 2.5])
    affine[:3, 3] = [-120.5, 33.25, 1000.125]
    return Volume(np.arange(4 * 3 * 5, dtype=np.int16).reshape(3, 4, 5), affine)


@pytest.fixture(scope="module")
def read(oblique: Volume, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Slicer made of each file, by its name."""
    folder = tmp_path_factory.mktemp("slicer")
    write_markups(folder / "landmarks.mrk.json", "landmarks", LANDMARKS, DESCRIPTIONS)
    write_curve(folder / "branch.mrk.json", "hepatic 1", BRANCH_MM, [3.0, 2.5, 2.0])
    for suffix in (".stl", ".ply", ".obj"):
        write_surface(folder / f"wedge{suffix}", WEDGE)
    write_nifti(folder / "labels.nii.gz", oblique)
    write_transform(folder / "reference_to_ras.tfm", T_CT_REFERENCE)
    write_finding(folder / "vessel.mrk.json", CONTOUR)
    return read_by_slicer(sorted(folder.iterdir()))


def test_landmarks_are_the_same_points_with_the_same_words(read: dict[str, Any]):
    found = read["landmarks.mrk.json"]
    assert found["name"] == "landmarks"
    assert [(label, text) for label, text, *_ in found["points"]] == [
        (label, DESCRIPTIONS.get(label, "")) for label in LANDMARKS
    ]
    positions = [point[2:] for point in found["points"]]
    np.testing.assert_allclose(positions, flip_ras_lps(list(LANDMARKS.values())), rtol=0, atol=1e-6)


def test_a_centreline_is_the_same_curve(read: dict[str, Any]):
    found = [point[2:] for point in read["branch.mrk.json"]["points"]]
    np.testing.assert_allclose(found, flip_ras_lps(BRANCH_MM), rtol=0, atol=1e-6)


def test_a_marked_contour_is_the_same_closed_curve(read: dict[str, Any]):
    points = read["vessel.mrk.json"]["points"]
    np.testing.assert_allclose([point[2:] for point in points], flip_ras_lps(np.array(CONTOUR.points_mm)), atol=1e-9)


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj"])
def test_a_surface_lies_where_it_lay_and_faces_outward(read: dict[str, Any], suffix: str):
    found = read[f"wedge{suffix}"]
    corners = np.array(found["points"])[np.array(found["triangles"])]
    expected = flip_ras_lps(WEDGE.vertices_mm)[WEDGE.triangles]
    ours, theirs = sorted(map(_from_smallest, expected)), sorted(map(_from_smallest, corners))
    # Slicer's own points are float32, as those of STL and PLY: 6e-5 mm at a metre. Wound the same way, too.
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=6.2e-5)


def test_labels_lie_on_the_same_grid(read: dict[str, Any], oblique: Volume):
    found = read["labels.nii.gz"]
    assert tuple(found["shape_ijk"]) == oblique.shape_ijk
    assert found["voxels"] == oblique.voxels.reshape(-1).tolist()
    # NIfTI's affine is float32: 6e-5 mm at a metre, and 1e-7 of a voxel's edge.
    expected = flip_affine_ras_lps(oblique.affine)
    np.testing.assert_allclose(np.array(found["T_ras_ijk"])[:, 3], expected[:, 3], rtol=0, atol=6.2e-5)
    np.testing.assert_allclose(np.array(found["T_ras_ijk"])[:, :3], expected[:, :3], rtol=0, atol=2e-6)


def test_what_is_put_under_a_registration_is_where_it_is_in_the_patient(read: dict[str, Any]):
    points_reference = np.array([[0.0, 0.0, 0.0], [100.5, -20.25, 1200.0]])
    T_ras_reference = np.array(read["reference_to_ras.tfm"]["T_ras_device"])
    found = points_reference @ T_ras_reference[:3, :3].T + T_ras_reference[:3, 3]
    np.testing.assert_allclose(found, flip_ras_lps(T_CT_REFERENCE.apply(points_reference)), rtol=0, atol=1e-6)


def test_a_transform_that_leads_elsewhere_is_refused(tmp_path: Path):
    with pytest.raises(RegisteringError, match="Got a transform into 'reference'; expected one into 'ct'"):
        write_transform(tmp_path / "back.tfm", T_CT_REFERENCE.inverse())
    with pytest.raises(RegisteringError, match=r"expected a name ending in \.tfm"):
        write_transform(tmp_path / "pose.h5", T_CT_REFERENCE)


def _from_smallest(corners: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """A triangle's corners in their order, from the smallest one on; which is no matter of the last digits."""
    points = [tuple(float(x) for x in np.round(corner, 5)) for corner in corners]
    first = points.index(min(points))
    return tuple(points[first:] + points[:first])
