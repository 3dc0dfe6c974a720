"""Finds the markers and boards of a room's tools in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.camera.boards import CharucoBoard
from calibration.camera.camera_file import CameraCalibration
from geometry import Transform
from geometry.extras import from_extra
from geometry.points import Floats
from navigation.devices.optical_markers.bodies import Body, cells_along, dictionary_of
from navigation.devices.optical_markers.edges import Sides, find_sides, light_of, undistorted
from navigation.devices.optical_markers.pose import Sighting
from navigation.devices.optical_markers.settings import BoardSettings, Dictionary
from navigation.errors import DeviceError

# Of an inner corner of a board in each direction: a crossing of two edges, found by its symmetry.
_BOARD_CORNER_PX = 0.08
_BLURRED_PX = 4.0


@dataclass(frozen=True)
class View:
    """What one picture shows of one body.

    Attributes:
        sighting: for its pose; None if there is not enough.
        groups: ``(m,)`` for each pair of `sighting`, which marker it is of.
        seen: how many markers, or inner corners of a board, were found.
        remarks: what is wrong with them, in words.
    """

    sighting: Sighting | None
    groups: np.ndarray
    seen: int
    remarks: tuple[str, ...] = ()


class Finder:
    """Looks for bodies in the pictures of one camera.

    Args:
        camera: its calibration.
        T_camera_tracker: where it stands.
        bodies: what it looks for.
        dictionary: of their markers.
    """

    def __init__(
        self, camera: CameraCalibration, T_camera_tracker: Transform, bodies: Sequence[Body], dictionary: Dictionary
    ) -> None:
        with from_extra("markers"):
            import cv2

        self._camera, self._place, self._bodies = camera, T_camera_tracker, bodies
        self._cells = cells_along(dictionary)
        printed = dictionary_of(dictionary)
        self._detector = cv2.aruco.ArucoDetector(printed, cv2.aruco.DetectorParameters())
        self._boards = {each.tool: _board(each.board, dictionary) for each in bodies if each.board is not None}
        self._sigma2_px2 = camera.reprojection_rms_px**2 / 2.0

    def look(self, grey: np.ndarray) -> dict[str, View]:
        """What a picture ``(h, w)`` uint8 shows of each tool.

        Raises:
            DeviceError: pictures of another size than the calibration's.
        """
        size = self._camera.height_px, self._camera.width_px
        if grey.shape != size:
            raise DeviceError(
                f"pictures of {grey.shape[1]} x {grey.shape[0]} px",
                f"{size[1]} x {size[0]} px, as the camera was calibrated for",
                "set the camera to this size, or calibrate it again",
            )
        quads, numbers, _ = self._detector.detectMarkers(grey)
        found: dict[int, Floats] = {}
        twice: set[int] = set()
        for quad, number in zip(quads, [] if numbers is None else map(int, numbers.ravel()), strict=True):
            twice |= {number} & found.keys()
            found[number] = quad[0].astype(np.float64)
        single = [number for body in self._bodies for number in body.corners_tool_mm if number in found.keys() - twice]
        sides = None
        if single:
            sides = find_sides(light_of(grey), np.stack([found[each] for each in single]), self._cells, self._camera)
        return {
            body.tool: self._markers(body, single, sides, twice)
            if body.board is None
            else self._board(body, body.board, grey, found)
            for body in self._bodies
        }

    def _markers(self, body: Body, single: list[int], sides: Sides | None, twice: set[int]) -> View:
        rows = [row for row, number in enumerate(single) if number in body.corners_tool_mm]
        remarks = [f"marker {number} seen twice" for number in sorted(twice & body.corners_tool_mm.keys())]
        if sides is None or not rows:
            return View(None, np.zeros(0), 0, tuple(remarks))
        corners_mm = np.stack([body.corners_tool_mm[single[row]] for row in rows])
        is_used = sides.is_whole[rows] & sides.is_sharp[rows]
        remarks += _remarks(sides, rows, len(body.corners_tool_mm))
        groups = np.nonzero(is_used)[0]
        # A square of which less than three sides are seen says too little of its corners for a first guess.
        whole = is_used.sum(axis=1) >= 3
        if not whole.any():
            return View(None, groups, len(rows), tuple(remarks))
        ends_mm = np.stack([corners_mm, np.roll(corners_mm, -1, axis=1)], axis=2)
        covariance = sides.covariance_px2[rows][is_used] + self._sigma2_px2
        sighting = Sighting(
            camera=self._camera,
            T_camera_tracker=self._place,
            points_tool_mm=ends_mm[is_used],
            normals=np.repeat(sides.normals[rows][is_used][:, None], 2, axis=1),
            offsets_px=np.repeat(sides.offsets_px[rows][is_used][:, None], 2, axis=1),
            covariance_px2=covariance,
            swells=1.0,
            corners_tool_mm=corners_mm[whole].reshape(-1, 3),
            corners_px=sides.corners_px[rows][whole].reshape(-1, 2),
        )
        return View(sighting, groups, len(rows), tuple(remarks))

    def _board(self, body: Body, board: BoardSettings, grey: np.ndarray, found: dict[int, Floats]) -> View:
        own = [number for number in board.ids if number in found]
        if len(own) < 2:
            return View(None, np.zeros(0), 0)
        quads = tuple(found[number].astype(np.float32)[None] for number in own)
        numbers = np.array(own, dtype=np.int32)[:, None]
        pixels, inner, _, _ = self._boards[body.tool].detectBoard(grey, None, None, quads, numbers)
        count = 0 if inner is None else len(inner)
        whole = (board.columns - 1) * (board.rows - 1)
        remarks = () if count == whole else (f"{count} of {whole} corners of the board",)
        if count < 6:
            return View(None, np.zeros(0), count, remarks)
        seen = undistorted(np.asarray(pixels, dtype=np.float64).reshape(-1, 2), self._camera)
        points = inner_corners_mm(board)[inner.ravel()]
        if np.linalg.matrix_rank(points[:, :2] - points[0, :2], tol=board.square_mm / 2.0) < 2:
            return View(None, np.zeros(0), count, (*remarks, "all in one line"))
        sighting = Sighting(
            camera=self._camera,
            T_camera_tracker=self._place,
            points_tool_mm=np.repeat(points[:, None], 2, axis=1),
            normals=np.broadcast_to(np.eye(2), (count, 2, 2)).copy(),
            offsets_px=seen,
            covariance_px2=np.broadcast_to(np.eye(2) * (_BOARD_CORNER_PX**2 + self._sigma2_px2), (count, 2, 2)).copy(),
            swells=0.0,
            corners_tool_mm=points,
            corners_px=seen,
        )
        return View(sighting, np.zeros(count), count, remarks)


def inner_corners_mm(board: BoardSettings) -> Floats:
    """Where four squares meet, ``(n, 3)`` in the frame of the board, in OpenCV's order: rows from the top."""
    right = (np.arange(1, board.columns) - board.columns / 2.0) * board.square_mm
    up = (board.rows / 2.0 - np.arange(1, board.rows)) * board.square_mm
    x, y = np.meshgrid(right, up)
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)


def _board(board: BoardSettings, dictionary: Dictionary) -> Any:
    with from_extra("markers"):
        import cv2

    printed = CharucoBoard(dictionary=dictionary.value, **board.model_dump())
    return cv2.aruco.CharucoDetector(printed.opencv())


def _remarks(sides: Sides, rows: list[int], count: int) -> list[str]:
    said = []
    if len(rows) < count:
        said.append(f"{len(rows)} of {count} markers seen")
    hidden = int((~sides.is_whole[rows]).any(axis=1).sum())
    if hidden:
        said.append(f"{hidden} of them partly hidden")
    blur_px = float(sides.blur_px[rows].max())
    blurred = int((~sides.is_sharp[rows]).sum())
    if blurred or blur_px > _BLURRED_PX:
        too_much = f", too much to use {blurred} of {4 * len(rows)} sides" if blurred else ""
        said.append(f"blurred over {blur_px:.0f} px{too_much}")
    return said
