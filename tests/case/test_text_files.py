"""Text of other programs: marks, encodings, files that are something else, and names that stand twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from case.errors import MarkupsError
from case.markups import read_markups
from case.text_files import ContentError, read_json, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_content(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes('{"Bär": 1}'.encode(encoding))
    assert read_json(path) == {"Bär": 1}


def test_windows_own_encoding_is_read_where_it_is_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Bär;1\n".encode("cp1252"))
    assert read_text(tmp_path / "a.csv") == "Bär;1\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b"\xef\xbb\xbf", "an empty file"),
        (b"PK\x03\x04\x14\x00\x06\x00", "an Excel workbook"),
        (b"<?xml version='1.0'?><a/>", "XML, no JSON"),
        (b"# Markups fiducial file version = 4.11\n", "fiducial list"),
        (b"x_reference_mm,y_reference_mm\n", "a table of swept points, no JSON"),
        (b'{"a": 1', "no JSON .line 1"),
        (b"a" * 9, "no JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_a_file_is_instead_of_json_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ContentError, match=said):
        read_json(tmp_path / "a.json")


def test_a_name_that_stands_twice_is_refused_and_told(tmp_path: Path) -> None:
    path = tmp_path / "points.mrk.json"
    path.write_text('{"a": {"m1": 1, "m2": 2, "m1": 3}}')
    with pytest.raises(ContentError, match="'m1' twice"):
        read_json(path)
    point = '{"label": "m1", "position": [1, 2, 3], "position": [4, 5, 6]}'
    path.write_text(f'{{"markups": [{{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": [{point}]}}]}}')
    with pytest.raises(MarkupsError, match="'position' twice"):
        read_markups(path)
    assert json.loads(path.read_text())["markups"][0]["controlPoints"][0]["position"] == [4, 5, 6]  # the last, silently
