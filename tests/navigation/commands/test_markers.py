"""``surgnav markers``: found, kept in a case, read back as planned landmarks; nobody's work is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from case.case import Case, MadeBy
from case.markups import read_markups, write_markups
from case.nifti_files import write_nifti
from geometry import Volume
from navigation.cli import app
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from registration.record.point_files import read_planned
from tests.reconstruction.skin_markers.marker_scene import Scene

TIME = "2026-01-02T03:04:05+00:00"
BY_HAND = MadeBy(program="test", version="1", time=TIME, parameters={"person": "Dr Test"})
LANDMARKS = "markups/landmarks.mrk.json"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A CT with three balls of 6 mm, and their centres from head to foot."""
    scene = Scene(spacing_mm=(1.0, 1.0, 1.0), size_mm=(150.0, 124.0, 60.0))
    centres = [scene.skin_point(angle, z, 3.0) for angle, z in ((-85.0, 15.0), (-130.0, 0.0), (-40.0, -15.0))]
    for centre in centres:
        scene.ball(centre, 6.0, 1800.0)
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    volume: Volume = scene.scan(np.random.default_rng(0))
    write_nifti(path, volume)
    return path, scene.in_ct(centres)


@pytest.fixture
def case(scanned: tuple[Path, np.ndarray], tmp_path: Path) -> Path:
    with Case.create(tmp_path / "case", "phantom", TIME) as made:
        in_case.add_ct_reference(made, read_ct(scanned[0]), scanned[0], BY_HAND)
    return tmp_path / "case"


def markers(*words: object) -> Result:
    return CliRunner().invoke(app, ["markers", *map(str, words)])


def test_they_become_the_planned_landmarks(case: Path, scanned: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    numbers = tmp_path / "markers.json"
    result = markers(scanned[0], "--case", case, "--diameter", 6, "--expect", 3, "--json", numbers)
    assert result.exit_code == 0, result.output
    planned = read_planned(case / LANDMARKS)
    assert list(planned) == ["marker_1", "marker_2", "marker_3"]
    np.testing.assert_allclose(np.array(list(planned.values())), scanned[1], atol=0.2)  # a fifth of a voxel
    said = read_markups(case / LANDMARKS).descriptions
    assert all("expected error 0." in said[name] and "6.0 mm" in said[name] for name in planned)
    artefact = Case.open(case).artefact(LANDMARKS)
    assert artefact.made_by.parameters == {"command": "markers", "diameter_mm": 6.0, "expected": 3}
    assert [source.id for source in artefact.made_from] == ["ct"]
    assert list(json.loads(numbers.read_text())["markers"]) == list(planned)


def test_the_case_knows_its_ct_and_a_second_search_changes_nothing(case: Path) -> None:
    assert markers("--case", case).exit_code == 0
    before = (case / "case.json").read_bytes()
    again = markers("--case", case)
    assert again.exit_code == 0
    assert "stays as it is" in " ".join(again.output.split())
    assert (case / "case.json").read_bytes() == before


def test_too_few_are_not_kept(case: Path) -> None:
    result = markers("--case", case, "--expect", 4)
    assert result.exit_code == 3
    assert "3 found, not 4" in " ".join(result.output.split())
    assert not (case / LANDMARKS).exists()


@pytest.mark.parametrize("whose", ["made by a person", "edited in 3D Slicer", "put there"])
def test_landmarks_of_others_are_never_overwritten_silently(case: Path, whose: str) -> None:
    if whose == "made by a person":
        Case.open(case).add_markups("landmarks", {"nose": [1.0, 2.0, 3.0]}, BY_HAND)
    elif whose == "edited in 3D Slicer":
        assert markers("--case", case).exit_code == 0
        write_markups(case / LANDMARKS, "landmarks", {"nose": [1.0, 2.0, 3.0]})
    else:
        (case / LANDMARKS).parent.mkdir()
        write_markups(case / LANDMARKS, "landmarks", {"nose": [1.0, 2.0, 3.0]})
    before = (case / LANDMARKS).read_bytes()
    refused = markers("--case", case)
    assert refused.exit_code == 1
    assert "MarkersError" in refused.output
    assert (case / LANDMARKS).read_bytes() == before

    assert markers("--case", case, "--replace").exit_code == 0
    assert list(read_planned(case / LANDMARKS)) == ["marker_1", "marker_2", "marker_3"]
    kept = read_markups(case / "markups/landmarks_replaced_1.mrk.json")
    assert kept.points_ct_mm["nose"].tolist() == [1.0, 2.0, 3.0]


def test_another_ct_and_no_input_are_refused(case: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nii.gz"
    volume = Scene(spacing_mm=(1.0, 1.0, 1.0), size_mm=(150.0, 124.0, 60.0)).scan(np.random.default_rng(1))
    write_nifti(other, volume)
    for words, part in (((other, "--case", case), "other than the one"), ((), "neither a CT nor a case")):
        result = markers(*words)
        assert result.exit_code == 1
        assert part in " ".join(result.output.split())
    bare = markers(other)
    assert bare.exit_code == 3
    assert "0 found" in bare.output
