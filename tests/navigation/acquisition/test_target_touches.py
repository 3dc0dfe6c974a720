"""Touches of points that a headset shows, beside the tip that the tracker saw: kept, or refused in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.headset.touches import align_by_touches
from geometry.clock import ManualClock
from navigation.acquisition.target_touches import TargetTouches
from tests.calibration.headset.harness import SHOWN_MM, error_mm, truth
from unity_bridge.control.event_handler import Sender
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.messages import ClientEvent

SENDER = Sender("HoloLens 2", "")
TRUE = truth(np.random.default_rng(2))
STEP_NS = 20_000_000


class Session:
    """A tracker that sees the tip, and a headset that says where its points are."""

    def __init__(self) -> None:
        self.clock = ManualClock(50_000_000_000)
        self.touches = TargetTouches(SENDER.name, "stylus", self.clock)

    def hold(self, at_headset_mm: np.ndarray, frames: int = 40, drift_mm: float = 0.0) -> None:
        tip_mm = TRUE.inverse().apply(at_headset_mm)
        for number in range(frames):
            self.touches.see_tip(self.clock.now_ns(), tip_mm + [drift_mm * number / frames, 0.0, 0.0])
            self.clock.advance_ns(STEP_NS)

    def event(self, number: int) -> ClientEvent:
        x, y, z = points_to_unity(SHOWN_MM[number]).tolist()
        return ClientEvent(
            stream="run-1",
            number=number + 1,
            kind="target_touched",
            first_session="0" * 32,
            happened_ns=self.clock.now_ns(),
            name=str(number + 1),
            frame="headset",
            position_m=(x, y, z),
            tool="stylus",
            anchor="place-1",
        )

    def touch(self, number: int) -> str:
        self.hold(SHOWN_MM[number])
        return self.touches.handle(self.event(number), SENDER).note


def test_six_touches_give_the_pose_out_of_unitys_convention():
    session = Session()
    notes = [session.touch(number) for number in range(6)]
    assert notes[-1] == "point 6 is kept; 6 so far"
    assert error_mm(align_by_touches(session.touches.touches), TRUE) < 1e-3


def test_a_point_that_is_touched_again_replaces_itself_and_the_last_can_be_taken_back():
    session = Session()
    session.touch(0), session.touch(1), session.touch(0)
    assert [touch.name for touch in session.touches.touches] == ["2", "1"]
    session.touches.undo()
    assert [touch.name for touch in session.touches.touches] == ["2"]


def test_another_anchor_voids_what_was_touched_before():
    session = Session()
    session.touch(0), session.touch(1)
    session.hold(SHOWN_MM[2])
    session.touches.handle(replace(session.event(2), anchor="place-2"), SENDER)
    assert [touch.name for touch in session.touches.touches] == ["3"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "landmark_touched"}, "target_touched"),
        ({"tool": "pointer"}, "'pointer'"),
        ({"frame": "reference"}, "'reference'"),
        ({"anchor": None}, "anchor"),
        ({"happened_ns": None}, "without its time"),
        ({"happened_ns": 1}, "another time"),
    ],
)
def test_what_is_no_such_touch_is_refused(change, said):
    session = Session()
    session.hold(SHOWN_MM[0])
    with pytest.raises(EventRefusedError, match=said):
        session.touches.handle(replace(session.event(0), **change), SENDER)


def test_a_tip_that_moved_or_was_hidden_is_refused():
    session = Session()
    session.hold(SHOWN_MM[0], drift_mm=12.0)
    with pytest.raises(EventRefusedError, match="moved by"):
        session.touches.handle(session.event(0), SENDER)
    session.clock.advance_ns(2_000_000_000)
    with pytest.raises(EventRefusedError, match="saw the stylus 0 times"):
        session.touches.handle(session.event(0), SENDER)


def test_another_headset_is_refused():
    session = Session()
    session.hold(SHOWN_MM[0])
    with pytest.raises(EventRefusedError, match="'HoloLens 2'"):
        session.touches.handle(session.event(0), Sender("Quest", ""))
