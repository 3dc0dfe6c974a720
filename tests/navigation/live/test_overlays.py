"""What a headset is told of its calibration, message by message; no sockets, no threads."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from geometry import Transform
from geometry.clock import ManualClock
from navigation.devices.headset.desk import ObservationDesk
from navigation.live.overlays import Overlays
from tests.navigation.live.racked import ANCHOR, calibrated, devices, racked
from unity_bridge.control.event_handler import Sender
from unity_bridge.errors import ObservationsRefusedError
from unity_bridge.wire.convention import UnityPose, pose_from_unity
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import HeadsetAlignment, ToolObservations

NOW = datetime(2026, 11, 27, 12, 15, tzinfo=UTC)


class Room:
    """Whose headset is called 'HoloLens 2' by its program."""

    def __init__(self, rack: Path | None) -> None:
        self.clock = ManualClock(10_000_000_000)
        desk = ObservationDesk(lambda device, message: None, lambda device, reason: None)
        room = devices("HoloLens 2")
        desk.expect("HoloLens 2", room[1])
        self.overlays = Overlays(desk, room, rack, self.clock, lambda: NOW)
        self._number = 0

    def hear(self, anchor: str = ANCHOR, after_s: float = 0.1, name: str = "HoloLens 2") -> HeadsetAlignment | None:
        self.clock.advance_ns(round(after_s * 1e9))
        self._number += 1
        now_ns = self.clock.now_ns()
        seen = ToolObservations(
            frame="headset", anchor=anchor, number=self._number, seen_ns=now_ns, clock_error_ns=0, tools=()
        )
        return self.overlays.take(seen, Sender(name, ""), "run-1", now_ns)

    def lines(self, after_s: float = 1.0) -> list[tuple[str, bool]]:
        self.clock.advance_ns(round(after_s * 1e9))
        return list(self.overlays.lines())


@pytest.fixture
def rack(tmp_path: Path) -> Path:
    return tmp_path / "rack"


def test_a_calibrated_headset_is_told_where_the_tracker_is(rack: Path) -> None:
    T_headset_tracker = racked(rack)
    answer = Room(rack).hear()
    assert (answer.validity, answer.anchor, answer.reason) == (Validity.VALID, ANCHOR, "")
    assert answer.calibrated == "2026-11-27T09:15:00+00:00, 3 hours old"
    pose = UnityPose(np.array(answer.position_m), np.array(answer.rotation_xyzw), "headset", "tracker")
    np.testing.assert_allclose(pose_from_unity(pose).matrix, T_headset_tracker.matrix, atol=1e-9)
    _, result = calibrated()
    assert answer.expected_p95_mm == result.numbers["expected_error_p95_mm"]


def test_what_the_operator_reads(rack: Path) -> None:
    racked(rack)
    room = Room(rack)
    assert [("it is waited for" in line, bad) for line, bad in room.lines()] == [(True, False)]
    room.hear()
    (line, bad), *rest = room.lines()
    assert ("'hololens' shows the overlay" in line, "3 hours old" in line, bad, rest) == (True, True, False, [])
    assert room.lines() == []
    (line, bad), *_ = room.lines(after_s=5.0)
    assert (line.startswith("'hololens' shows no overlay: the headset is silent for"), bad) == (True, True)


def test_a_headset_that_slept_stays_hidden_until_it_is_calibrated_anew(rack: Path) -> None:
    racked(rack)
    room = Room(rack)
    assert room.hear().validity is Validity.VALID
    for _ in range(3):  # it does not get better by being repeated
        answer = room.hear(after_s=4.0)
        assert (answer.validity, answer.position_m, answer.anchor) == (Validity.LOST, None, "")
        assert "silent for 4.0 s and may have slept" in answer.reason
        assert "calibrate it anew" in answer.reason
    assert room.hear().validity is Validity.LOST
    racked(rack, made="2026-11-27T12:00:00+00:00", seed=2)
    assert any("2026-11-27T12:00:00" in line for line, _ in room.lines())
    assert room.hear(after_s=0.1).validity is Validity.VALID


def test_a_headset_that_has_placed_its_world_anew_is_hidden_for_good(rack: Path) -> None:
    racked(rack)
    room = Room(rack)
    room.hear()
    answer = room.hear("anchor-2")
    assert (answer.validity, answer.position_m) == (Validity.LOST, None)
    assert "placed its world anew. Fix: calibrate the headset anew" in answer.reason
    assert room.hear(ANCHOR).validity is Validity.LOST
    assert any("placed its world anew" in line and bad for line, bad in room.lines())


def test_a_camera_that_was_moved_ends_the_overlay_until_it_is_calibrated_anew(rack: Path) -> None:
    racked(rack)
    room = Room(rack)
    room.hear()
    room.overlays.camera_moved()
    answer = room.hear()
    assert (answer.validity, answer.position_m) == (Validity.LOST, None)
    assert "the tracking camera was moved after it was calibrated" in answer.reason
    assert any("the tracking camera was moved" in line and bad for line, bad in room.lines())
    racked(rack, made="2026-11-27T12:10:00+00:00", seed=2)
    room.lines()
    assert room.hear().validity is Validity.LOST, "it was made before the camera was moved, at 12:15"
    racked(rack, made="2026-11-27T12:20:00+00:00", seed=3)
    room.lines()
    assert room.hear().validity is Validity.VALID


def doubted(rack: Path) -> tuple[Room, Transform]:
    """A headset that was silent for too long, and where it has the tracker."""
    T_headset_tracker, room = racked(rack), Room(rack)
    room.hear()
    assert room.hear(after_s=4.0).validity is Validity.LOST
    return room, T_headset_tracker


TIP_TRACKER_MM = np.array([30.0, -20.0, 1500.0])
SENDER = Sender("HoloLens 2", "")


def test_the_touch_of_a_point_that_it_shows_settles_the_doubt_of_its_anchor(rack: Path) -> None:
    room, T_headset_tracker = doubted(rack)
    near_mm = T_headset_tracker.apply(TIP_TRACKER_MM) + [1.0, -1.0, 0.5]
    said = room.overlays.point_touched(SENDER, near_mm, TIP_TRACKER_MM, ANCHOR)
    assert "1.5 mm off; 95 of 100 are within" in said
    assert room.hear().validity is Validity.VALID
    assert [state for _, state, _ in room.overlays.states] == [Validity.VALID]


@pytest.mark.parametrize("wrong", ["far", "anchor", "camera"])
def test_a_touch_that_does_not_fit_or_of_another_world_settles_nothing(rack: Path, wrong: str) -> None:
    room, T_headset_tracker = doubted(rack)
    if wrong == "camera":
        room.overlays.camera_moved()
    shown_mm = T_headset_tracker.apply(TIP_TRACKER_MM) + [25.0 if wrong == "far" else 0.0, 0.0, 0.0]
    said = room.overlays.point_touched(SENDER, shown_mm, TIP_TRACKER_MM, "anchor-2" if wrong == "anchor" else ANCHOR)
    assert "calibrate the headset anew" in said
    assert room.hear().validity is Validity.LOST
    assert [state for _, state, _ in room.overlays.states] == [Validity.LOST]


def test_an_overlay_has_a_state_with_its_reason_as_a_tool_has(rack: Path) -> None:
    def state() -> tuple[str, Validity, str]:
        ((name, validity, reason),) = room.overlays.states
        assert (reason == "") == (validity is Validity.VALID)
        return name, validity, reason

    room = Room(rack)
    assert state()[:2] == ("hololens overlay", Validity.LOST)
    racked(rack)
    room.lines()
    assert "nothing was heard of the headset yet" in state()[2]
    room.hear()
    assert state()[1] is Validity.VALID
    room.lines(after_s=5.0)
    assert state()[1] is Validity.SUSPECT
    assert "silent for 5.0 s" in state()[2]
    room.hear("anchor-2")
    assert state()[1] is Validity.LOST


def test_without_a_calibration_it_is_said_where_one_is_looked_for(rack: Path) -> None:
    for room, said in (
        (Room(None), "names no rack"),
        (Room(rack), "no accepted calibration of 'hololens' in rack. Fix: calibrate it: surgnav calibrate headset"),
    ):
        answer = room.hear()
        assert (answer.validity, said in answer.reason, answer.calibrated) == (Validity.LOST, True, "")
        assert [(said in line, bad) for line, bad in room.lines()] == [(True, True)]


def test_the_calibration_of_another_headset_is_not_taken(rack: Path) -> None:
    racked(rack, "quest")
    assert "in rack, which has those of quest" in Room(rack).hear().reason
    shutil.copytree(rack / "quest", rack / "hololens")  # by hand, under the name of this one
    answer = Room(rack).hear()
    assert (answer.validity, answer.position_m) == (Validity.LOST, None)
    assert "the headset_to_tracker calibration of quest in hololens" in answer.reason


def test_a_damaged_calibration_is_not_passed_over(rack: Path) -> None:
    racked(rack)
    (rack / "hololens" / "headset_to_tracker" / "2026-11-27T110000Z.json").write_text("{")
    assert "2026-11-27T110000Z.json with" in Room(rack).hear().reason


def test_a_headset_that_leads_the_room_is_not_answered(rack: Path) -> None:
    racked(rack)
    room = Room(rack)
    desk = ObservationDesk(lambda device, message: None, lambda device, reason: None)
    leads = devices("HoloLens 2")[::-1]
    desk.expect("HoloLens 2", leads[0])
    room.overlays = Overlays(desk, leads, rack, room.clock, lambda: NOW)
    assert room.hear() is None
    assert room.lines() == []


def test_who_is_not_in_the_room_is_refused(rack: Path) -> None:
    with pytest.raises(ObservationsRefusedError):
        Room(rack).hear(name="Quest 3")
