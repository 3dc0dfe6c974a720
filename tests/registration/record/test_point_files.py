"""Files of points as spreadsheets and other programs leave them: read, or said what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer

from navigation.terminal.reporting import reporting
from registration.errors import PointsFileError
from registration.record.point_files import (
    CSV_HEADER,
    read_planned,
    read_sweep,
    read_touched,
    read_touched_or_unordered,
    write_sweep,
)

POINTS = np.array([[313.2323, -23.6282, 122.5], [0.25, -81.0, 4e-3]])


def exported(path: Path, separator: str = ",", decimal: str = ".", **how: object) -> Path:
    """As a spreadsheet does it."""
    rows = [separator.join(str(value).replace(".", decimal) for value in row) for row in POINTS.tolist()]
    newline = str(how.get("newline", "\n"))
    lines = [*how.get("before", []), CSV_HEADER.replace(",", separator), *rows, *how.get("after", [])]
    path.write_bytes(newline.join([*lines, ""]).encode(str(how.get("encoding", "utf-8"))))
    return path


@pytest.mark.parametrize(
    ("separator", "decimal", "how"),
    [
        (",", ".", {"encoding": "utf-8-sig", "newline": "\r\n"}),  # Excel's "CSV UTF-8"
        (";", ",", {"newline": "\r\n"}),  # Excel's "CSV" where commas are decimal
        (";", ",", {"encoding": "utf-8-sig", "before": ["sep=;"]}),
        (";", ".", {}),
        ("\t", ",", {"encoding": "utf-16", "newline": "\r\n"}),  # Excel's "Unicode text"
        (",", ".", {"newline": "\r"}),  # Excel's "CSV (Macintosh)"
        (";", ",", {"after": ["", ";;", ""]}),  # rows and columns that were cleared
        (", ", ".", {}),
    ],
)
def test_what_spreadsheets_export_is_read(tmp_path: Path, separator: str, decimal: str, how: dict[str, object]) -> None:
    np.testing.assert_array_equal(read_sweep(exported(tmp_path / "s.csv", separator, decimal, **how)), POINTS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        ("\n\n", "an empty file"),
        (f"{CSV_HEADER}\n313,2323,23,6282,122,5403\n", "six numbers in line 2, as decimal commas between commas"),
        (f"{CSV_HEADER}\n1,2,3\n4,5\n", "2 numbers in line 3"),
        (f"{CSV_HEADER}\n1,2,3\n4,five,6\n", "'five' in line 3"),
        (f"{CSV_HEADER}\n", "a head, and no points"),
        (CSV_HEADER.replace(",", ";") + "\n1,5;2.5;3\n", "decimal commas and with decimal points"),
        (CSV_HEADER.replace(",", ";") + "\n1.234,5;2,5;3\n", r"'1\.234,5' in line 2"),
        (CSV_HEADER.replace("_mm", "_m") + "\n1,2,3\n", "another unit than mm"),
        ("x,y,z\n1,2,3\n", "names no frame and unit"),
        ("1,2,3\n4,5,6\n", "no head, but numbers at once"),
    ],
)
def test_what_is_no_sweep_is_said(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(PointsFileError, match=said):
        read_sweep(tmp_path / "s.csv")


def points_json(**changes: object) -> str:
    points = {"nose": {"position_mm": [1.0, 2.0, 3.0]}, "ear": {"position_mm": [4.0, 5.0, 6.0]}}
    return json.dumps({"frame": "reference", "units": "mm", "points": points} | changes)


def test_json_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(b"\xef\xbb\xbf" + points_json().encode())
    assert list(read_touched(tmp_path / "t.json")) == ["nose", "ear"]


@pytest.mark.parametrize("read", [read_touched, read_touched_or_unordered, read_planned])
def test_a_landmark_that_stands_twice_is_refused_by_its_name(tmp_path: Path, read: object) -> None:
    frame = "ct" if read is read_planned else "reference"
    (tmp_path / "t.json").write_text(points_json(frame=frame).replace('"ear"', '"nose"'))
    with pytest.raises(PointsFileError, match=r"t\.json: the name 'nose' twice"):
        read(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", "", "an empty file"),
        ("t.json", f"{CSV_HEADER}\n1,2,3\n", "a table of swept points, no JSON"),
        ("t.json", '{"markups": []}', "3D Slicer markups"),
        ("t.fcsv", "# CoordinateSystem = LPS\n", "markups hold coordinates of the CT"),
    ],
)
def test_what_is_no_file_of_touches_is_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(PointsFileError, match=said) as refused:
        read_touched(tmp_path / name)
    assert "[x, y, z]" in refused.value.allowed or "markups" in refused.value.came


def test_planned_points_in_ras_are_said_to_be_and_turned(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(points_json(frame="ct", coordinate_system="RAS"))
    np.testing.assert_array_equal(read_planned(path)["nose"], [-1.0, -2.0, 3.0])
    path.write_text(points_json(frame="ct", coordinate_system="LPS"))
    np.testing.assert_array_equal(read_planned(path)["nose"], [1.0, 2.0, 3.0])
    path.write_text(points_json(coordinate_system="RAS"))
    with pytest.raises(PointsFileError, match='belongs to points of "frame": "ct"'):
        read_touched(path)
    path.write_text(points_json(frame="ct", coordinate_system="IJK"))
    with pytest.raises(PointsFileError, match="coordinate_system"):
        read_planned(path)


def test_a_plan_may_be_a_point_list_of_slicer(tmp_path: Path) -> None:
    rows = "1,-1.0,-2.0,3.0,0,0,0,1,1,1,0,nose,,\n"
    (tmp_path / "plan.fcsv").write_text(f"# CoordinateSystem = 0\n{rows}")
    np.testing.assert_array_equal(read_planned(tmp_path / "plan.fcsv")["nose"], [1.0, 2.0, 3.0])


def test_what_was_written_here_has_no_spreadsheet_s_ways(tmp_path: Path) -> None:
    write_sweep(tmp_path / "s.csv", POINTS)
    assert (tmp_path / "s.csv").read_text().splitlines()[0] == CSV_HEADER
    np.testing.assert_array_equal(read_sweep(tmp_path / "s.csv"), POINTS)


def test_brackets_in_a_message_reach_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.json").write_text("[]")
    with pytest.raises(typer.Exit), reporting():
        read_touched(tmp_path / "t.json")
    assert '{"position_mm": [x, y, z]}' in " ".join(capsys.readouterr().err.split())
