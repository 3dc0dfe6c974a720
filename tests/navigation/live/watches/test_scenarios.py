"""The shipped scenarios, as nobody told the watches: when the state turns, and on what evidence it comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometry.frames import CT, REFERENCE, STYLUS
from geometry.points import Floats
from navigation.devices.tracker import TrackerFrame
from navigation.live.pose_graph import PATIENT
from navigation.live.watches.divot import DivotWatch
from navigation.simulation.actions import Script, StylusPosture
from navigation.simulation.operating_room import DRIVER
from navigation.simulation.scenario import BentStylus, BumpedReference, ClockJump, Occlusion, Scenario, SwappedTools
from tests.navigation.live.watches.watched_room import WatchedRoom, is_not_valid, is_valid, shipped
from unity_bridge.wire.envelope import Validity

FRAME_S = 0.011  # one frame at 100 Hz, and the time that a float rounds away
BUMP = Scenario(name="a bump", bumped_reference=(BumpedReference(from_s=4.0, translation_mm=(4.0, 0.0, 0.0)),))


def test_a_bumped_reference_is_noticed_in_its_frame_and_nothing_on_it_is_valid_until_a_touch_verifies_it() -> None:
    room = WatchedRoom(shipped("bumped_reference"))
    room.step_to(14.0)
    for tool in (REFERENCE, STYLUS, DRIVER, PATIENT):
        assert room.seen.first_s(tool, is_valid, 5.0) is not None
        noticed_s = room.seen.first_s(tool, lambda state: "it jumped by 6" in state.reason, 10.0)
        assert noticed_s is not None
        assert noticed_s < 10.0 + FRAME_S
        assert Validity.VALID not in room.seen.validities(tool, 10.0, 14.0)
    room.watches.vouch((REFERENCE, STYLUS))
    room.step_to(15.0)
    again_s = room.seen.first_s(PATIENT, is_valid, 14.0)
    assert again_s is not None
    assert 14.0 < again_s < 14.2


def test_a_hand_that_covers_the_reference_while_it_bumps_it_hides_nothing() -> None:
    covered = Occlusion(tool=REFERENCE, from_s=3.9, to_s=4.1)
    room = WatchedRoom(BUMP.model_copy(update={"occlusion": (covered,)}))
    room.step_to(5.0)
    assert "it jumped by 4" in room.seen.states[-1][PATIENT].reason


def test_what_the_process_before_held_is_held_from_the_first_frame_on_until_it_is_settled() -> None:
    room = WatchedRoom(Scenario(name="nothing happens"))
    room.watches.hold({REFERENCE: "it jumped"})
    room.step_to(1.0)
    assert Validity.VALID not in room.seen.validities(PATIENT, 0.0, 1.0)
    assert room.watches.held == {REFERENCE: "it jumped"}
    room.watches.vouch((REFERENCE,))
    room.step_to(1.5)
    assert room.seen.first_s(PATIENT, is_valid, 1.0) is not None


def test_a_new_registration_settles_a_bump_and_the_same_one_again_does_not() -> None:
    room = WatchedRoom(BUMP)
    room.step_to(5.0)
    room.watches.follow(room.graph)
    room.step_to(6.0)
    assert Validity.VALID not in room.seen.validities(PATIENT, 4.0, 6.0)
    accepted = room.graph.registration
    assert accepted is not None
    room.watches.follow(replace(room.graph, registration=replace(accepted, registration_id="r-0002")))
    room.step_to(7.0)
    assert room.seen.first_s(PATIENT, is_valid, 6.0) is not None


def test_a_reference_that_was_measured_wrongly_for_a_moment_is_not_bumped() -> None:
    wrong = BumpedReference(from_s=4.0, to_s=4.05, rotation_deg=(0.0, 8.0, 0.0))
    room = WatchedRoom(Scenario(name="a wrong frame", bumped_reference=(wrong,)))
    room.step_to(5.0)
    assert Validity.VALID not in room.seen.validities(STYLUS, 4.0, 4.05)
    assert room.seen.first_s(REFERENCE, is_valid, 4.0) == pytest.approx(4.1, abs=0.05)


def test_swapped_tools_are_both_doubted_from_the_first_frame_on_and_what_was_out_of_sight_is_not_believed_again() -> (
    None
):
    room = WatchedRoom(shipped("swapped_tools"))
    room.step_to(17.0)
    assert [state["stylus"].reason for state in room.seen.states if "occluded" in state["stylus"].reason]
    for tool, other in ((STYLUS, DRIVER), (DRIVER, STYLUS)):
        assert Validity.VALID not in room.seen.validities(tool, 10.0, 15.0)
        noticed_s = room.seen.first_s(tool, lambda state, it=other: f"it and {it} exchanged" in state.reason, 10.0)
        assert noticed_s is not None
        assert noticed_s < 10.0 + FRAME_S
        assert room.seen.first_s(tool, is_valid, 15.0) is None
    assert room.seen.validities(REFERENCE, 10.0, 15.0).count(Validity.VALID) > 450


@pytest.mark.parametrize("names", [(STYLUS,), (STYLUS, DRIVER)])
def test_swapped_tools_are_told_apart_by_resting_the_tip_of_each_in_the_divot(names: tuple[str, ...]) -> None:
    """Whether they are back they may have been out of sight; the driver rests in a divot of its own, where it lies."""
    swap = SwappedTools(from_s=2.0, to_s=2.5, tools=(STYLUS, DRIVER))
    hidden = Occlusion(tool=STYLUS, from_s=2.2, to_s=2.8)
    room = WatchedRoom(Scenario(name="a swap", swapped_tools=(swap,), occlusion=(hidden,)))
    room.step_to(4.0)
    for tool in (STYLUS, DRIVER):
        assert Validity.VALID not in room.seen.validities(tool, 2.0, 4.0)
    frame = room.loop._frames.order.newest
    for name in names:
        rests = DivotWatch(in_reference(frame, name), {name: (np.zeros(3), 0.3)}, room.watches.vouch)
        for number in range(60):
            rests.note(replace(frame, capture_ns=frame.capture_ns + number * 10_000_000), 0)
    room.step_to(5.0)
    for tool in (STYLUS, DRIVER):
        assert (Validity.VALID in room.seen.validities(tool, 4.0, 5.0)) == (tool in names)


def in_reference(frame: TrackerFrame, tool: str) -> Floats:
    T_tracker_reference, T_tracker_tool = (frame.tools[name].T_tracker_tool for name in (REFERENCE, tool))
    return (T_tracker_reference.inverse() @ T_tracker_tool).translation_mm


def test_swapped_tools_that_are_seen_to_go_back_are_believed_again() -> None:
    swap = SwappedTools(from_s=2.0, to_s=2.5, tools=(STYLUS, DRIVER))
    room = WatchedRoom(Scenario(name="a short swap", swapped_tools=(swap,)))
    room.step_to(3.0)
    for tool in (STYLUS, DRIVER):
        assert Validity.VALID not in room.seen.validities(tool, 2.0, 2.5)
        assert room.seen.first_s(tool, is_valid, 2.5) == pytest.approx(2.53, abs=0.02)


def test_a_camera_that_is_moved_cancels_and_nothing_is_doubted() -> None:
    room = WatchedRoom(shipped("moved_camera"))
    room.step_to(12.0)
    assert not [state.reason for each in room.seen.states for state in each.values() if "jumped" in state.reason]
    assert room.seen.validities(STYLUS, 10.0, 12.0).count(Validity.VALID) > 100


def test_tools_of_a_device_that_stands_elsewhere_are_doubted_once_the_camera_was_moved() -> None:
    room = WatchedRoom(shipped("moved_camera"))
    room.watches._jumps._standing = ("probe",)
    room.step_to(11.0)
    assert room.watches.camera_moves == 1
    (doubt,) = room.watches._jumps.doubts(0).values()
    assert "the camera that sees the reference was moved" in doubt.reason


def test_a_bent_tip_is_noticed_when_it_next_rests_in_the_divot_and_settled_when_it_rests_there_as_calibrated() -> None:
    """Bent from 4 to 9 s; it rests in the divot at 2, at 6 and at 11 s, for one second each."""
    bent = Scenario(name="bent", bent_stylus=(BentStylus(from_s=4.0, to_s=9.0, tip_mm=(8.0, 0.0, 0.0)),))
    divot_mm = (12.0, -20.0, 5.0)
    room = WatchedRoom(bent, action=Script(()), divot_mm=divot_mm)
    rest = AtDivot(room.room.T_reference_ct.inverse().apply(np.array(divot_mm)))
    action = Script(((2.0, 1.0, rest), (4.5, 1.0, Elsewhere(rest)), (6.0, 1.0, rest), (11.0, 3.0, rest)))
    room = WatchedRoom(bent, action=action, divot_mm=divot_mm)
    room.step_to(13.5)
    assert room.seen.validities(STYLUS, 2.0, 3.0).count(Validity.VALID) > 80
    noticed_s = room.seen.first_s(STYLUS, lambda state: "from the divot" in state.reason, 0.0)
    assert noticed_s == pytest.approx(6.5, abs=0.15)
    assert Validity.VALID not in room.seen.validities(STYLUS, noticed_s, 11.4)
    again_s = room.seen.first_s(STYLUS, is_valid, 11.0)
    assert again_s == pytest.approx(11.5, abs=0.15)


class AtDivot:
    """The tip rests on a point of the patient's frame while the tool is tilted a little."""

    def __init__(self, point_ct_mm: Floats) -> None:
        self.point_ct_mm = point_ct_mm

    def posture(self, t_s: float) -> StylusPosture | None:
        shaft = np.array([0.25 * np.sin(3.0 * t_s), -1.0, 0.2])
        return StylusPosture(CT, self.point_ct_mm, shaft / np.linalg.norm(shaft))


