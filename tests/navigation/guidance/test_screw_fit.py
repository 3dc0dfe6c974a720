"""Screws in a rod of bone, whose breach is known by hand; the grade's steps; a screw that misses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from navigation.guidance.plan import Screw
from navigation.guidance.screw_fit import fit_screw, grade_of
from registration.distance.closest_point import ExactDistance
from tests.navigation.guidance.harness import SCREW, bone, rod
from unity_bridge.wire.generated.constants import ScrewGrade

ALONG = np.array([0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("breach_mm", "letter"),
    [(-3.0, "a"), (0.0, "a"), (0.01, "b"), (1.99, "b"), (2.0, "c"), (3.99, "c"), (4.0, "d"), (5.99, "d"), (6.0, "e")],
)
def test_the_steps_of_gertzbein_and_robbins(breach_mm: float, letter: str) -> None:
    assert grade_of(breach_mm) is ScrewGrade(letter)


@pytest.mark.parametrize("aside_mm", [0.0, 1.0, 2.0, 3.5, 5.0, 6.5])
def test_a_screw_aside_of_the_middle_comes_out_by_as_much(aside_mm: float) -> None:
    # A rod of 5 mm radius around a screw of 3 mm: 2 mm of wall, less what it is aside.
    fit = fit_screw(bone(), np.array([aside_mm, 0.0, 2.0]), ALONG, SCREW)
    if aside_mm >= 5.0:
        assert (fit.grade, fit.breach_mm) == (ScrewGrade.E, math.inf), "its axis is never inside"
        return
    assert fit.breach_mm == pytest.approx(aside_mm - 2.0, abs=0.08)
    assert fit.grade is grade_of(aside_mm - 2.0) or abs(aside_mm - 2.0) < 0.08


def test_the_grid_and_the_exact_distance_agree() -> None:
    exact = ExactDistance(rod(5.0, 60.0))
    head, tilted = np.array([-1.0, 0.5, -2.0]), np.array([0.05, 0.02, 1.0])
    tilted /= np.linalg.norm(tilted)
    one, other = fit_screw(bone(), head, tilted, SCREW), fit_screw(exact, head, tilted, SCREW)
    assert one.breach_mm == pytest.approx(other.breach_mm, abs=0.08)
    assert one.deepest_mm == other.deepest_mm


def test_a_tilted_screw_comes_out_at_its_tip() -> None:
    tilt = np.radians(10.0)
    fit = fit_screw(bone(), np.array([0.0, 0.0, 2.0]), np.array([np.sin(tilt), 0.0, np.cos(tilt)]), SCREW)
    # The end of its upper edge: 40 sin 10 + 3 cos 10 from the middle.
    assert fit.breach_mm == pytest.approx(40.0 * np.sin(tilt) + 3.0 * np.cos(tilt) - 5.0, abs=0.15)
    assert fit.deepest_mm == 40.0


def test_where_it_goes_in_it_may_be_outside() -> None:
    # The head is 10 mm above the bone; what counts begins a diameter below the surface.
    fit = fit_screw(bone(), np.array([0.0, 0.0, -10.0]), ALONG, SCREW)
    assert fit.breach_mm == pytest.approx(-2.0, abs=0.08)
    assert fit.deepest_mm >= 16.0


@pytest.mark.parametrize("head", [[30.0, 0.0, 0.0], [0.0, 0.0, -80.0], [0.0, 0.0, -38.0]])
def test_a_screw_that_misses_the_bone_is_the_worst(head: list[float]) -> None:
    fit = fit_screw(bone(), np.array(head), ALONG, SCREW)
    assert (fit.grade, fit.breach_mm) == (ScrewGrade.E, math.inf)


def test_too_long_a_screw_comes_out_in_front() -> None:
    fit = fit_screw(ExactDistance(rod(5.0, 60.0)), np.array([0.0, 0.0, 2.0]), ALONG, Screw(6.0, 63.0))
    assert fit.breach_mm == pytest.approx(5.0, abs=0.02)
    assert fit.deepest_mm == 63.0
