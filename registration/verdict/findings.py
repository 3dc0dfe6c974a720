"""Reduces the results of a registration to the numbers that its verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from geometry import Transform
from geometry.points import Floats
from registration.landmarks.fit import LandmarkRegistration
from registration.surface.pose_evidence import WeakestDirection
from registration.surface.refine import SurfaceRegistration
from registration.uncertainty.expected_error import ExpectedTre, expected_tre, target_errors_mm
from registration.verdict.verdict import Findings, LandmarkFindings, SurfaceFindings

PATIENT_AXES = ("left-right", "front-back", "head-feet")
# Components of a unit vector above this are named: every unit vector has at least one, since 3 * 0.5^2 < 1.
MENTIONED_ABOVE = 0.5


def gather_findings(
    by_landmarks: LandmarkRegistration | None,
    by_surface: SurfaceRegistration | None,
    targets_ct: Mapping[str, Floats],
    expected: ExpectedTre | None,
    suspects: tuple[str, ...] | None,
) -> Findings:
    """Gathers the findings of a registration; numbers that are not finite become None.

    Args:
        by_landmarks: the registration from landmarks alone; None without landmarks.
        by_surface: the registration from the swept surface; None without a sweep.
        targets_ct: name -> ``(3,)`` in ct, in mm.
        expected: expected TRE of the registration to be judged, at the targets in their order; None if unknown.
        suspects: in words, each landmark that the others contradict; None if there are too few landmarks to test.
    """
    p95_mm = [None] * len(targets_ct) if expected is None else [_finite(value) for value in expected.p95_mm]
    landmarks = surface = None
    if by_landmarks is not None:
        landmarks = LandmarkFindings(
            used=len(by_landmarks.names),
            residual_factor=_root(by_landmarks.noise_inflation),
            suspects=suspects,
            disagreement_factor=None if by_surface is None else _disagreement(by_landmarks, by_surface, targets_ct),
        )
    if by_surface is not None:
        surface = SurfaceFindings(
            converged=by_surface.converged,
            reason=by_surface.reason,
            inlier_fraction=_finite(float(by_surface.inlier.mean())),
            residual_factor=_root(by_surface.noise_inflation),
            weakest_sd_mm=_finite(by_surface.weakest_direction.combined_sd_mm),
            weakest_description=in_patient_words(by_surface.weakest_direction, by_surface.T_reference_ct),
        )
    return Findings(tre_p95_mm=dict(zip(targets_ct, p95_mm, strict=True)), landmarks=landmarks, surface=surface)


def in_patient_words(weakest: WeakestDirection, T_reference_ct: Transform) -> str:
    """Describes the weakest motion along the patient's axes (ct is LPS), for a person at the table."""
    turn, shift = weakest.motion[:3], weakest.motion[3:]
    # The pivot is the points' centroid: their mean squared motion is that of the shift plus that of the rotation.
    slides = 2.0 * float(shift @ shift) > weakest.surface_sd_mm**2
    vector = T_reference_ct.inverse().rotate(shift if slides else turn)
    kind = "slide along" if slides else "turn about"
    return (
        f"it may {kind} {along_text(vector)}: the sweep alone leaves {weakest.surface_sd_mm:.2g} mm, "
        f"all evidence together {weakest.combined_sd_mm:.2g} mm"
    )


def along_text(vector_ct: Floats) -> str:
    """Names the patient's axes that a direction ``(3,)`` in ct mainly follows, largest component first."""
    share = np.abs(vector_ct) / np.linalg.norm(vector_ct)
    return " and ".join(PATIENT_AXES[axis] for axis in np.argsort(-share) if share[axis] > MENTIONED_ABOVE)


def _disagreement(
    by_landmarks: LandmarkRegistration, by_surface: SurfaceRegistration, targets_ct: Mapping[str, Floats]
) -> float | None:
    """Distance between the two poses at a target over the landmarks' 95 % error there, at the worst target.

    The surface's pose uses the landmarks too, so the true 95 % quantile of the difference is somewhat smaller (Hausman
    1978). Without targets, the pivot of the landmarks is used.
    """
    T_landmarks, T_surface = by_landmarks.T_reference_ct, by_surface.T_reference_ct
    if targets_ct:
        points_ct = np.array(list(targets_ct.values()))
    else:
        points_ct = T_landmarks.inverse().apply(by_landmarks.uncertainty.pivot_reference_mm)[None, :]
    p95_mm = expected_tre(T_landmarks, by_landmarks.uncertainty, points_ct).p95_mm
    return _finite(float(np.max(target_errors_mm(T_surface, T_landmarks, points_ct) / p95_mm)))


def _root(variance_factor: float) -> float | None:
    return _finite(math.sqrt(variance_factor)) if variance_factor >= 0.0 else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
