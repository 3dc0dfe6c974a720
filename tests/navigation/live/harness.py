"""Tracker frames with chosen tools in sight, and a supervisor that has settled on them."""

from __future__ import annotations

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.supervisor import Supervisor

MS = 1_000_000
TOOLS = (REFERENCE, STYLUS)


def seen(tool: str, x_mm: float = 0.0, fit_rms_mm: float = 0.1) -> ToolObservation:
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return ToolObservation(Visibility.VISIBLE, Transform(matrix, TRACKER, tool), fit_rms_mm)


HIDDEN = ToolObservation(Visibility.OCCLUDED)


def frame(number: int, reference: ToolObservation, stylus: ToolObservation) -> TrackerFrame:
    return TrackerFrame(number, number * 10 * MS, {REFERENCE: reference, STYLUS: stylus})


def settled() -> Supervisor:
    supervisor = Supervisor(TOOLS)
    for number in range(3):
        supervisor.judge(frame(number, seen(REFERENCE), seen(STYLUS)), number * 10 * MS)
    return supervisor
