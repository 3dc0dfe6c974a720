"""The room of a calibrated probe with a stylus and a structure of the plan beside what the probe shows.

All errors are those of the `ProbeRoom`; the stylus was pivoted by what the tracker sees and bent afterwards, and moves.
True distances are those of points spread densely over the contour's true area in the body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry import Surface
from geometry.frames import CT, STYLUS
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.ultrasound.distances.distance import ContourDistance
from navigation.ultrasound.distances.measure import Distances
from navigation.ultrasound.pipeline import USABLE, FrameResult
from reconstruction.ultrasound.contours import Contour
from registration.distance.distance_grid import DistanceGrid
from tests.navigation.live.timeline.measured_room import HAND_MM_S2, Stroke
from tests.navigation.ultrasound.live.probe_room import GEOMETRY, ProbeRoom
from tests.registration.shapes import icosphere
from unity_bridge.wire.envelope import Validity

_FASTEST_MM_S = 60.0


@dataclass(frozen=True)
class Measured:
    """One distance beside the true one."""

    found: ContourDistance
    true_mm: float

    @property
    def error_mm(self) -> float:
        assert self.found.distance_mm is not None
        return self.found.distance_mm - self.true_mm

    @property
    def holds(self) -> bool:
        """Whether the stated 95 % are kept to."""
        assert self.found.p95_mm is not None
        return abs(self.error_mm) <= self.found.p95_mm


class DistanceRoom(ProbeRoom):
    """Images of one contour each, a tip and a structure beside it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.tips = {STYLUS: self.tip}
        self.tracker = self._watching(self._pose, self.clock, 100.0, STYLUS)

    def measured(self) -> tuple[Measured, Measured]:
        """To a structure of the plan, and to the tip."""
        rng = self.rng
        self.action = Stroke(np.zeros(3), np.zeros(3), self.shaft_ct, np.zeros(3))
        path = self._watched_path()
        outline_px = self._outline_px()
        soon_s = self.clock.now_ns() / NS_PER_S + 0.25 + self.lag_s
        about_ct = self._in_ct(path, outline_px.mean(axis=0)[None], soon_s)[0]
        self.distances = Distances([STYLUS])
        structure_ct, radius_mm = about_ct + _away(rng), rng.uniform(4.0, 9.0)
        self.distances.follow((("artery", self._grid(structure_ct, radius_mm)),))
        velocity, push = rng.uniform(0.0, _FASTEST_MM_S) * _unit(rng), rng.uniform(-1.0, 1.0, 3) * HAND_MM_S2
        turn = rng.normal(scale=0.3, size=3)
        self.action = Stroke(about_ct + _away(rng), velocity, self.shaft_ct, turn, soon_s, push)
        timeline, stamp_ns = self._seen()
        shown = FrameResult(
            sequence=0,
            capture_ns=stamp_ns,
            finished_ns=None,
            state=USABLE,
            reason="",
            contours=(Contour("vessel", outline_px, closed=True, confidence=None, area_px2=0.0),),
            pixels=np.zeros(GEOMETRY.size_px[::-1], np.uint8),
        )
        placed = self.distances.measured(timeline.place(shown))
        assert placed.validity is Validity.VALID, placed.reason
        to_structure, to_tip = placed.distances
        true_s = self._exposed_s + self.lag_s
        area_ct = self._in_ct(path, _dense_px(outline_px), true_s)
        tip_ct = self.room.tip_ct_mm(round(true_s * NS_PER_S))
        return (
            Measured(to_structure, float(np.linalg.norm(area_ct - structure_ct, axis=1).min()) - radius_mm),
            Measured(to_tip, float(np.linalg.norm(area_ct - tip_ct, axis=1).min())),
        )

    def _outline_px(self) -> Floats:
        """An ellipse somewhere in the scan, as a vessel's outline."""
        rng = self.rng
        middle = GEOMETRY.points_px(
            np.array(rng.uniform(-0.8, 0.8)), np.array(rng.uniform(0.1, 0.9) * GEOMETRY.depth_mm)
        )
        angles = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
        wide, high = rng.uniform(5.0, 20.0, 2)
        return middle + np.column_stack([wide * np.cos(angles), high * np.sin(angles)])

    def _grid(self, centre_ct: Floats, radius_mm: float) -> DistanceGrid:
        """The structure as the CT shows it, whose scale is a little off."""
        vertices, triangles = icosphere(4)
        surface = Surface(self.in_image(centre_ct) + self.scale * radius_mm * vertices, triangles, CT, "artery")
        return DistanceGrid.from_surface(surface)


def _dense_px(outline_px: Floats) -> Floats:
    """The outline drawn in towards its middle in 60 steps, 10 points between two corners."""
    share = np.arange(10)[:, None, None] / 10.0
    line = (outline_px + share * (np.roll(outline_px, -1, axis=0) - outline_px)).reshape(-1, 2)
    middle = outline_px.mean(axis=0)
    dense: Floats = (middle + np.linspace(0.0, 1.0, 61)[:, None, None] * (line - middle)).reshape(-1, 2)
    return dense


def _unit(rng: np.random.Generator) -> Floats:
    direction = rng.normal(size=3)
    unit: Floats = direction / np.linalg.norm(direction)
    return unit


def _away(rng: np.random.Generator) -> Floats:
    return float(rng.uniform(3.0, 30.0)) * _unit(rng)