class Elsewhere(AtDivot):
    """It rests 60 mm beside the divot: that says nothing about the tip."""

    def __init__(self, divot: AtDivot) -> None:
        super().__init__(divot.point_ct_mm + [60.0, 0.0, 0.0])


@pytest.mark.parametrize("jump_ms", [30.0, 60.0, 95.0])
def test_a_clock_that_jumps_ahead_hides_no_age(jump_ms: float) -> None:
    jumps = Scenario(name="a clock", clock_jump=(ClockJump(from_s=4.0, to_s=6.0, jump_ms=jump_ms),))
    room = WatchedRoom(jumps)
    room.step_to(9.0)
    for tool in (REFERENCE, STYLUS, PATIENT):
        noticed_s = room.seen.first_s(tool, is_not_valid, 4.0)
        assert noticed_s is not None
        assert noticed_s < 4.0 + FRAME_S
        assert Validity.VALID not in room.seen.validities(tool, 4.0, 6.0)
    assert room.seen.first_s(REFERENCE, is_valid, 6.0) == pytest.approx(6.25, abs=0.1)


def test_nothing_is_doubted_by_a_watch_in_twenty_quiet_seconds_of_three_rooms() -> None:
    for seed in (1, 2, 3):
        room = WatchedRoom(Scenario(name="nothing happens"), seed=seed)
        room.step_to(20.0)
        said = {state.reason for each in room.seen.states for state in each.values()}
        known = ("", "occluded", "found again, settling")
        assert {reason.rpartition(": ")[2] for reason in said} <= set(known)
