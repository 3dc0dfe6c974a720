"""From results to findings: the weakest motion in words, and how far landmarks and surface disagree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from geometry import Transform
from registration import expected_tre, refine_on_surface, register_landmarks
from registration.surface.pose_evidence import WeakestDirection
from registration.verdict.findings import gather_findings, in_patient_words
from tests.geometry.strategies import transforms
from tests.registration.shapes import T_TRUE, organ, tube

TARGETS = {"tumour": np.array([20.0, -150.0, 300.0])}


def weakest(motion: list[float], surface_sd_mm: float) -> WeakestDirection:
    return WeakestDirection(np.array(motion), np.zeros(3), surface_sd_mm, 0.2, np.ones(6), "")


@given(transforms("reference", "ct"))
def test_the_weakest_motion_is_told_by_the_patients_axes(T_reference_ct: Transform) -> None:
    for axis, name in enumerate(("left-right", "front-back", "head-feet")):
        along = T_reference_ct.rotate(np.eye(3)[axis]).tolist()
        slides = in_patient_words(weakest([0, 0, 0, *(2.0 * value for value in along)], 2.0), T_reference_ct)
        assert slides.startswith(f"it may slide along {name}: the sweep alone leaves 2 mm")
        # 0.02 rad about the centroid of points 100 mm away: 2 mm, without any shift.
        turns = in_patient_words(weakest([*(0.02 * value for value in along), 0, 0, 0], 2.0), T_reference_ct)
        assert turns.startswith(f"it may turn about {name}: the sweep alone leaves 2 mm")
    between = T_reference_ct.rotate(np.array([0.0, 1.2, 1.6])).tolist()
    assert "head-feet and front-back" in in_patient_words(weakest([0, 0, 0, *between], 2.0), T_reference_ct)


def test_a_swept_tube_slides_along_itself() -> None:
    rng = np.random.default_rng(0)
    surface = tube(40.0, 200.0)
    near = surface.vertices_mm[np.abs(surface.vertices_mm[:, 2]) < 60.0]
    points = T_TRUE.apply(near[rng.integers(len(near), size=500)]) + rng.normal(scale=0.3, size=(500, 3))
    found = refine_on_surface(points, surface, T_TRUE)
    findings = gather_findings(None, found, {}, None, None)
    # About its own axis a tube turns as freely as it slides along it.
    assert "head-feet" in findings.surface.weakest_description
    assert findings.surface.weakest_sd_mm > 10.0


@pytest.mark.parametrize(("slip_mm", "low", "high"), [(0.0, 0.0, 1.2), (6.0, 3.0, 12.0)])
def test_landmarks_and_surface_disagree_as_far_as_one_of_them_slipped(slip_mm: float, low: float, high: float) -> None:
    rng = np.random.default_rng(1)
    surface = organ(subdivisions=4)
    front = surface.vertices_mm[surface.vertices_mm[:, 1] < -150.0]
    marks = front[::97][:6]
    touched = T_TRUE.apply(marks) + rng.normal(scale=0.3, size=marks.shape)
    swept = T_TRUE.apply(front[rng.integers(len(front), size=800)]) + [slip_mm, 0.0, 0.0]
    by_landmarks = register_landmarks(marks, touched)
    # The surface by itself: with the landmarks in its cost, it would be drawn towards them.
    by_surface = refine_on_surface(swept, surface, by_landmarks.T_reference_ct)
    expected = expected_tre(by_surface.T_reference_ct, by_surface.uncertainty, list(TARGETS.values()))
    findings = gather_findings(by_landmarks, by_surface, TARGETS, expected, ())
    assert low <= findings.landmarks.disagreement_factor < high
    assert findings.tre_p95_mm["tumour"] == expected.p95_mm[0]


def test_numbers_that_are_none_are_not_known() -> None:
    marks = organ(subdivisions=2).vertices_mm[::40]
    made = register_landmarks(marks, T_TRUE.apply(marks))
    expected = expected_tre(made.T_reference_ct, made.uncertainty, list(TARGETS.values()))
    endless = replace(made, noise_inflation=float("nan"))
    findings = gather_findings(endless, None, TARGETS, replace(expected, p95_mm=np.array([np.inf])), None)
    assert findings.tre_p95_mm == {"tumour": None}
    assert findings.landmarks.residual_factor is None
    assert gather_findings(made, None, TARGETS, None, None).tre_p95_mm == {"tumour": None}
