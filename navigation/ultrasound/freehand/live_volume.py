"""A volume that grows while one scans, from placed frames; it, and a surface of it, can be read at any time."""

from __future__ import annotations

from collections import Counter

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE
from geometry.points import Bools, Floats
from geometry.surface import Surface
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.pipeline import USABLE
from reconstruction.freehand.compounding import Compounded
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.growing import GrowingVolume
from reconstruction.freehand.holes import Filled, fill_holes
from reconstruction.freehand.settings import STICK_VOXELS, CompoundingSettings
from reconstruction.surfaces.extract import EmptyStructureError, SurfaceSettings, extract_surface
from unity_bridge.wire.envelope import Validity

SPACING_MM = 1.0
MOST_TRIANGLES = 20_000  # of a surface that a headset is to show while it changes
# Between voxels below and above the level, each about one vertex: some seconds of work.
_MOST_CROSSINGS = 150_000


class LiveVolume:
    """Compounds the frames of live ultrasound relative to the reference.

    Only frames enter that may be used and whose place is valid: what is suspect or lost is left out and counted. The
    volume and its surface lie in ``reference``, so they need no registration, and where one is renewed nothing is
    scanned again.

    Args:
        mask: the pixels that are used, ``(h, w)``, as of the probe's scan geometry.
        spacing_mm: of the voxels.
        settings: interpolation and compounding.

    Attributes:
        mask: as given.
        left_out: number of frames that did not enter, by the reason.
        T_reference_image_px: of each frame that entered, ``(4, 4)``, in their order.
        T_ct_reference: the registration of the newest frame that entered; None where it had none.
    """

    def __init__(
        self, mask: Bools, spacing_mm: float = SPACING_MM, settings: CompoundingSettings | None = None
    ) -> None:
        self.mask = mask
        self._volume = GrowingVolume(REFERENCE, spacing_mm, mask, settings)
        self.left_out: Counter[str] = Counter()
        self.T_reference_image_px: list[Floats] = []
        self.T_ct_reference: Transform | None = None

    @property
    def n_frames(self) -> int:
        """Frames that entered."""
        return self._volume.n_frames

    def add(self, frame: PlacedFrame) -> str:
        """Adds a frame; returns why it was left out, empty if it entered."""
        why, place = self._unfit(frame), frame.T_reference_image_px
        if not why and frame.result.pixels is not None and place is not None:
            try:
                self._volume.add(frame.result.pixels, place)
                self.T_reference_image_px.append(place)
                self.T_ct_reference = frame.T_ct_reference
            except FreehandError as error:
                why = error.came
        if why:
            self.left_out[why] += 1
        return why

    def read(self) -> Compounded | None:
        """The volume as it is now, in ``reference``; None before the first frame."""
        return self._volume.read()

    def filled(self, stick_voxels: int = STICK_VOXELS) -> Filled | None:
        """What was seen so far, holes that `stick_voxels` bridge filled, without the empty room around it; None before
        the first frame.
        """
        now = self.read()
        return None if now is None or not now.seen.any() else fill_holes(_cropped(now), stick_voxels)

    def _unfit(self, frame: PlacedFrame) -> str:
        if frame.result.state != USABLE or frame.result.pixels is None:
            return frame.result.reason or frame.result.state
        if frame.validity is not Validity.VALID:
            return frame.reason or frame.validity.name.lower()
        if frame.result.pixels.shape != self.mask.shape:
            return f"an image of {frame.result.pixels.shape[1]} x {frame.result.pixels.shape[0]} px"
        return ""


def _cropped(now: Compounded) -> Compounded:
    """To the voxels that were seen, of which there is at least one."""
    box, first = [], []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        at = np.flatnonzero(now.seen.any(axis=others))
        box.append(slice(int(at[0]), int(at[-1]) + 1))
        first.append(int(at[0]))
    grey, seen, grid = now.grey[tuple(box)], now.seen[tuple(box)], now.grid
    origin_mm = grid.origin_mm + grid.spacing_mm * first[::-1]
    nk, nj, ni = grey.shape
    return Compounded(FreehandGrid(grid.frame, origin_mm, grid.spacing_mm, (ni, nj, nk)), grey, seen)


def surface_of(filled: Filled, level: int, name: str) -> Surface | None:
    """Where the grey value of a volume reaches `level`, in the volume's frame; None where nothing does.

    Raises:
        FreehandError: a level among the speckle, at which the surface goes to and fro through the whole volume.
    """
    above = filled.compounded.grey >= level
    crossings = sum(int(np.count_nonzero(np.diff(above, axis=axis))) for axis in range(3))
    if crossings > _MOST_CROSSINGS:
        came = f"a surface at the grey value {level} of some {2 * crossings // 1000} thousand triangles"
        raise FreehandError(
            came, f"at most {2 * _MOST_CROSSINGS // 1000} thousand", "choose a higher level: this one is in the speckle"
        )
    settings = SurfaceSettings(level=level - 0.5, max_triangles=MOST_TRIANGLES)
    try:
        return extract_surface(filled.compounded.volume, name, settings).surface
    except EmptyStructureError:
        return None
