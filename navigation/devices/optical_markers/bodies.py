"""Tools as what can be found of them in a picture: numbered squares with known corners, and boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from calibration.camera.boards import patterns_of
from geometry.points import Floats, Singles
from navigation.devices.optical_markers.settings import BoardSettings, Dictionary, MarkerToolSettings
from navigation.errors import DeviceError

if TYPE_CHECKING:
    import cv2

    from navigation.devices.driver import Tool


@dataclass(frozen=True)
class Body:
    """One tool.

    Attributes:
        tool: its name.
        corners_tool_mm: of each marker that its pose is found from, ``(4, 3)`` from the printed top-left clockwise.
        board: a board, whose inner corners are used in place of its markers.
    """

    tool: str
    corners_tool_mm: dict[int, Floats]
    board: BoardSettings | None

    @property
    def ids(self) -> Sequence[int]:
        return list(self.corners_tool_mm) if self.board is None else self.board.ids


def body_of(tool: Tool, dictionary: Dictionary) -> Body:
    """The body of a tool of a room.

    Raises:
        DeviceError: settings of another driver, or a marker that the dictionary does not have.
    """
    settings = tool.settings
    if not isinstance(settings, MarkerToolSettings):
        raise DeviceError(f"the tool {tool.name} without markers", "markers or a board", "add them to the room file")
    count = len(dictionary_of(dictionary).bytesList)
    beyond = [number for number in settings.ids if number >= count]
    if beyond:
        raise DeviceError(
            f"the markers {beyond} of {tool.name}",
            f"numbers from 0 to {count - 1}, as {dictionary.value} has them",
            "correct the numbers or the dictionary",
        )
    return Body(tool.name, {each.id: each.corners_tool_mm for each in settings.markers}, settings.board)


def dictionary_of(dictionary: Dictionary) -> cv2.aruco.Dictionary:
    """OpenCV's dictionary of that name."""
    return patterns_of(dictionary.value)


def cells_along(dictionary: Dictionary) -> int:
    """Cells along a side of a marker, its dark border included."""
    return int(dictionary_of(dictionary).markerSize) + 2


def marker_cells(dictionary: Dictionary, number: int) -> Singles:
    """The cells of a marker from the top, 0 dark and 1 light, its dark border included."""
    along = cells_along(dictionary)
    return dictionary_of(dictionary).generateImageMarker(number, along).astype(np.float32) / 255.0


def board_cells(board: BoardSettings, dictionary: Dictionary) -> Singles:
    """The cells of a whole board whose markers have the usual size, from the top; a square is `cells_along` + 2."""
    square = cells_along(dictionary) + 2
    cells = np.zeros((board.rows * square, board.columns * square), dtype=np.float32)
    number = board.first_id
    for row in range(board.rows):
        for column in range(1 - row % 2, board.columns, 2):
            light = np.pad(marker_cells(dictionary, number), 1, constant_values=1.0)
            cells[row * square : (row + 1) * square, column * square : (column + 1) * square] = light
            number += 1
    return cells
