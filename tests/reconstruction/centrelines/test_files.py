"""Curves written for 3D Slicer come back as they were; what is not certain is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from case.errors import MarkupsError
from geometry.volume import Volume
from reconstruction.centrelines.centrelines import extract_centrelines
from reconstruction.centrelines.files import read_curve, write_centrelines, write_curve

finite = st.floats(-1e4, 1e4)
POINTS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0], [6.0, 6.0, 9.0]])
RADII = np.array([1.5, 2.0, 2.5])


@given(points=arrays(np.float64, st.tuples(st.integers(2, 8), st.just(3)), elements=finite))
def test_points_and_radii_survive_exactly(tmp_path_factory, points: np.ndarray):
    path = tmp_path_factory.mktemp("curve") / "a.mrk.json"
    radii = np.abs(points[:, 0]) + 0.1
    write_curve(path, "Pfortader", points, radii)
    back = read_curve(path)
    assert back.name == "Pfortader"
    assert np.array_equal(back.points_ct_mm, points)
    assert np.array_equal(back.radius_mm, radii)


def changed(path: Path, **values) -> Path:
    write_curve(path, "a", POINTS, RADII)
    document = json.loads(path.read_text())
    document["markups"][0].update(values)
    path.write_text(json.dumps(document))
    return path


def test_ras_becomes_lps(tmp_path: Path):
    back = read_curve(changed(tmp_path / "a.mrk.json", coordinateSystem="RAS"))
    assert back.points_ct_mm[0].tolist() == [-1.0, -2.0, 3.0]


def test_slicer_finds_what_it_looks_for(tmp_path: Path):
    """The keys that vtkMRMLMarkupsJsonStorageNode reads, and the name that SlicerVMTK gives the radius."""
    write_curve(tmp_path / "a.mrk.json", "a", POINTS, RADII)
    (markup,) = json.loads((tmp_path / "a.mrk.json").read_text())["markups"]
    assert (markup["type"], markup["coordinateSystem"]) == ("Curve", "LPS")
    assert markup["measurements"][0]["name"] == "Radius"
    assert markup["measurements"][0]["controlPointValues"] == RADII.tolist()
    assert [point["positionStatus"] for point in markup["controlPoints"]] == ["defined"] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"coordinateSystem": "IJK"},
        {"coordinateSystem": None},
        {"coordinateUnits": "cm"},
        {"type": "Fiducial"},
        {"controlPoints": []},
        {"controlPoints": [{"label": "nowhere"}] * 3},
        {"measurements": [{"name": "Radius", "units": "mm", "controlPointValues": [1.0]}]},
        {"measurements": [{"name": "Radius", "units": "cm", "controlPointValues": [1.0] * 3}]},
    ],
)
def test_what_is_not_certain_is_refused(tmp_path: Path, wrong: dict):
    with pytest.raises(MarkupsError):
        read_curve(changed(tmp_path / "a.mrk.json", **wrong))


@pytest.mark.parametrize(("name", "radii"), [("a.json", RADII), ("a.mrk.json", RADII[:2])])
def test_what_cannot_be_read_again_is_not_written(tmp_path: Path, name: str, radii: np.ndarray):
    with pytest.raises(MarkupsError):
        write_curve(tmp_path / name, "a", POINTS, radii)
    assert not list(tmp_path.iterdir())


def test_each_branch_has_its_file(tmp_path: Path):
    voxels = np.zeros((30, 12, 12), dtype=bool)
    voxels[4:26, 3:8, 3:8] = True
    graph = extract_centrelines(Volume(voxels, np.eye(4)))
    (path,) = write_centrelines(tmp_path, "aorta", graph)
    assert path.name == "aorta_01.mrk.json"
    assert np.array_equal(read_curve(path).points_ct_mm, graph.branches[0].points_ct_mm)
