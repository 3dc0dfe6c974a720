"""Motions of the stylus in the simulated surgeon's hand: idle, pivot, touch, sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.frames import CT, TRACKER
from geometry.points import Floats

_TREMOR_HZ = np.array([7.3, 8.9, 10.7])  # physiological hand tremor: 6 to 12 Hz


@dataclass(frozen=True)
class StylusPosture:
    """Position of the tip and orientation of the stylus, in `frame`: ``tracker``, ``ct`` or that of another tool.

    Attributes:
        tip_mm: position of the tip, ``(3,)``.
        shaft: unit vector ``(3,)`` from the tip towards the marker.
        twist_rad: rotation of the marker about the shaft; at 0 it faces the camera.
    """

    frame: str
    tip_mm: Floats
    shaft: Floats
    twist_rad: float = 0.0


class Action(Protocol):
    """Gives the posture at `t_s` seconds after the start of the action; None while the stylus is in its tray."""

    def posture(self, t_s: float) -> StylusPosture | None: ...


@dataclass(frozen=True)
class Idle:
    """The stylus lies in its tray, out of sight."""

    def posture(self, t_s: float) -> StylusPosture | None:
        return None


@dataclass(frozen=True)
class Pivot:
    """The tip rests in a divot while the shaft moves within a cone; everything is in ``tracker``."""

    divot_tracker_mm: Floats
    axis_tracker: Floats
    half_angle_rad: float = np.deg2rad(28.0)

    def posture(self, t_s: float) -> StylusPosture | None:
        across = np.linalg.svd(self.axis_tracker[None, :])[2][1:]
        # Two incommensurate frequencies fill the cone; one frequency would repeat a single circle.
        tilt = self.half_angle_rad * np.sin(2 * np.pi * 0.23 * t_s)
        azimuth = 2 * np.pi * 0.61 * t_s
        sideways = np.cos(azimuth) * across[0] + np.sin(azimuth) * across[1]
        shaft = np.cos(tilt) * self.axis_tracker + np.sin(tilt) * sideways
        return StylusPosture(TRACKER, self.divot_tracker_mm, shaft, 0.3 * np.sin(2 * np.pi * 0.11 * t_s))


def pivot_near(centre_tracker_mm: Floats) -> Pivot:
    """A pivot in a divot above `centre_tracker_mm` ``(3,)``, with the shaft oblique to the line of sight.

    If the shaft pointed at the camera, the marker would be seen edge-on.
    """
    divot = centre_tracker_mm + [0.0, 0.0, -200.0]
    towards_camera = -divot / np.linalg.norm(divot)
    across = np.cross(towards_camera, [1.0, 0.0, 0.0])
    axis = towards_camera + across / np.linalg.norm(across)
    return Pivot(divot, axis / np.linalg.norm(axis))


# The tests in one divot: how often it is touched, how long each time, and how far and how long the tool is turned.
TOUCHES, TOUCH_S, LIFTED_S, LIFT_MM = 22, 2.0, 0.6, 15.0
TURN_S, HALF_TURN_RAD = 8.0, np.deg2rad(25.0)
_AXES = ("about the shaft", "across it", "across it, the other way")


@dataclass(frozen=True, eq=False)
class Visits:
    """The tip rests in one divot after the other, while the shaft moves about it; everything is in ``tracker``.

    Then it touches the first one again and again, and is turned there about each axis of the stylus: what the tests of
    `surgnav accuracy` ask for, one after the other.

    Attributes:
        divots_tracker_mm: ``(n, 3)``; the tip is in the first for as long as a pivot takes.
        axis_tracker: middle of the shaft's motion, a unit vector ``(3,)``.
        first_s, rest_s, go_s: how long the tip is in the first divot, in each of the others, and on its way.
    """

    divots_tracker_mm: Floats
    axis_tracker: Floats
    first_s: float = 20.0
    rest_s: float = 2.2
    go_s: float = 0.8

    def posture(self, t_s: float) -> StylusPosture | None:
        rounds, rest = divmod(max(0.0, t_s - self.first_s), self.go_s + self.rest_s)
        place = min(rest / self.go_s, 1.0) + int(rounds)
        last = len(self.divots_tracker_mm) - 1
        if place > last:
            return self._again(t_s - self.first_s - last * (self.go_s + self.rest_s))
        return Pivot(_at(self.divots_tracker_mm, place), self.axis_tracker).posture(t_s)

    def _again(self, t_s: float) -> StylusPosture | None:
        """What is done in the first divot, `t_s` after the tip has left the last one."""
        first, touched_s = self.divots_tracker_mm[0], t_s / (TOUCH_S + LIFTED_S)
        if touched_s < TOUCHES:
            is_down = t_s % (TOUCH_S + LIFTED_S) < TOUCH_S
            tip = first if is_down else first + LIFT_MM * self.axis_tracker
            return Pivot(tip, self.axis_tracker, np.deg2rad(3.0)).posture(t_s)
        axis, since_s = divmod(t_s - TOUCHES * (TOUCH_S + LIFTED_S), TURN_S)
        if axis >= len(_AXES):
            return None
        angle_rad = HALF_TURN_RAD * np.sin(2 * np.pi * since_s / TURN_S)
        if axis == 0:
            return StylusPosture(TRACKER, first, self.axis_tracker, angle_rad)
        sideways = np.linalg.svd(self.axis_tracker[None, :])[2][int(axis)]
        shaft = np.cos(angle_rad) * self.axis_tracker + np.sin(angle_rad) * sideways
        return StylusPosture(TRACKER, first, shaft, 0.0)


def visits_near(centre_tracker_mm: Floats, points_mm: Floats) -> Visits:
    """The points ``(n, 3)`` of a block that stands where `pivot_near` has its divot, askew to the camera."""
    pivot = pivot_near(centre_tracker_mm)
    turned = Rotation.from_euler("xyz", [25.0, -15.0, 40.0], degrees=True).apply(points_mm - points_mm.mean(axis=0))
    return Visits(pivot.divot_tracker_mm + turned, pivot.axis_tracker)


@dataclass(frozen=True)
class Spin:
    """The tip and the shaft rest while the tool is turned to and fro about the shaft; everything is in ``tracker``."""

    tip_tracker_mm: Floats
    shaft_tracker: Floats
    half_turn_rad: float = np.deg2rad(65.0)

    def posture(self, t_s: float) -> StylusPosture | None:
        twist_rad = self.half_turn_rad * np.sin(2 * np.pi * 0.19 * t_s)
        return StylusPosture(TRACKER, self.tip_tracker_mm, self.shaft_tracker, twist_rad)


@dataclass(frozen=True, eq=False)
class TouchTool:
    """The tip is held on points of another tool, one after the other, and tilted a little on each.

    Attributes:
        tool: whose frame the points are in.
        points_mm: ``(n, 3)``.
        hold_s, travel_s: how long it is held on each, and on its way to the next.
    """

    tool: str
    points_mm: Floats
    hold_s: float = 2.0
    travel_s: float = 0.8

    def posture(self, t_s: float) -> StylusPosture | None:
        number, within_s = divmod(t_s, self.hold_s + self.travel_s)
        here = min(int(number), len(self.points_mm) - 1)
        there = min(here + 1, len(self.points_mm) - 1)
        share = max(0.0, within_s - self.hold_s) / self.travel_s if number <= here else 0.0
        tip_mm = (1.0 - share) * self.points_mm[here] + share * self.points_mm[there]
        tilt_rad = np.deg2rad(8.0) * np.sin(2 * np.pi * 0.4 * t_s)
        shaft = np.array([np.sin(0.6 + tilt_rad), 0.5 * np.sin(tilt_rad), np.cos(0.6 + tilt_rad)])
        return StylusPosture(self.tool, tip_mm, shaft / np.linalg.norm(shaft))


@dataclass(frozen=True)
class Touch:
    """The tip is held on a point of the patient in ``ct``, with the hand's tremor."""

    point_ct_mm: Floats
    shaft_ct: Floats
    tremor_mm: float = 0.1

    def posture(self, t_s: float) -> StylusPosture | None:
        tremor = self.tremor_mm * np.sin(2 * np.pi * _TREMOR_HZ * t_s)
        return StylusPosture(CT, self.point_ct_mm + tremor, self.shaft_ct)


