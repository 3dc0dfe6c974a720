"""`surgnav room print`: what another program draws of the PDF has its markers where and as large as it should."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from typer.testing import CliRunner

from navigation.cli import app
from navigation.devices.optical_markers.bodies import dictionary_of
from navigation.devices.optical_markers.settings import Dictionary

PX_PER_MM = 10.0
# A pixel of the drawing is 0.1 mm; a corner is found to half of one.
TOLERANCE_MM = 0.1


def drawn(path: Path) -> np.ndarray:
    """The page in grey at 10 px for each mm, as PDFium draws it."""
    page = pypdfium2.PdfDocument(path)[0]
    assert np.allclose(page.get_size(), (210.0 / 25.4 * 72.0, 297.0 / 25.4 * 72.0), atol=0.01)
    picture = page.render(scale=PX_PER_MM * 25.4 / 72.0, grayscale=True).to_numpy()
    return np.ascontiguousarray(picture.reshape(picture.shape[:2]))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["room", "print", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("dictionary", "size_mm"), [("4x4_50", 40.0), ("apriltag_36h11", 35.0)])
def test_markers_are_as_large_as_they_say(tmp_path: Path, dictionary: str, size_mm: float) -> None:
    path = tmp_path / "page.pdf"
    run(str(path), "--markers", "0-3,7", "--size-mm", str(size_mm), "--dictionary", dictionary)
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(dictionary_of(Dictionary(dictionary)), parameters)
    quads, numbers, _ = detector.detectMarkers(drawn(path))
    assert sorted(numbers.ravel().tolist()) == [0, 1, 2, 3, 7]
    for quad in quads:
        sides = np.linalg.norm(np.roll(quad[0], -1, axis=0) - quad[0], axis=1) / PX_PER_MM
        assert np.allclose(sides, size_mm, atol=TOLERANCE_MM)
        assert quad[0, 0, 0] < quad[0, 1, 0], "upright, and not mirrored"


def test_the_board_is_opencvs_board(tmp_path: Path) -> None:
    path = tmp_path / "board.pdf"
    run(str(path), "--board", "5x7", "--square-mm", "30", "--first-id", "3")
    printed = dictionary_of(Dictionary.ARUCO_4X4_50)
    board = cv2.aruco.CharucoBoard((5, 7), 30.0, 22.5, printed, np.arange(3, 20, dtype=np.int32))
    corners, numbers, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(drawn(path))
    assert len(numbers) == 4 * 6
    at = corners.reshape(-1, 2)[np.argsort(numbers.ravel())].reshape(6, 4, 2) / PX_PER_MM
    assert np.allclose(np.linalg.norm(np.diff(at, axis=0), axis=-1), 30.0, atol=TOLERANCE_MM)
    assert np.allclose(np.linalg.norm(np.diff(at, axis=1), axis=-1), 30.0, atol=TOLERANCE_MM)


def test_the_ruler_measures_100_mm(tmp_path: Path) -> None:
    path = tmp_path / "page.pdf"
    assert "measure the ruler: 100.0 mm" in run(str(path), "--markers", "0")
    page = drawn(path)
    row = (
        page[-round(24.0 * PX_PER_MM)] < 128
    )  # 4 mm above the ruler's base: only the lines at 0, 10, ... 100 mm reach it
    lines = np.flatnonzero(row)
    starts = lines[np.flatnonzero(np.diff(lines, prepend=-10) > 1)]
    assert len(starts) == 11
    assert np.allclose(np.diff(starts) / PX_PER_MM, 10.0, atol=TOLERANCE_MM)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--markers", "48-50"], "the markers [50] expected: 0 to 49"),
        (["--markers", "0-40"], "41 markers of 40 mm expected:"),
        (["--markers", "one"], "expected: numbers and ranges"),
        (["--dictionary", "4x4"], "the dictionary '4x4' expected: one of 4x4_50"),
        (["--board", "20x20"], "a board with markers up to 199 expected: 50"),
        (["--board", "9x9"], "a board of 225 x 225 mm expected: at most 180 x 247 mm"),
        (["--board", "7"], "expected: squares across and down"),
    ],
)
def test_what_cannot_be_printed_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    path = tmp_path / "page.pdf"
    result = CliRunner().invoke(app, ["room", "print", str(path), *arguments])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert not path.exists()
