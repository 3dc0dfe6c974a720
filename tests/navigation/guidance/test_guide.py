"""Guidance from states: numbers by hand, and no number where anything is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.guidance.guide import GuidanceState, Guide
from navigation.guidance.messages import guidance_message, plan_message
from navigation.guidance.plan import SurgicalPlan, Trajectory
from tests.navigation.guidance.harness import LEFT, MS, T_REFERENCE_CT, bone, driver, patient, plan
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import AlertLevel, ScrewGrade
from unity_bridge.wire.schema import decode, encode

# 95 % of a tip that is off by 0.5 mm RMS (0.289 mm along each axis, times 2.795), and of a registration by 1 mm.
ERROR_MM = float(np.hypot(0.5 / np.sqrt(3.0) * 2.7955, 1.0))
AXIS_KNOWN = {"driver": True}


def one(guide: Guide, tool: object, other: object, capture_ns: int = 1) -> GuidanceState:
    (state,) = guide.guide([tool, other], capture_ns)
    return state


def test_by_hand() -> None:
    state = one(Guide(plan(), AXIS_KNOWN), driver([2.0, 0.0, 10.0]), patient())
    assert (state.validity, state.reason, state.trajectory) == (Validity.VALID, "", "left")
    assert state.to_plan.lateral_mm == pytest.approx(2.0)
    assert state.to_plan.depth_mm == pytest.approx(10.0)
    assert state.to_plan.remaining_mm == pytest.approx(30.0)
    assert state.to_plan.angle_rad == pytest.approx(0.0, abs=1e-6)
    assert state.error_mm == pytest.approx(ERROR_MM, abs=1e-3)
    (risk,) = state.risks
    # The ball of 10 mm about (20, 0, 30): its middle is 18 mm aside and 20 mm deeper.
    assert risk.distance_mm == pytest.approx(np.hypot(18.0, 20.0) - 10.0, abs=0.1)
    assert risk.left_mm == pytest.approx(risk.distance_mm - ERROR_MM, abs=1e-3)
    assert risk.level is AlertLevel.CLEAR
    # 2 mm aside in a wall of 2 mm: just touching it.
    assert state.screw.breach_mm == pytest.approx(0.0, abs=0.1)


def test_alerts_act_on_the_distance_less_the_error() -> None:
    guide = Guide(plan(), AXIS_KNOWN)
    near = [20.0, 0.0, 30.0 - 10.0 - 3.0]  # 3 mm in front of the ball
    assert one(guide, driver(near), patient()).risks[0].level is AlertLevel.WARNING
    assert one(guide, driver(near, error_rms_mm=4.0), patient()).risks[0].level is AlertLevel.BREACH


def test_the_error_towards_a_structure_is_what_counts() -> None:
    """The covariance is along the axes of the reference; what is wide in ct's x does not count along z."""
    turn = T_REFERENCE_CT.rotation_matrix
    covariance = turn @ np.diag([4.0, 0.04, 0.01]) @ turn.T
    state = replace(driver([20.0, 0.0, 10.0]), covariance_mm2=covariance)
    (risk,) = one(Guide(plan(), AXIS_KNOWN), state, patient()).risks
    along_z_mm = 0.1 * 2.7955
    assert risk.distance_mm - risk.left_mm == pytest.approx(along_z_mm, abs=0.01)
    aside = replace(driver([0.0, 0.0, 30.0]), covariance_mm2=covariance)
    found = one(Guide(plan(), AXIS_KNOWN), aside, patient())
    assert found.risks[0].distance_mm - found.risks[0].left_mm == pytest.approx(2.0 * 2.7955, abs=0.02)
    assert found.error_mm == pytest.approx(2.0 * 2.7955, abs=1e-3)


def test_without_a_calibrated_axis_there_is_no_angle_and_no_screw() -> None:
    state = one(Guide(plan(), {"driver": False}), driver([0.0, 0.0, -5.0]), patient())
    assert state.validity is Validity.VALID
    assert (state.to_plan.angle_rad, state.to_plan.entry_lateral_mm, state.screw) == (None, None, None)
    assert state.to_plan.depth_mm == pytest.approx(-5.0)


@pytest.mark.parametrize("tool", [Validity.SUSPECT, Validity.STALE, Validity.LOST])
def test_unless_the_tool_is_valid_there_is_a_reason_and_no_number(tool: Validity) -> None:
    state = one(Guide(plan(), AXIS_KNOWN), driver([0.0, 0.0, 0.0], validity=tool), patient())
    assert state == GuidanceState(tool="driver", validity=tool, reason=f"driver {tool.value}: covered")


@pytest.mark.parametrize("validity", [Validity.SUSPECT, Validity.STALE, Validity.LOST])
def test_unless_the_patient_is_valid_there_is_a_reason_and_no_number(validity: Validity) -> None:
    state = one(Guide(plan(), AXIS_KNOWN), driver([0.0, 0.0, 0.0]), patient(validity))
    assert state == GuidanceState(
        tool="driver", validity=validity, reason=f"patient {validity.value}: reference covered"
    )


