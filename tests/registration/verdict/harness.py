"""Landmarks, and assessments of them, that several tests of the verdict begin with."""

from __future__ import annotations

import numpy as np

from registration.verdict.verdict import Findings, LandmarkFindings, SurfaceFindings

MARKS = LandmarkFindings(used=6, residual_factor=1.0, suspects=(), disagreement_factor=0.5)
SKIN = SurfaceFindings(
    converged=True,
    reason="converged in 9 iterations",
    inlier_fraction=0.95,
    residual_factor=1.0,
    weakest_sd_mm=0.4,
    weakest_description="sliding along z",
)
GOOD = Findings(tre_p95_mm={"lesion": 0.8, "pedicle": 1.9}, landmarks=MARKS, surface=SKIN)

CT_MM = np.array([[0, 0, 0], [120, 10, 5], [20, 90, -10], [60, 40, 80], [-50, 60, 40], [90, -60, 30]], float)
NAMES = [f"m{number}" for number in range(1, 7)]
POINT_CT = np.array([30.0, -40.0, 60.0])
