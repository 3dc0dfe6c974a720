"""The pictures of the ultrasound demo: frames with their contours, and images where they lie in the patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from geometry import Surface
from geometry.points import Floats
from navigation.demo.ultrasound.growing import growing_picture, near
from navigation.demo.ultrasound.patient import GEOMETRY
from navigation.demo.ultrasound.registering import Registered
from navigation.demo.ultrasound.run import UltrasoundDemoResult
from navigation.demo.ultrasound.sweep import SweptFrame
from navigation.errors import RenderingError
from navigation.pictures import ScenePictureData, ScenePictureSettings, ScenePlane, scene_picture
from navigation.pictures.colours import NIGHT, NIGHT_INK
from navigation.pictures.figures import empty_figure

_FOUND, _BEFORE, _TRUE = "#56d364", "#ff7b72", "#58a6ff"
_COLUMNS, _ROWS = 4, 2
_EVERY = 8  # of the swept points, so that the bone below them is seen


def frames_picture(
    frames: Sequence[SweptFrame], truth_px: Sequence[Floats], before: Registered, after: Registered, path: Path
) -> Path:
    """Writes frames of the sweep with the contours that were found, and the patient's bone as the registrations before
    and after the renewal draw it on them.

    Args:
        truth_px: the true bone in each frame, ``(n, 2)`` in px.
    """
    chosen = np.linspace(0, len(frames) // 2, _COLUMNS * _ROWS).astype(int)
    width, height = GEOMETRY.size_px
    figure = empty_figure(4.0 * _COLUMNS, (4.0 * height / width) * _ROWS + 0.9, NIGHT)
    for place, number in enumerate(chosen):
        row, column = divmod(place, _COLUMNS)
        axes = figure.add_axes(
            (column / _COLUMNS, 0.87 * (1.0 - (row + 1) / _ROWS), 1.0 / _COLUMNS - 0.003, 0.87 / _ROWS - 0.004)
        )
        placed, true_px = frames[number].placed, truth_px[number]
        axes.imshow(placed.result.pixels, cmap="gray", vmin=0, vmax=255, aspect="equal")
        axes.set_axis_off()
        axes.autoscale(False)
        for contour in placed.result.contours:
            axes.plot(*contour.points_px.T, color=_FOUND, linewidth=1.6)
        axes.plot(*_drawn_px(true_px, frames[number], before).T, ".", color=_BEFORE, markersize=2.0)
        axes.plot(*_drawn_px(true_px, frames[number], after).T, ".", color=_TRUE, markersize=2.0)
    figure.text(0.01, 0.955, "Simulated lumbar spine, bone found in the live image", color=NIGHT_INK, size=17)
    words = (
        ("found in the image", _FOUND),
        ("the patient's bone, drawn by the old registration", _BEFORE),
        ("and by the renewed one", _TRUE),
    )
    for x, (text, colour) in zip((0.01, 0.14, 0.45), words, strict=True):
        figure.text(x, 0.905, text, color=colour, size=14)
    figure.savefig(path, facecolor=NIGHT)
    return path


def _drawn_px(true_px: Floats, frame: SweptFrame, registered: Registered) -> Floats:
    """Where bone that truly is at a pixel is drawn on the image by what the system knows, ``(n, 2)``."""
    image, placed = frame.true_ct_image_px, frame.placed.T_reference_image_px
    if placed is None or not len(true_px):
        return np.empty((0, 2))
    in_reference = registered.accepted.T_reference_ct.apply(true_px @ image[:3, :2].T + image[:3, 3])
    in_px = np.column_stack([in_reference, np.ones(len(true_px))]) @ np.linalg.inv(placed).T
    return np.asarray(in_px[:, :2], np.float64)


def placed_picture(
    frames: Sequence[SweptFrame],
    bone_ct: Surface,
    after: Registered,
    numbers: Sequence[tuple[str, str]],
    path: Path,
) -> Path:
    """Writes images of the sweep where the system places them in the bone, with the points of bone.

    Raises:
        RenderingError: this machine cannot draw off screen.
    """
    T_ct_reference = after.accepted.T_reference_ct.inverse()
    planes = []
    for number in np.linspace(0, len(frames) // 4, 3).astype(int):
        placed = frames[number].placed
        if placed.T_reference_image_px is not None and placed.result.pixels is not None:
            planes.append(
                ScenePlane(placed.result.pixels, GEOMETRY.mask, T_ct_reference.matrix @ placed.T_reference_image_px)
            )
    found = after.outcome.by_surface
    data = ScenePictureData(
        surfaces=[_about(bone_ct, planes)],
        planes=planes,
        swept_ct=T_ct_reference.apply(after.swept_reference_mm[::_EVERY]),
        swept_over="bone",
        swept_residuals_mm=None if found is None else found.residuals_mm[::_EVERY],
        numbers=numbers,
    )
    settings = ScenePictureSettings(view_ct=(0.5, 0.75, 0.55))
    return scene_picture(data, path, title="Ultrasound placed in the patient's bone", settings=settings)


def _about(surface: Surface, planes: Sequence[ScenePlane]) -> Surface:
    """The part of a surface about the images."""
    middles: Floats = np.array(
        [plane.T_ct_image_px @ [0.5 * GEOMETRY.size_px[0], 0.6 * GEOMETRY.size_px[1], 0, 1] for plane in planes]
    )
    return near(surface, middles[:, :3], np.array([75.0, 60.0, 55.0]))


def draw_pictures(result: UltrasoundDemoResult, warn: Callable[[str], None]) -> list[Path]:
    """Writes frames.png, placed.png and growing.png beside the case; returns the paths of those that could be drawn.

    Args:
        warn: called with the reason if the scene cannot be drawn, as on a machine without off-screen rendering.
    """
    folder, after = result.settings.out, result.after
    drawn = [frames_picture(result.frames, result.truth_px, result.before, after, folder / "frames.png")]
    numbers = [
        (f"true error at the {name.replace('_', ' ')}", f"{result.before.true_mm[name]:.2f} to {true_mm:.2f} mm")
        for name, true_mm in after.true_mm.items()
    ]
    off = result.live.after
    if off is not None:
        numbers.append(("contour to bone at the headset", f"{off.median_mm:.2f} mm, median"))
    try:
        drawn.append(placed_picture(result.frames, result.bone_ct, after, numbers, folder / "placed.png"))
        grown = result.live.grown
        bone_ct = near(result.bone_ct, grown.true_bone_ct, np.full(3, 15.0))
        if grown.surfaces_ct:
            drawn.append(growing_picture(grown, bone_ct, folder / "growing.png"))
    except RenderingError as error:
        warn(str(error))
    return drawn