def test_an_unknown_error_is_no_small_error() -> None:
    guide = Guide(plan(), AXIS_KNOWN)
    of_the_tool = one(guide, driver([0.0, 0.0, 0.0], error_rms_mm=None), patient())
    of_the_patient = one(guide, driver([0.0, 0.0, 0.0]), patient(error_p95_mm=None))
    assert (of_the_tool.validity, of_the_tool.risks) == (Validity.SUSPECT, ())
    assert "the error of the tip of 'driver' is not known" in of_the_tool.reason
    assert "the registration's error is not known" in of_the_patient.reason


def test_a_plan_with_a_problem_says_it_and_nothing_else() -> None:
    broken = SurgicalPlan((LEFT,), problem="the surface 'vessel' is not approved")
    state = one(Guide(broken, AXIS_KNOWN), driver([0.0, 0.0, 0.0]), patient())
    assert state == GuidanceState(tool="driver", validity=Validity.LOST, reason="the surface 'vessel' is not approved")


def test_of_several_trajectories_one_is_chosen_not_guessed() -> None:
    right = Trajectory("right", LEFT.entry_ct_mm - [30.0, 0.0, 0.0], LEFT.target_ct_mm - [30.0, 0.0, 0.0])
    guide = Guide(SurgicalPlan((LEFT, right), plan().at_risk, bone()), AXIS_KNOWN)
    before = one(guide, driver([-30.0, 0.0, 5.0]), patient())
    assert (before.trajectory, before.to_plan, before.screw) == ("", None, None)
    assert before.risks[0].distance_mm > 0.0, "what may be hit does not depend on the way"
    guide.follow("right")
    after = one(guide, driver([-30.0, 0.0, 5.0]), patient())
    assert (after.trajectory, after.to_plan.lateral_mm) == ("right", pytest.approx(0.0, abs=1e-9))
    guide.follow("nothing of that name")
    assert one(guide, driver([-30.0, 0.0, 5.0]), patient()).to_plan is None


def test_the_screw_is_judged_now_and_then() -> None:
    guide = Guide(plan(), AXIS_KNOWN)
    first = one(guide, driver([0.0, 0.0, 0.0]), patient(), 0)
    soon = one(guide, driver([4.5, 0.0, 0.0]), patient(), 99 * MS)
    later = one(guide, driver([4.5, 0.0, 0.0]), patient(), 100 * MS)
    assert (first.screw.grade, soon.screw, later.screw.grade) == (ScrewGrade.A, first.screw, ScrewGrade.C)
    assert one(guide, driver([30.0, 0.0, 0.0]), patient(), 101 * MS).screw is None, "far from the entry: no screw"
    back_in_time = one(guide, driver([0.0, 0.0, 0.0]), patient(), 50 * MS)
    assert back_in_time.screw.grade is ScrewGrade.A


NUMBERS = st.floats(-100.0, 100.0)
STATES = st.sampled_from(list(Validity))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, STATES, STATES), min_size=1, max_size=8))
def test_no_sequence_of_states_gives_numbers_without_validity(steps: list[tuple]) -> None:
    guide = Guide(plan(), AXIS_KNOWN)
    for number, (x, y, z, tool, other) in enumerate(steps):
        state = one(guide, driver([x, y, z], validity=tool), patient(other), number * 10 * MS)
        both = tool is Validity.VALID and other is Validity.VALID
        assert (state.validity is Validity.VALID) == both
        assert (state.to_plan is not None) == (state.error_mm is not None) == bool(state.risks) == both
        assert bool(state.reason) != both


def test_the_message_says_the_same() -> None:
    guide = Guide(plan(), AXIS_KNOWN)
    state = one(guide, driver([2.0, 0.0, 10.0]), patient())
    message = guidance_message([state])
    (tool,) = decode(type(message), memoryview(encode(message))).tools
    assert (tool.lateral_mm, tool.remaining_mm) == (state.to_plan.lateral_mm, state.to_plan.remaining_mm)
    assert tool.risks[0].level is state.risks[0].level
    assert tool.screw_grade is state.screw.grade
    told = plan_message(plan(), guide.followed)
    assert (told.followed, told.at_risk, told.trajectories[0].screw_diameter_mm) == ("left", ("vessel",), 6.0)
    # 40 mm along z of ct (superior) are 0.04 m along y of Unity.
    assert told.trajectories[0].target_m == pytest.approx((0.0, 0.04, 0.0))


def test_a_long_reason_is_cut_for_the_wire() -> None:
    message = guidance_message([GuidanceState(tool="driver", validity=Validity.LOST, reason="ü" * 2000)])
    assert len(decode(type(message), memoryview(encode(message))).tools[0].reason) == 250


def test_a_screw_that_misses_has_a_grade_and_no_number() -> None:
    guide = Guide(plan(), AXIS_KNOWN)
    state = one(guide, driver([15.0, 0.0, 0.0]), patient())
    (tool,) = guidance_message([state]).tools
    assert (tool.screw_grade, tool.screw_breach_mm) == (ScrewGrade.E, None)
