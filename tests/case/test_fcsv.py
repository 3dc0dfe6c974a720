"""Point lists (.fcsv) as 3D Slicer and other programs have written them over the years."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from case.errors import MarkupsError
from case.fcsv import COLUMNS, read_fcsv

POINTS_LPS = {"F-1": [1.29, -40.18, 60.15], "nose, tip": [-7.5, 13.0602, 74.4859]}


def written(path: Path, head: str, rows: str, newline: str = "\n", mark: bytes = b"") -> Path:
    path.write_bytes(mark + (head + rows).replace("\n", newline).encode())
    return path


def head(version: str, system: str, columns: str = COLUMNS) -> str:
    return f"# Markups fiducial file version = {version}\n# CoordinateSystem = {system}\n# columns = {columns}\n"


RAS_ROWS = (
    "vtkMRMLMarkupsFiducialNode_0,-1.29,40.18,60.15,0,0,0,1,1,1,0,F-1,,vtkMRMLScalarVolumeNode1\n"
    'vtkMRMLMarkupsFiducialNode_1,7.5,-13.0602,74.4859,0,0,0,1,1,1,0,"nose, tip",,\n'
)
LPS_ROWS = (
    '1,1.29,-40.18,60.15,0,0,0,1,1,1,0,F-1,,,2,0\n2,-7.5,13.0602,74.4859,0,0,0,1,1,1,0,"nose, tip","the ""tip""",,2,0\n'
)


@pytest.mark.parametrize(
    ("head_", "rows"),
    [
        (head("4.5", "0"), RAS_ROWS),  # Slicer to 4.10, and Matlab's fcsvwrite: RAS by number
        (head("4.10", "RAS"), RAS_ROWS),
        (head("4.11", "LPS"), LPS_ROWS),  # Slicer from 4.11
        (head("5.2", "LPS"), LPS_ROWS),  # Slicer 5 adds columns it does not name
        (head("4.13", "LPS") + "\n", LPS_ROWS),  # SlicerMorphR leaves a line empty
        (head("4.11", "1"), LPS_ROWS),
        (
            head("4.11", "0", "label,x,y,z,sel,vis,lock"),  # columns in another order, and fewer
            'F-1,-1.29,40.18,60.15,1,1,0\n"nose, tip",7.5,-13.0602,74.4859,1,1,0\n',
        ),
    ],
)
@pytest.mark.parametrize(("newline", "mark"), [("\n", b""), ("\r\n", b"\xef\xbb\xbf")])
def test_lists_of_other_programs_are_read_as_lps(
    tmp_path: Path, head_: str, rows: str, newline: str, mark: bytes
) -> None:
    markups = read_fcsv(written(tmp_path / "marks.fcsv", head_, rows, newline, mark))
    assert list(markups.points_ct_mm) == list(POINTS_LPS)
    for label, point in POINTS_LPS.items():
        np.testing.assert_array_equal(markups.points_ct_mm[label], point)
    assert markups.name == "marks"


def test_what_is_said_about_a_point_and_points_never_placed_are_told_apart(tmp_path: Path) -> None:
    rows = LPS_ROWS + "3,0,0,0,0,0,0,1,1,1,0,F-3,,,0,0\n"
    markups = read_fcsv(written(tmp_path / "marks.fcsv", head("5.2", "LPS"), rows))
    assert dict(markups.descriptions) == {"nose, tip": 'the "tip"'}
    assert markups.undefined == ("F-3",)


SLICER_3 = (
    "# Fiducial List file /tmp/L.fcsv\n# version = 2\n# name = L\n# numPoints = 1\n# columns = label,x,y,z,sel,vis\n"
)


@pytest.mark.parametrize(
    ("head_", "rows", "said"),
    [
        (SLICER_3, "p-000,-1,2,3,1,1\n", "does not say its coordinate system"),
        ("", LPS_ROWS, "does not say its coordinate system"),
        (head("4.11", "IJK"), LPS_ROWS, "'IJK'"),
        (head("4.11", "2"), LPS_ROWS, "'2'"),
        (head("4.11", "LPS"), "", "without points"),
        (head("4.11", "LPS"), LPS_ROWS + LPS_ROWS, "repeated"),
        (head("4.11", "LPS"), "1,1,2,3,0,0,0,1,1,1,0,,,\n", "empty or repeated"),
        (head("4.11", "LPS"), "1,1,2,nan,0,0,0,1,1,1,0,F-1,,\n", "'F-1' without three finite"),
        (head("4.11", "LPS"), "1,one,2,3,0,0,0,1,1,1,0,F-1,,\n", "'F-1' without three finite"),
        ("", "", "an empty file"),
    ],
)
def test_what_leaves_a_doubt_is_refused(tmp_path: Path, head_: str, rows: str, said: str) -> None:
    with pytest.raises(MarkupsError, match=said):
        read_fcsv(written(tmp_path / "marks.fcsv", head_, rows))


def test_a_list_that_is_not_there_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(MarkupsError, match=r"away\.fcsv"):
        read_fcsv(tmp_path / "away.fcsv")
