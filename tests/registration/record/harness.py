"""A case with an approved organ, landmarks and targets, and the registrations that tests put into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from case.case import Case, MadeBy
from geometry import Transform
from registration.assumptions import Assumptions
from registration.measurements import Measured, TouchedPoint
from registration.record.attempt import Attempt
from registration.record.attempts import Circumstances, keep_attempt
from registration.register import RegistrationOutcome, register
from tests.registration.shapes import T_TRUE, organ

TIME = "2026-01-02T03:04:05+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME)
ORGAN = organ(subdivisions=4)
GLB = "surfaces/organ.glb"
PLANS = ("markups/landmarks.mrk.json", "markups/targets.mrk.json")
TARGETS = {"tumour": np.array([20.0, -150.0, 300.0]), "vessel": np.array([60.0, -140.0, 310.0])}
MARKS = {f"m{number}": ORGAN.vertices_mm[number * 301] for number in range(1, 8)}
BY = Circumstances(person="Dr Test", time=TIME, measured_with="test", surface=GLB, plans=PLANS)
ASSUMED = Assumptions()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    with Case.create(tmp_path / "case", "organ", TIME) as case:
        case.add_surface(ORGAN, MADE_BY, made_from=())
        case.add_markups("landmarks", MARKS, MADE_BY, made_from=())
        case.add_markups("targets", TARGETS, MADE_BY, made_from=(), kind="plan")
    return case


def touched(T_reference_ct: Transform = T_TRUE, sd_mm: float = 0.3, seed: int = 0) -> dict[str, TouchedPoint]:
    rng = np.random.default_rng(seed)
    return {
        name: TouchedPoint(T_reference_ct.apply(point) + rng.normal(scale=sd_mm, size=3), 0.1, 60)
        for name, point in list(MARKS.items())[:-1]  # the last one is kept for the verification
    }


def sweep(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    seen = ORGAN.vertices_mm[ORGAN.vertices_mm[:, 1] < -140.0]
    return T_TRUE.apply(seen[rng.integers(len(seen), size=400)]) + rng.normal(scale=0.3, size=(400, 3))


def made(
    case: Case, seed: int = 0, marks: Mapping[str, TouchedPoint] | None = None
) -> tuple[Attempt, RegistrationOutcome]:
    measured = Measured(MARKS, touched(seed=seed) if marks is None else marks, sweep(seed), TARGETS)
    outcome = register(measured, ORGAN, ASSUMED)
    return keep_attempt(case, measured, outcome, ASSUMED, BY), outcome
