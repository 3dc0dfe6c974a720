"""What a scenario does to the true poses of the simulated room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.points import Floats
from navigation.simulation.scenario import BumpedReference, MovedCamera, Scenario


class ScriptedRoom:
    """The part of a scenario that is true, at a time in s; without a scenario nothing happens.

    Args:
        since_begun: of a time in s, how long the scenario has gone on then.
    """

    def __init__(self, scenario: Scenario | None, since_begun: Callable[[float], float]) -> None:
        self._scenario = scenario or Scenario(name="nothing happens")
        self._since_begun = since_begun

    def hides(self, tool: str, t_s: float) -> bool:
        """Whether somebody stands before the tool."""
        t_s = self._since_begun(t_s)
        return any(each.tool == tool and each.is_on(t_s) for each in self._scenario.occlusion)

    def body_shift_ct_mm(self, t_s: float) -> Floats:
        """How far the body has risen from full expiration, ``(3,)`` in ``ct``."""
        t_s = self._since_begun(t_s)
        shift = np.zeros(3)
        for breath in self._scenario.breathing:
            if breath.is_on(t_s):
                phase = 2.0 * np.pi * (t_s - breath.from_s) / breath.period_s
                direction = np.array(breath.direction_ct)
                shift += breath.amplitude_mm * 0.5 * (1.0 - np.cos(phase)) * direction / np.linalg.norm(direction)
        return shift

    def bump(self, t_s: float) -> Floats:
        """The reference marker as it is now, in its own axes before it was bumped, ``(4, 4)``."""
        t_s = self._since_begun(t_s)
        return _product([each for each in self._scenario.bumped_reference if each.is_on(t_s)])

    def camera(self, t_s: float) -> Floats:
        """The camera as it stands now, in its own axes before it was moved, ``(4, 4)``."""
        t_s = self._since_begun(t_s)
        return _product([each for each in self._scenario.moved_camera if each.is_on(t_s)])

    def bend_mm(self, t_s: float) -> Floats:
        """From where the stylus' tip was to where it is, ``(3,)`` in the axes of its marker."""
        t_s = self._since_begun(t_s)
        bends = [each.tip_mm for each in self._scenario.bent_stylus if each.is_on(t_s)]
        return np.sum(bends, axis=0) if bends else np.zeros(3)


def _product(moves: Sequence[BumpedReference | MovedCamera]) -> Floats:
    whole: Floats = np.eye(4)
    for move in moves:
        step = np.eye(4)
        step[:3, :3] = Rotation.from_euler("xyz", move.rotation_deg, degrees=True).as_matrix()
        step[:3, 3] = move.translation_mm
        whole = whole @ step
    return whole
