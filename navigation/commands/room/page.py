"""``surgnav room print``: a page of markers, a calibration board and a ruler as a PDF, all to scale.

The PDF holds nothing but filled rectangles and a standard font, in lengths of its own unit, 1/72 inch: no picture that
a viewer could smooth or scale.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from geometry.points import Singles
from navigation.devices.optical_markers.bodies import board_cells, cells_along, dictionary_of, marker_cells
from navigation.devices.optical_markers.settings import BoardSettings, Dictionary
from navigation.errors import RoomError

A4_MM = (210.0, 297.0)
_POINTS_PER_MM = 72.0 / 25.4
_MARGIN_MM = 15.0  # printers leave the border of a page white
_RULER_MM = 100.0
_TEXT_MM = 8.0  # below each thing
_ADVICE = "Print it at 100 %, glue it to something stiff and flat, and measure the ruler: 100.0 mm."


@dataclass
class Page:
    """One page, in mm from its lower left corner.

    Attributes:
        drawn: operators of PDF 1.4 (ISO 32000-1, 8.5 and 9).
    """

    size_mm: tuple[float, float] = A4_MM
    drawn: list[str] = field(default_factory=list)

    def bar(self, left_mm: float, low_mm: float, width_mm: float, height_mm: float) -> None:
        """A black rectangle."""
        sides = (value * _POINTS_PER_MM for value in (left_mm, low_mm, width_mm, height_mm))
        self.drawn.append(" ".join(f"{value:.4f}" for value in sides) + " re f")

    def text(self, left_mm: float, low_mm: float, words: str) -> None:
        """ASCII words, 9 points high."""
        safe = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        place = f"{left_mm * _POINTS_PER_MM:.4f} {low_mm * _POINTS_PER_MM:.4f}"
        self.drawn.append(f"BT /F1 9 Tf {place} Td ({safe}) Tj ET")

    def cells(self, cells: Singles, left_mm: float, top_mm: float, cell_mm: float) -> None:
        """The dark ones of square cells ``(rows, columns)`` from the top; neighbours in a row become one rectangle."""
        for row, line in enumerate(cells < 0.5):
            edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]])))
            for start, end in edges.reshape(-1, 2).tolist():
                self.bar(left_mm + start * cell_mm, top_mm - (row + 1) * cell_mm, (end - start) * cell_mm, cell_mm)

    def ruler(self, left_mm: float, low_mm: float) -> None:
        """100 mm with a line for each."""
        self.bar(left_mm, low_mm, _RULER_MM, 0.2)
        for mm in range(int(_RULER_MM) + 1):
            self.bar(left_mm + mm - 0.05, low_mm, 0.1, 5.0 if mm % 10 == 0 else 2.5)
        self.text(
            left_mm, low_mm - 4.0, "This must measure 100.0 mm. If it does not, print at 100 %, not 'fit to page'."
        )


def print_markers(path: Path, dictionary: str, numbers: str, size_mm: float) -> str:
    """Writes a page of markers; returns what was printed and what to do with it.

    Raises:
        RoomError: no such dictionary, no such numbers, or more than fit.
    """
    chosen = _numbers(numbers)
    write_pdf(path, [marker_page(_dictionary(dictionary), chosen, size_mm)])
    return f"{path}: {len(chosen)} markers of {size_mm:g} mm ({dictionary}). {_ADVICE}"


def print_board(path: Path, dictionary: str, size: str, square_mm: float, first_id: int) -> str:
    """Writes a page with a ChArUco board; as `print_markers`."""
    found = re.fullmatch(r"(\d{1,2})x(\d{1,2})", size)
    if not found or not all(3 <= int(side) <= 50 for side in found.groups()):
        raise RoomError(f"a board of {size!r}", "squares across and down, 3 to 50 each, such as 7x9", "correct --board")
    columns, rows = map(int, found.groups())
    board = BoardSettings(columns=columns, rows=rows, square_mm=square_mm, marker_mm=None, first_id=first_id)
    write_pdf(path, [board_page(_dictionary(dictionary), board)])
    return f"{path}: a board of {columns} x {rows} squares of {square_mm:g} mm ({dictionary}). {_ADVICE}"


def _dictionary(name: str) -> Dictionary:
    try:
        return Dictionary(name)
    except ValueError:
        known = ", ".join(each.value for each in Dictionary)
        raise RoomError(f"the dictionary {name!r}", f"one of {known}", "correct --dictionary") from None


def _numbers(text: str) -> list[int]:
    """Numbers and ranges such as ``0-5,8``."""
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if not found:
            raise RoomError(f"the markers {text!r}", "numbers and ranges such as 0-5,8", "correct --markers")
        first = int(found[1])
        numbers += range(first, int(found[2] or first) + 1)
    return numbers


def marker_page(dictionary: Dictionary, numbers: Sequence[int], size_mm: float) -> Page:
    """Markers with these numbers, each with a light margin of a cell, its number and size below.

    Raises:
        RoomError: a number that the dictionary does not have, or more than fit on the page.
    """
    count, cell_mm = len(dictionary_of(dictionary).bytesList), size_mm / cells_along(dictionary)
    beyond = [number for number in numbers if not 0 <= number < count]
    if beyond:
        allowed = f"0 to {count - 1}, as {dictionary.value} has them"
        raise RoomError(f"the markers {beyond}", allowed, "choose other numbers, or another dictionary")
    page, pitch_mm = Page(), size_mm + 2.0 * cell_mm
    width_mm, height_mm = (side - 2.0 * _MARGIN_MM for side in page.size_mm)
    across, down = int(width_mm // pitch_mm), int((height_mm - 20.0) // (pitch_mm + _TEXT_MM))
    if len(numbers) > across * down:
        raise RoomError(
            f"{len(numbers)} markers of {size_mm:g} mm",
            f"{across * down}, which fit on a page of {page.size_mm[0]:g} x {page.size_mm[1]:g} mm",
            "print fewer at a time, or smaller ones",
        )
    for place, number in enumerate(numbers):
        left = _MARGIN_MM + place % across * pitch_mm + cell_mm
        top = page.size_mm[1] - _MARGIN_MM - place // across * (pitch_mm + _TEXT_MM) - cell_mm
        page.cells(marker_cells(dictionary, number), left, top, cell_mm)
        page.text(left, top - size_mm - cell_mm - 3.0, f"{dictionary.value}  id {number}  {size_mm:g} mm")
    page.ruler(_MARGIN_MM, _MARGIN_MM + 5.0)
    return page


def board_page(dictionary: Dictionary, board: BoardSettings) -> Page:
    """A ChArUco board.

    Raises:
        RoomError: it does not fit on the page, or needs more markers than the dictionary has.
    """
    count, page = len(dictionary_of(dictionary).bytesList), Page()
    if board.ids[-1] >= count:
        allowed = f"{count}, as {dictionary.value} has them"
        raise RoomError(f"a board with markers up to {board.ids[-1]}", allowed, "choose another dictionary")
    width_mm, height_mm = board.columns * board.square_mm, board.rows * board.square_mm
    room_mm = page.size_mm[0] - 2.0 * _MARGIN_MM, page.size_mm[1] - 2.0 * _MARGIN_MM - 20.0
    if width_mm > room_mm[0] or height_mm > room_mm[1]:
        came = f"a board of {width_mm:g} x {height_mm:g} mm"
        raise RoomError(came, f"at most {room_mm[0]:g} x {room_mm[1]:g} mm", "make the squares smaller or fewer")
    top = page.size_mm[1] - _MARGIN_MM
    page.cells(board_cells(board, dictionary), _MARGIN_MM, top, board.square_mm / (cells_along(dictionary) + 2))
    squares = f"{board.columns} x {board.rows} squares of {board.square_mm:g} mm"
    words = f"{dictionary.value}  {squares}  first id {board.first_id}"
    page.text(_MARGIN_MM, top - height_mm - 5.0, words)
    page.ruler(_MARGIN_MM, _MARGIN_MM + 5.0)
    return page


def write_pdf(path: Path, pages: Sequence[Page]) -> None:
    """Writes pages as PDF 1.4."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, page in enumerate(pages):
        box = " ".join(f"{side * _POINTS_PER_MM:.4f}" for side in page.size_mm)
        drawn = "\n".join(page.drawn)
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {box}] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    content, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    path.write_bytes(f"{content}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode("ascii"))