@dataclass(frozen=True, eq=False)
class Sweep:
    """The tip follows a path over the skin, back and forth, and presses the skin in slightly.

    Attributes:
        path_ct_mm: ``(n, 3)`` points on the true skin, evenly spaced in time over `duration_s`.
        shafts_ct: ``(n, 3)`` unit vectors from the tip towards the marker.
        outward_ct: ``(n, 3)`` unit vectors away from the body.
    """

    path_ct_mm: Floats
    shafts_ct: Floats
    outward_ct: Floats
    duration_s: float
    indentation_mm: float = 0.2
    tremor_mm: float = 0.1

    def posture(self, t_s: float) -> StylusPosture | None:
        turns, rest = divmod(t_s / self.duration_s, 1.0)
        progress = rest if int(turns) % 2 == 0 else 1.0 - rest
        position = progress * (len(self.path_ct_mm) - 1)
        tip = _at(self.path_ct_mm, position)
        outward, shaft = _at(self.outward_ct, position), _at(self.shafts_ct, position)
        tremor = self.tremor_mm * np.sin(2 * np.pi * _TREMOR_HZ * t_s)
        return StylusPosture(CT, tip - self.indentation_mm * outward + tremor, shaft / np.linalg.norm(shaft))


@dataclass(frozen=True)
class Script:
    """Actions one after the other; between them the stylus lies in its tray.

    Attributes:
        steps: when each begins and how long it takes, in s, and what is done.
    """

    steps: tuple[tuple[float, float, Action], ...]

    def posture(self, t_s: float) -> StylusPosture | None:
        for start_s, duration_s, action in self.steps:
            if start_s <= t_s < start_s + duration_s:
                return action.posture(t_s - start_s)
        return None


def _at(rows: Floats, position: float) -> Floats:
    lower = min(int(position), len(rows) - 2)
    weight = position - lower
    return (1.0 - weight) * rows[lower] + weight * rows[lower + 1]
