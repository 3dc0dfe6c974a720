"""Landmarks as 3D Slicer markups: LPS and mm out, LPS or RAS in, everything doubtful refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from case.errors import MarkupsError
from case.markups import read_markups, write_markups
from geometry.errors import InvalidPointsError

coordinates = st.floats(-1000, 1000)
labels = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable())
points = st.dictionaries(labels, st.tuples(coordinates, coordinates, coordinates), min_size=1, max_size=6)


def slicer(**changes: Any) -> dict[str, Any]:
    """What 3D Slicer 5 saves for a point list of one point, in short."""
    point = {"id": "1", "label": "nose", "position": [10.0, 20.0, 30.0], "positionStatus": "defined"}
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": [point]}
    return {"@schema": "markups-schema-v1.0.3.json#", "markups": [markup | changes]}


def saved(folder: Path, document: Any) -> Path:
    path = folder / "points.mrk.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@given(points=points)
@settings(max_examples=40)
def test_points_come_back_exactly_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, points: dict[str, tuple[float, float, float]]
) -> None:
    path = tmp_path_factory.mktemp("markups") / "landmarks.mrk.json"
    write_markups(path, "landmarks", points)
    back = read_markups(path)
    assert back.name == "landmarks"
    assert list(back.points_ct_mm) == list(points)
    for label, point in points.items():
        np.testing.assert_array_equal(back.points_ct_mm[label], point)  # JSON keeps every digit of a float64


def test_file_says_lps_and_mm_as_slicer_does(tmp_path: Path) -> None:
    path = tmp_path / "plan.mrk.json"
    write_markups(path, "plan", {"entry": [1.0, 2.0, 3.0]})
    document = json.loads(path.read_text())
    (markup,) = document["markups"]
    assert "markups-schema-v1.0.3.json" in document["@schema"]
    assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == ("Fiducial", "LPS", "mm")
    (point,) = markup["controlPoints"]
    assert (point["label"], point["position"], point["positionStatus"]) == ("entry", [1.0, 2.0, 3.0], "defined")


def test_ras_is_turned(tmp_path: Path) -> None:
    markups = read_markups(saved(tmp_path, slicer(coordinateSystem="RAS")))
    np.testing.assert_array_equal(markups.points_ct_mm["nose"], [-10.0, -20.0, 30.0])
    assert markups.name == "points"


def test_points_that_were_never_placed_are_told_apart(tmp_path: Path) -> None:
    controls = [{"label": "a", "position": [1, 2, 3]}, {"label": "b", "positionStatus": "undefined"}]
    markups = read_markups(saved(tmp_path, slicer(controlPoints=controls)))
    assert (list(markups.points_ct_mm), markups.undefined) == (["a"], ("b",))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (slicer(coordinateSystem="HFS"), "'HFS'"),
        (slicer(coordinateSystem=None), "coordinate system None"),
        (slicer(coordinateUnits="um"), "'um'"),
        (slicer(type="Line"), "'Line'"),
        (slicer(controlPoints=[{"label": "a", "position": [1, 2]}]), "'a' without three finite"),
        (slicer(controlPoints=[{"label": "a"}]), "'a' without three finite"),
        (slicer(controlPoints=[{"label": "a", "position": [1, 2, float("nan")]}]), "'a' without three finite"),
        (slicer(controlPoints=[{"label": "a", "position": [1, 2, 3]}] * 2), "repeated"),
        (slicer(controlPoints=[{"label": "", "position": [1, 2, 3]}]), "empty"),
        ({"markups": slicer()["markups"] * 2}, "2 markups"),
        ({"points": []}, "cannot be read"),
        ("[1, 2", "cannot be read"),
    ],
)
def test_what_leaves_a_doubt_is_refused(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(MarkupsError, match=words):
        read_markups(saved(tmp_path, document))


def test_nothing_wrong_is_written(tmp_path: Path) -> None:
    with pytest.raises(MarkupsError, match=r"\.mrk\.json"):
        write_markups(tmp_path / "a.json", "a", {"p": [1, 2, 3]})
    with pytest.raises(MarkupsError, match="no points"):
        write_markups(tmp_path / "a.mrk.json", "a", {})
    with pytest.raises(InvalidPointsError):
        write_markups(tmp_path / "a.mrk.json", "a", {"p": [1, 2, np.nan]})
    assert not list(tmp_path.iterdir())


def test_what_is_said_about_a_point_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "targets.mrk.json"
    said = {"pedicle": "expected error 0.7 mm, 95 % below"}
    write_markups(path, "targets", {"pedicle": [1.0, 2.0, 3.0], "dome": [4.0, 5.0, 6.0]}, said)
    assert dict(read_markups(path).descriptions) == said
