"""How far the tip may be from where it is shown, with 95 %, along a direction in ``ct``.

The live covariance of the tip has everything in it, the registration too. Where it is not known, the error is made of
the tip's expected RMS error, as alike in all directions, and of the registration's expected 95 % TRE at the worst
planned target, which is taken for the tip's; the two are independent, so that they add as squares.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from geometry.points import Floats
from unity_bridge.poses.tool_state import ToolState

# 95 % of a normal distribution in space lies within the ellipsoid of this squared radius: chi-squared, 3 degrees.
CHI2_95 = 7.814728


class LiveError:
    """The error of one tool's tip beside the patient, at one instant.

    Args:
        tool: with a pose in ``reference``.
        patient: ``T_reference_ct`` with the expected error of the registration.
    """

    def __init__(self, tool: ToolState, patient: ToolState) -> None:
        self.unknown = ""
        self._registration_mm2 = 0.0
        self._tip_ct_mm2: Floats = np.zeros((3, 3))
        if tool.covariance_mm2 is not None and patient.T_to_from is not None:
            turn = patient.T_to_from.rotation_matrix
            self._tip_ct_mm2 = CHI2_95 * (turn.T @ tool.covariance_mm2 @ turn)
        elif patient.expected_error_mm is None:
            self.unknown = "the registration's error is not known: it was made without targets"
        elif tool.expected_error_mm is None:
            self.unknown = f"the error of the tip of '{tool.tool}' is not known"
        else:
            self._registration_mm2 = patient.expected_error_mm**2
            self._tip_ct_mm2 = CHI2_95 * tool.expected_error_mm**2 / 3.0 * np.eye(3)

    def along_mm(self, direction_ct: tuple[float, float, float]) -> float:
        """Half the width of the 95 % ellipsoid along a unit vector; the largest of all, for a direction of zeros."""
        if not any(direction_ct):
            return self.largest_mm
        x, y, z = direction_ct
        (xx, xy, xz), (_, yy, yz), (_, _, zz) = self._tip_ct_mm2.tolist()
        tool_mm2 = xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + xz * x * z + yz * y * z)
        return sqrt(max(tool_mm2, 0.0) + self._registration_mm2)

    @property
    def largest_mm(self) -> float:
        """Half the length of the ellipsoid's longest axis."""
        return sqrt(float(np.linalg.eigvalsh(self._tip_ct_mm2)[-1]) + self._registration_mm2)
