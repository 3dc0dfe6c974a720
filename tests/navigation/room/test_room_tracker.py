"""Devices of a room as one tracker: poses in one frame, each tool with its own time, and devices that go away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.clock import VirtualClock
from navigation.devices.driver import AssumedNoise
from navigation.devices.tracker import (
    CONNECTED,
    Connection,
    DeviceState,
    ToolObservation,
    TrackerFrame,
    Visibility,
)
from navigation.errors import RoomError
from navigation.live.supervisor import Supervisor
from navigation.live.timeline.timelines import Timelines
from navigation.room.opening import choose_room
from navigation.room.read_room import read_room
from navigation.room.room import Room
from navigation.room.room_tracker import RoomTracker
from tests.navigation.devices.scripted import device, seen
from unity_bridge.wire.envelope import Validity

MS = 1_000_000
CLAMP = "clamp"
T_TRACKER_WEBCAM = Transform.from_rotation(
    Rotation.from_euler("y", 90.0, degrees=True), [900.0, 0.0, 50.0], TRACKER, "webcam_tracker"
)
GONE = DeviceState(Connection.GONE, "unplugged")


class Told:
    """Satisfies `Tracker` with the frames and the state that it is told."""

    rate_hz = 100.0

    def __init__(self, *tools: str) -> None:
        self.tools, self.state, self.frame = tools, CONNECTED, None
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        frame, self.frame = self.frame, None
        return frame


class TwoDevices:
    def __init__(self) -> None:
        self.clock = VirtualClock(1000 * MS)
        self.polaris, self.webcam = Told(REFERENCE, STYLUS), Told(CLAMP)
        self.number = 0
        leading = device(REFERENCE, STYLUS, name="polaris")
        following = device(CLAMP, name="webcam", T_tracker_device=T_TRACKER_WEBCAM)
        self.room = RoomTracker([(leading, self.polaris), (following, self.webcam)], self.clock)

    def frame(self) -> TrackerFrame | None:
        """The leading device has taken a frame now."""
        self.number += 1
        tools = {REFERENCE: seen(REFERENCE), STYLUS: seen(STYLUS)}
        self.polaris.frame = TrackerFrame(self.number, self.clock.now_ns(), tools)
        return self.room.next_frame(0)

    def webcam_sees(self, observation: ToolObservation | None = None) -> None:
        self.webcam_taken_ns = self.clock.now_ns()
        self.webcam.frame = TrackerFrame(1, self.clock.now_ns(), {CLAMP: observation or seen(CLAMP)})


@pytest.fixture
def two() -> TwoDevices:
    return TwoDevices()


def test_the_other_devices_tools_are_in_the_frame_of_the_leading_one_with_their_own_time(two: TwoDevices) -> None:
    covariance = np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    pose = Transform.from_rotation(Rotation.identity(), [10.0, 20.0, 1000.0], TRACKER, CLAMP)
    two.webcam_sees(ToolObservation(Visibility.VISIBLE, pose, 0.2, covariance=covariance))
    captured_ns = two.clock.now_ns()
    two.clock.advance_ns(7 * MS)
    clamp = two.frame().tools[CLAMP]
    # A quarter turn about y takes x to -z and z to x.
    np.testing.assert_allclose(clamp.T_tracker_tool.translation_mm, [900.0 + 1000.0, 20.0, 50.0 - 10.0])
    assert (clamp.T_tracker_tool.to_frame, clamp.T_tracker_tool.from_frame) == (TRACKER, CLAMP)
    np.testing.assert_allclose(np.diag(clamp.covariance), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0])
    assert clamp.capture_ns == captured_ns
    assert two.room.tools == (REFERENCE, STYLUS, CLAMP)
    assert set(two.room.states) == {"polaris", "webcam"}


def test_tools_of_a_device_on_the_reference_are_where_it_saw_them_from_there_whenever_that_was(
    two: TwoDevices,
) -> None:
    on_it = replace(device(CLAMP, name="headset"), is_on_reference=True)
    room = RoomTracker([(device(REFERENCE, STYLUS, name="polaris"), two.polaris), (on_it, two.webcam)], two.clock)
    two.webcam_sees(seen(CLAMP, 8.0))
    timelines = Timelines()
    for x_mm in (100.0, 700.0):
        two.clock.advance_ns(10 * MS)
        two.polaris.frame = TrackerFrame(1 + round(x_mm), two.clock.now_ns(), {REFERENCE: seen(REFERENCE, x_mm)})
        frame = room.next_frame(0)
        timelines.note(frame, frame.capture_ns)
        found = timelines.newest(CLAMP)
        np.testing.assert_allclose(found.T_reference_tool.translation_mm, [8.0, 0.0, 1000.0], atol=1e-9)
        assert found.capture_ns == two.webcam_taken_ns


def test_a_device_that_says_nothing_more_ages_by_its_own_time_while_the_others_are_valid(two: TwoDevices) -> None:
    supervisor = Supervisor(two.room.tools)
    states = []
    for step in range(40):
        if step < 5:
            two.webcam_sees()
        judged = supervisor.judge(two.frame(), two.clock.now_ns())
        states.append(judged[CLAMP].validity)
        assert step < 3 or judged[STYLUS].validity is Validity.VALID
        two.clock.advance_ns(10 * MS)
    # The last was taken at step 4: 100 ms old at step 14, 250 ms at step 29.
    assert states[4:15] == [Validity.VALID] * 11
    assert states[15:30] == [Validity.STALE] * 15
    assert states[30:] == [Validity.LOST] * 10


def test_tools_of_a_device_that_is_gone_are_not_seen_and_say_why(two: TwoDevices) -> None:
    assert two.frame().tools[CLAMP].why == "webcam nothing has come from it yet"
    two.webcam_sees()
    assert two.frame().tools[CLAMP].visibility is Visibility.VISIBLE
    two.webcam.state = GONE
    clamp = two.frame().tools[CLAMP]
    assert (clamp.visibility, clamp.why) == (Visibility.NO_DATA, "webcam gone: unplugged")
    two.webcam.state = CONNECTED
    assert two.frame().tools[CLAMP].visibility is Visibility.NO_DATA, "what was seen before it went is not seen now"
    two.webcam_sees()
    assert two.frame().tools[CLAMP].visibility is Visibility.VISIBLE


def test_when_the_leading_device_is_gone_its_tools_say_why_and_frames_go_on(two: TwoDevices) -> None:
    supervisor = Supervisor(two.room.tools)
    for _ in range(3):
        judged = supervisor.judge(two.frame(), two.clock.now_ns())
        two.clock.advance_ns(10 * MS)
    assert judged[STYLUS].validity is Validity.VALID
    two.polaris.state = GONE
    assert two.room.next_frame(0) is None, "asked without waiting, nothing is made up"
    absent = two.room.next_frame(20 * MS)
    judged = supervisor.judge(absent, two.clock.now_ns())
    assert (judged[STYLUS].validity, judged[STYLUS].reason) == (Validity.LOST, "polaris gone: unplugged")
    two.clock.advance_ns(500 * MS)
    two.polaris.state, two.number = CONNECTED, 0  # it counts from the start
    states = []
    for _ in range(3):
        frame = two.frame()
        assert frame.sequence > 0
        states.append(supervisor.judge(frame, two.clock.now_ns())[STYLUS].validity)
        two.clock.advance_ns(10 * MS)
    assert states == [Validity.SUSPECT, Validity.SUSPECT, Validity.VALID]


def test_all_devices_are_started_and_stopped(two: TwoDevices) -> None:
    two.room.start()
    assert two.polaris.running
    assert two.webcam.running
    two.room.stop()
    assert not two.polaris.running
    assert not two.webcam.running


def shipped() -> Room:
    return choose_room("simulated", None, None)


def test_one_room_is_chosen() -> None:
    assert shipped().is_simulated
    for tracker, path in ((None, None), ("simulated", Path("or.toml"))):
        with pytest.raises(RoomError, match="choose one of the two"):
            choose_room(tracker, path, None)
    with pytest.raises(RoomError, match=r"--room or\.toml"):
        choose_room("polaris", None, None)


def test_a_room_file_says_the_same_as_the_short_form(tmp_path: Path) -> None:
    copy = tmp_path / "or.toml"
    copy.write_text(Path("navigation/room/shipped/simulated.toml").read_text())
    assert read_room(copy) == shipped()
    assert choose_room(None, copy, 7).devices[0].settings.seed == 7


def test_tools_are_found_by_role_and_only_what_is_used_is_opened() -> None:
    room = shipped()
    assert room.the_tool(room.tools[1].role).name == STYLUS
    with pytest.raises(RoomError, match="no tools with role = 'stylus' called 'pen'"):
        room.the_tool(room.tools[1].role, "pen")
    assert [tool.name for tool in room.only((REFERENCE, STYLUS)).tools] == [REFERENCE, STYLUS]


def test_what_is_assumed_of_a_devices_noise_stands_in_for_what_it_does_not_say_and_for_nothing_else(
    two: TwoDevices,
) -> None:
    noise = AssumedNoise(0.3, 0.2, "Polaris Vicra, 0.25 mm for a marker")
    two.room = RoomTracker(
        [
            (replace(device(REFERENCE, STYLUS, name="polaris"), noise=noise), two.polaris),
            (device(CLAMP, name="webcam", T_tracker_device=T_TRACKER_WEBCAM), two.webcam),
        ],
        two.clock,
    )
    stated = np.eye(6)
    hidden = ToolObservation(Visibility.OCCLUDED)
    two.polaris.frame = TrackerFrame(
        1, two.clock.now_ns(), {REFERENCE: seen(REFERENCE), STYLUS: replace(seen(STYLUS), covariance=stated)}
    )
    two.webcam.frame = TrackerFrame(1, two.clock.now_ns(), {CLAMP: seen(CLAMP)})
    tools = two.room.next_frame(0).tools
    turn, shift = np.radians(0.2) ** 2 / 3.0, 0.03
    np.testing.assert_allclose(tools[REFERENCE].covariance, np.diag([turn] * 3 + [shift] * 3))
    assert tools[STYLUS].covariance is stated
    assert tools[CLAMP].covariance is None, "what is not known is not known"
    two.polaris.frame = TrackerFrame(2, two.clock.now_ns() + MS, {REFERENCE: hidden, STYLUS: hidden})
    assert two.room.next_frame(0).tools[REFERENCE].covariance is None


def test_a_room_file_states_what_is_assumed_with_its_source(tmp_path: Path) -> None:
    room = """
[devices.polaris]
driver = "openigtlink"
host = "127.0.0.1"
rate_hz = 60.0
latency_ms = 0

[devices.polaris.noise]
translation_rms_mm = 0.3
rotation_rms_deg = 0.2
source = "Polaris Vicra, 0.25 mm for a marker"

[tools.reference]
device = "polaris"
role = "reference"
"""
    (tmp_path / "or.toml").write_text(room)
    assert read_room(tmp_path / "or.toml").devices[0].noise == AssumedNoise(
        0.3, 0.2, "Polaris Vicra, 0.25 mm for a marker"
    )
    (tmp_path / "or.toml").write_text(room.replace("source", "sourse"))
    with pytest.raises(RoomError, match="sourse"):
        read_room(tmp_path / "or.toml")
