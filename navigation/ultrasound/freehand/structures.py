"""Structures of a swept volume: what a model finds in each frame, compounded as the frames are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from geometry.extras import from_extra
from geometry.points import Bools, Floats
from geometry.volume import Volume
from navigation.clock import MonotonicClock
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame
from navigation.ultrasound.finding import open_finder, open_judge
from navigation.ultrasound.freehand.sweep import RecordedSweep
from navigation.ultrasound.pipeline import USABLE, FramePipeline
from navigation.user_folders import cache_directory
from reconstruction.freehand.compounding import Compounder
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.holes import fill_holes
from reconstruction.freehand.settings import STICK_VOXELS, Compounding, CompoundingSettings
from reconstruction.surfaces.extract import ExtractedSurface, SurfaceSettings, extract_surfaces
from reconstruction.ultrasound.contours import Contour

_FULL = 255
_LINE_PX = 3  # to either side of an open line, such as the surface of bone: so thick is its echo at least
_SAMPLES = 8  # frames on which engines are compared


@dataclass(frozen=True, kw_only=True)
class StructureSettings:
    """How structures become surfaces.

    Attributes:
        max_triangles: of each.
        stick: of `fill_holes`; 0 fills nothing.
    """

    max_triangles: int
    stick: int = STICK_VOXELS


def open_pipeline(model: str, sweep: RecordedSweep) -> FramePipeline:
    """Judge and finder of a model, for the frames of a sweep.

    Raises:
        EngineError, UltrasoundError, WeightsError: an unknown model, or no engine that runs it.
    """
    samples = sweep.pixels[:: max(len(sweep.pixels) // _SAMPLES, 1)]
    finder = open_finder(model, None, samples, MonotonicClock(), cache_directory() / "engines")
    return FramePipeline(finder, open_judge(model))


def structure_surfaces(
    sweep: RecordedSweep,
    grid: FreehandGrid,
    mask: Bools,
    pipeline: FramePipeline,
    settings: StructureSettings,
    progress: Callable[[float], None],
) -> dict[str, ExtractedSurface]:
    """The surface of each structure that the model finds, where most frames that saw a place found it there.

    Frames in which the model finds nothing count as well: they saw that it is not there. An open line, as of bone, gets
    a thickness of 7 px; it is where any frame found it. Structures that enclose nothing have none.

    Args:
        progress: called with the share done.
    """
    found = []
    for number, (pixels, time_ns) in enumerate(zip(sweep.pixels, sweep.times_ns, strict=True)):
        progress(0.8 * number / len(sweep.pixels))
        result = pipeline.process(UltrasoundFrame(number, time_ns, pixels))
        found.append(result.contours if result.state == USABLE else None)
    volumes = {}
    for name in sorted({contour.structure for contours in found for contour in contours or ()}):
        volumes[name] = _compounded(name, found, sweep, grid, mask, settings.stick)
    how = SurfaceSettings(level=0.5 * _FULL, max_triangles=settings.max_triangles)
    return extract_surfaces(volumes, how, lambda share: progress(0.8 + 0.2 * share))[0]


def _compounded(
    name: str,
    found: Sequence[tuple[Contour, ...] | None],
    sweep: RecordedSweep,
    grid: FreehandGrid,
    mask: Bools,
    stick: int,
) -> Volume:
    """Where a structure was found: 0 to 255. A frame that is not usable, None, says nothing of what is there."""
    own = [None if each is None else [contour for contour in each if contour.structure == name] for each in found]
    closed = all(contour.closed for contours in own for contour in contours or ())
    rule = Compounding.MEAN if closed else Compounding.MAXIMUM
    compounder = Compounder(grid, mask, CompoundingSettings(compounding=rule))
    for contours, pose in zip(own, sweep.T_frame_image_px, strict=True):
        if contours is not None:
            compounder.add(drawn(contours, sweep.shape), pose)
    compounded = compounder.read()
    return (compounded if stick == 0 else fill_holes(compounded, stick).compounded).volume


def drawn(contours: Iterable[Contour], shape: tuple[int, int]) -> GreyPixels:
    """Contours as an image ``(h, w)``, 255 inside closed ones and on open ones."""
    with from_extra("reconstruction"):
        from skimage.draw import line, polygon2mask

    inside = np.zeros(shape, bool)
    for contour in contours:
        if contour.closed:
            inside |= polygon2mask(shape, contour.points_px[:, ::-1])
        else:
            thin = np.zeros(shape, bool)
            for start, end in zip(_pixels(contour.points_px), _pixels(contour.points_px)[1:], strict=False):
                rows, columns = line(start[1], start[0], end[1], end[0])
                within = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
                thin[rows[within], columns[within]] = True
            inside |= ndimage.binary_dilation(thin, iterations=_LINE_PX)
    return np.where(inside, np.uint8(_FULL), np.uint8(0))


def _pixels(points_px: Floats) -> list[list[int]]:
    return np.rint(points_px).astype(int).tolist()
