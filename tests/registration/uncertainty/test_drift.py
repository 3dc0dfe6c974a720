"""Touches that follow the order they were made in: found, told apart from chance, and named by what moved."""

from __future__ import annotations

import numpy as np
import pytest

from registration import register_landmarks
from registration.landmarks.fit import with_shared_errors
from registration.uncertainty.drift import OrderTrend
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.shared_errors import SharedErrors
from tests.registration.landmarks.harness import CT_MM
from tests.registration.shapes import T_TRUE

ERROR = LocalisationError.isotropic(0.7, len(CT_MM))
COUNT = len(CT_MM)


def trend(moves: np.ndarray, seed: int, order: tuple[int, ...] = tuple(range(COUNT))) -> OrderTrend | None:
    """With landmark i moved by ``moves[order[i]]``, ``(n, 3)``."""
    rng = np.random.default_rng(seed)
    touched = T_TRUE.apply(CT_MM) + moves[list(order)] + rng.normal(scale=0.7 / np.sqrt(3.0), size=CT_MM.shape)
    made = register_landmarks(CT_MM, touched, localisation_error=ERROR)
    return with_shared_errors(made, CT_MM, ERROR, SharedErrors(), order).trend


def test_chance_is_no_trend() -> None:
    assert sum(trend(np.zeros((COUNT, 3)), seed) is not None for seed in range(300)) <= 9  # 1 in 100 expected


def test_a_creeping_reference_is_found_in_the_order_of_the_touches() -> None:
    creep = np.arange(COUNT)[:, None] * np.array([0.9, 0.0, 0.0])
    shuffled = tuple(np.random.default_rng(0).permutation(COUNT).tolist())
    found = [trend(creep, seed, order) for seed in range(20) for order in (tuple(range(COUNT)), shuffled)]
    assert sum(one is not None for one in found) >= 34
    assert any("creep" in one.words for one in found if one is not None)


def test_a_jump_is_placed_between_two_touches() -> None:
    jump = np.where(np.arange(COUNT) < 3, 0.0, 4.0)[:, None] * np.array([0.0, 1.0, 0.0])
    found = [trend(jump, seed) for seed in range(20)]
    assert sum(one is not None and one.before == 3 for one in found) >= 12
    placed = next(one for one in found if one is not None and one.before == 3)
    assert "between number 3 and 4" in placed.words
    assert placed.moved_mm == pytest.approx(4.0, abs=2.0)


def test_few_landmarks_or_an_unknown_order_tell_nothing() -> None:
    made = register_landmarks(CT_MM[:3], T_TRUE.apply(CT_MM[:3]), fle_rms_mm=0.7)
    error = LocalisationError.isotropic(0.7, 3)
    assert with_shared_errors(made, CT_MM[:3], error, SharedErrors(), (0, 1, 2)).trend is None
    jump = np.where(np.arange(COUNT) < 3, 0.0, 8.0)[:, None] * np.array([0.0, 1.0, 0.0])
    made = register_landmarks(CT_MM, T_TRUE.apply(CT_MM) + jump, localisation_error=ERROR)
    assert with_shared_errors(made, CT_MM, ERROR, SharedErrors()).trend is None
