"""Touches at a headset: taken as the stylus takes them, in a stated frame; what cannot be placed is declined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geometry import Transform
from geometry.clock import ManualClock
from geometry.errors import SurgNavError
from geometry.frames import HEADSET, REFERENCE
from navigation.acquisition.collect import AcquisitionSettings
from navigation.acquisition.headset_touches import HeadsetTouches
from navigation.devices.headset.desk import ObservationDesk
from tests.navigation.devices.headset.harness import NAME, device
from tests.navigation.devices.headset.player import pose
from unity_bridge.client.observation_link import seen, unseen
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.event_window import Outcome
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.messages import ClientEvent, ToolObservations

NOW_NS = 50_000_000_000
SENDER = Sender(NAME, "")
TIP = Transform.from_rotation(pose("stylus", 1).rotation, [3.0, -11.0, 140.0], "stylus", "stylus_tip")
T_HEADSET_REFERENCE, T_HEADSET_STYLUS = pose("reference", 1), pose("stylus", 2)
TIP_REFERENCE_MM = (T_HEADSET_REFERENCE.inverse() @ T_HEADSET_STYLUS @ TIP).translation_mm
TIP_HEADSET_MM = (T_HEADSET_STYLUS @ TIP).translation_mm
VIEW = ToolObservations(
    frame=HEADSET,
    anchor="place-1",
    number=1,
    seen_ns=NOW_NS - 5_000_000,
    clock_error_ns=0,
    tools=(seen("Reference", T_HEADSET_REFERENCE), seen("Stylus", T_HEADSET_STYLUS)),
)


def metres(point_mm: np.ndarray) -> tuple[float, ...]:
    return tuple(points_to_unity(point_mm).tolist())


TOUCH = ClientEvent(
    stream="run-1",
    number=4,
    kind="landmark_touched",
    first_session="0" * 32,
    happened_ns=NOW_NS,
    name="xiphoid",
    frame=REFERENCE,
    position_m=metres(TIP_REFERENCE_MM),
    tool="Stylus",
    person="Dr Test",
    spread_mm=0.3,
    samples=36,
)


class Host:
    """The part of a host that touches need: the desk, and who is told what."""

    def __init__(self) -> None:
        self.desk = ObservationDesk(lambda name, message: None, lambda name, reason: None)
        self.settled: list[tuple[int, Outcome]] = []

    def settle(self, key: str, stream: str, number: int, outcome: Outcome) -> None:
        self.settled.append((number, outcome))


class Room:
    """A headset that has seen reference and stylus, and a session that takes its touches."""

    def __init__(self, view: ToolObservations = VIEW, tip: Transform | None = TIP) -> None:
        headset = device(5572, takes_touches=True)
        stylus = next(tool for tool in headset.tools if tool.name == "stylus")
        self.host = Host()
        self.host.desk.expect(NAME, headset)
        self.host.desk.take(view, SENDER, "run-1", NOW_NS)
        clock = ManualClock(NOW_NS)
        self.touches = HeadsetTouches(headset, stylus, ("xiphoid", "navel"), AcquisitionSettings(), clock)
        self.touches.begin(self.host, lambda: tip)


@pytest.mark.parametrize(
    "changes",
    [{}, {"frame": HEADSET, "anchor": "place-1", "position_m": metres(TIP_HEADSET_MM)}],
)
def test_a_touch_is_in_reference_in_whatever_frame_it_was_stated(changes):
    room = Room()
    room.touches.handle(replace(TOUCH, **changes), SENDER)
    touch = room.touches.take()
    np.testing.assert_allclose(touch.touched.point_reference_mm, TIP_REFERENCE_MM, atol=1e-9)
    assert (touch.touched.spread_rms_mm, touch.touched.n_frames) == (0.3, 36)
    assert (touch.landmark, touch.frame, touch.client) == ("xiphoid", changes.get("frame", REFERENCE), NAME)
    assert not room.touches.is_waiting


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "select_target"}, "'landmark_touched' while a patient is registered"),
        ({"name": "xiphoit"}, "the landmark 'xiphoit'; expected one of navel, xiphoid. Fix: write 'xiphoid'"),
        ({"tool": "Stylos"}, "the stylus 'Stylos'; expected one of Stylus. Fix: write 'Stylus'"),
        ({"spread_mm": 0.6}, "36 samples with a spread of 0.60 mm; expected 36 samples or more, within 0.6 mm"),
        ({"spread_mm": -1.0}, "a spread of -1.00 mm"),
        ({"samples": 35}, "a touch of 35 samples"),
        ({"spread_mm": None}, "without its position, time, spread or number of samples"),
        ({"happened_ns": None}, "without its position, time"),
        ({"happened_ns": NOW_NS - 11_000_000_000}, "a touch made 11.0 s ago"),
        ({"happened_ns": NOW_NS + 60_000_000}, "a touch made -0.1 s ago"),
        ({"happened_ns": NOW_NS - 200_000_000}, "did not see Reference and Stylus"),
        ({"frame": "ct"}, "a touch in the frame 'ct'; expected 'reference', or 'headset' under the anchor"),
        ({"frame": HEADSET}, "a touch in the frame 'headset'"),
        ({"frame": HEADSET, "anchor": "place-2"}, "under the anchor 'place-2'"),
        ({"position_m": metres(TIP_REFERENCE_MM + [2.0, 2.0, 2.0])}, "a touch 3.5 mm from where the calibrated tip"),
        ({"frame": HEADSET, "anchor": "place-1"}, "from where the calibrated tip was then"),
    ],
)
def test_what_the_stylus_would_not_measure_is_declined(changes, said):
    room = Room()
    with pytest.raises(SurgNavError) as refusal:
        room.touches.handle(replace(TOUCH, **changes), SENDER)
    assert said in str(refusal.value)
    assert not room.touches.is_waiting


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (
            Room(replace(VIEW, tools=(unseen("Reference", "covered"), VIEW.tools[1]))),
            "while the headset did not see Reference; expected Reference and Stylus in sight",
        ),
        (Room(replace(VIEW, tools=VIEW.tools[:1])), "did not see Stylus"),
        (Room(tip=None), "whose tip is not calibrated"),
    ],
)
def test_a_touch_is_checked_by_what_the_headset_saw_then(room, said):
    with pytest.raises(SurgNavError, match=said):
        room.touches.handle(TOUCH, SENDER)


def test_another_headset_is_not_this_one():
    room = Room()
    room.host.desk.expect("quest", device(5572, "quest"))
    with pytest.raises(SurgNavError, match="touches from the headset 'hololens'"):
        room.touches.handle(TOUCH, Sender("quest", ""))


def test_what_nobody_takes_any_more_is_refused():
    room = Room()
    room.touches.handle(TOUCH, SENDER)
    room.touches.end()
    [(number, outcome)] = room.host.settled
    assert (number, outcome.error.came) == (4, "a touch at the end of the session")
