"""Views of a board drawn with a known camera, with errors of several kinds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.boards import Chessboard, inner_corners_mm
from calibration.camera.lens import project
from calibration.camera.views import BoardView, board_view

SIZE = (640, 480)
LENS = np.array([600.0, 598.0, 325.0, 236.0, -0.12, 0.06, 0.0008, -0.0005, 0.0])
BOARD = Chessboard(columns=10, rows=7, square_mm=25.0)
FLAT = inner_corners_mm(BOARD)
NOISE_PX = 0.15
Errors = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def independent(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Of each corner by itself."""
    return random.normal(size=pixels.shape) * NOISE_PX


def together(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """A smooth field of errors over each picture, as blur and uneven light make it, and some of each corner."""
    waves = random.normal(size=(2, 6, 2)) / 120.0
    phases = random.uniform(0.0, 2.0 * np.pi, (2, 6))
    field = np.cos(np.einsum("dki,ni->ndk", waves, pixels) + phases).sum(axis=2) / np.sqrt(3.0)
    return NOISE_PX * field + 0.6 * independent(random, pixels)


def heavy(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Student's t with three degrees of freedom."""
    return random.standard_t(3, size=pixels.shape) * NOISE_PX / 1.7


def bent(board_mm: np.ndarray, sag_mm: float = 1.0) -> np.ndarray:
    """A sheet that is bent about an oblique axis, and not quite like a parabola."""
    along = board_mm[:, :2] @ [0.8, 0.6] / (np.linalg.norm(np.ptp(board_mm[:, :2], axis=0)) / 2.0)
    return board_mm + np.outer(sag_mm * (along**2 + 0.1 * along**3), [0.0, 0.0, 1.0])


def poses(random: np.random.Generator, count: int, most_tilt_deg: float = 50.0) -> list[tuple[Rotation, np.ndarray]]:
    """T_camera_board of boards that a hand might hold, as rotation and translation."""
    held = []
    for _ in range(count):
        depth = random.uniform(280.0, 600.0)
        side = random.uniform([-0.45, -0.35], [0.45, 0.35]) * depth
        about = random.uniform(0.0, 2.0 * np.pi)
        tilt = random.uniform(0.0, np.deg2rad(most_tilt_deg)) * np.array([np.cos(about), np.sin(about), 0.0])
        facing = Rotation.from_euler("z", random.normal(0.0, 0.3)) * Rotation.from_euler("x", np.pi)
        held.append((Rotation.from_rotvec(tilt) * facing, np.array([*side, depth])))
    return held


def seen(
    name: str,
    rotation: Rotation,
    translation_mm: np.ndarray,
    random: np.random.Generator,
    errors: Errors = independent,
    lens: np.ndarray = LENS,
    printed: np.ndarray = FLAT,
) -> BoardView | None:
    """One view with those corners that are in the picture; None if that is less than half of them."""
    pixels, _, _ = project(lens, rotation.apply(printed) + translation_mm)
    inside = ((pixels > 1.0) & (pixels < np.array(SIZE) - 2.0)).all(axis=1)
    if inside.mean() < 0.5:
        return None
    measured = np.clip(pixels + errors(random, pixels), 0.0, np.array(SIZE) - 1.0)[inside]
    return board_view(name, SIZE, np.flatnonzero(inside), FLAT[inside], measured)


def drawn_views(
    random: np.random.Generator,
    count: int = 15,
    errors: Errors = independent,
    most_tilt_deg: float = 50.0,
    printed: np.ndarray = FLAT,
) -> list[BoardView]:
    """So many views, each with half of the corners and more."""
    views: list[BoardView] = []
    while len(views) < count:
        ((rotation, translation),) = poses(random, 1, most_tilt_deg)
        view = seen(f"view {len(views)}", rotation, translation, random, errors, printed=printed)
        if view is not None:
            views.append(view)
    return views
