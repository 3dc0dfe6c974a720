"""Where the adjustment of one camera starts: its focal length and the board's poses, from each picture by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.camera.adjustment import Corners, Problem, State
from calibration.camera.views import BoardView
from geometry.extras import from_extra
from geometry.points import Floats

# Tried beside what the pictures say, in widths of the picture: a wide lens, a webcam, an endoscope.
_FOCAL_WIDTHS = (0.6, 1.0, 2.0)
_TRIED_STEPS = 4
_TRIED_CORNERS = 20


def corners_of(pictures: Sequence[Sequence[BoardView | None]]) -> Corners:
    """The corners of views, each with one picture for each camera, or None where that one saw no board."""
    rows = [
        (number, camera, view)
        for number, both in enumerate(pictures)
        for camera, view in enumerate(both)
        if view is not None
    ]
    counts = np.zeros(len(pictures), dtype=np.int64)
    for number, _, view in rows:
        counts[number] += len(view)
    return Corners(
        view=np.concatenate([np.full(len(view), number) for number, _, view in rows]),
        camera=np.concatenate([np.full(len(view), camera) for _, camera, view in rows]),
        corner=np.concatenate([view.corners for _, _, view in rows]),
        board_mm=np.concatenate([view.board_mm for _, _, view in rows]),
        pixels=np.concatenate([view.pixels for _, _, view in rows]),
        starts=np.concatenate([[0], np.cumsum(counts)]),
    )


def first_state(views: Sequence[BoardView]) -> State:
    """The likeliest of several focal lengths after a few robust steps of the adjustment with one lens term."""
    corners = corners_of([[view] for view in views]).of_views(np.arange(len(views)), _TRIED_CORNERS)
    problem = Problem(corners, (0, 1, 2, 3, 4), np.ones(len(corners.view)))
    tried = [_state(views, focal) for focal in _focal_lengths(views)]
    solved = [problem.solved(state, _TRIED_STEPS) for state in tried]
    return min(solved, key=lambda state: _typical(problem, state))


def _typical(problem: Problem, state: State) -> float:
    """The median distance: views that do not fit have no say in it."""
    distances = np.linalg.norm(problem.residuals(state), axis=1)
    return float(np.median(np.where(np.isfinite(distances), distances, np.inf)))


def _focal_lengths(views: Sequence[BoardView]) -> list[tuple[float, float]]:
    with from_extra("markers"):
        import cv2

    size = views[0].width_px, views[0].height_px
    flat = [view.board_mm.astype(np.float32) for view in views]
    seen = [view.pixels.astype(np.float32) for view in views]
    found = [(width * size[0], width * size[0]) for width in _FOCAL_WIDTHS]
    for aspect in (0.0, 1.0):
        # Pictures without tilt leave the focal length open, and OpenCV answers anything.
        matrix = cv2.initCameraMatrix2D(flat, seen, size, aspect)
        fx, fy = float(matrix[0, 0]), float(matrix[1, 1])
        if np.isfinite([fx, fy]).all() and min(fx, fy) / size[0] >= 0.2 and max(fx, fy) / size[0] <= 20.0:
            found.append((fx, fy))
    return found


def _state(views: Sequence[BoardView], focal_px: tuple[float, float]) -> State:
    lens = np.zeros(9)
    lens[:4] = *focal_px, (views[0].width_px - 1) / 2.0, (views[0].height_px - 1) / 2.0
    poses = np.stack([board_pose(view, lens) for view in views])
    return State(lens[None], np.eye(4)[None], poses, np.zeros(3))


def board_pose(view: BoardView, lens: Floats) -> Floats:
    """T_camera_board ``(4, 4)`` of one picture, for a lens ``(9,)``."""
    with from_extra("markers"):
        import cv2

    matrix = np.array([[lens[0], 0.0, lens[2]], [0.0, lens[1], lens[3]], [0.0, 0.0, 1.0]])
    distortion = np.ascontiguousarray(lens[4:])
    found, turn, shift = cv2.solvePnP(view.board_mm, view.pixels, matrix, distortion, flags=cv2.SOLVEPNP_IPPE)
    pose = np.eye(4)
    if found and np.isfinite(turn).all() and shift[2, 0] > 0.0:
        pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift.ravel()
    else:  # facing the camera, somewhere before it
        pose[:3, :3], pose[2, 3] = np.diag([1.0, -1.0, -1.0]), 10.0 * float(np.ptp(view.board_mm))
    return pose
