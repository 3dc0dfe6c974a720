"""The driver on real sockets: tools, connections, states with their reasons, and coming back."""

import numpy as np
import pytest

from navigation.clock import MonotonicClock
from navigation.devices.driver import Device, StampClock
from navigation.devices.openigtlink.connection import LinkConnection
from navigation.devices.openigtlink.framing import HEADER_BYTES, FrameStream, Message, pack, unpack
from navigation.devices.openigtlink.layout import layout_of
from navigation.devices.openigtlink.messages import (
    Point,
    Points,
    QuaternionTool,
    QuaternionTracking,
    Request,
    StartTracking,
    Status,
    StatusCode,
    TrackedTool,
    Tracking,
    TrackingReply,
)
from navigation.devices.openigtlink.messages.poses import columns_of
from navigation.devices.openigtlink.observer import Observer
from navigation.devices.tracker import Connection, TrackerFrame, Visibility
from navigation.errors import DeviceError
from navigation.room.read_room import read_room
from navigation.room.room_tracker import open_room
from tests.navigation.devices.openigtlink.senders import (
    PATIENCE_S,
    Sender,
    device,
    frame_when,
    opened,
    pose,
    state_when,
    transform,
)

IDS = {"reference": "ReferenceToTracker", "stylus": "StylusToTracker"}
EMPTY_IN_VERSION_3 = len(pack(Message(Request("GET_STATUS"), version=3))) - HEADER_BYTES
EPOCH_NS = 1_700_000_000_000_000_000


def visible(*tools: str):
    return lambda frame: all(frame.tools[tool].visibility is Visibility.VISIBLE for tool in tools)


def matrix(frame: TrackerFrame, tool: str) -> np.ndarray:
    seen = frame.tools[tool].T_tracker_tool
    assert seen is not None
    return seen.matrix


def test_tools_of_one_connection_come_as_one_frame_with_the_device_time() -> None:
    with Sender() as sender:
        tracker = opened(device(sender.port, IDS))
        try:
            sender.accept()
            before_ns = MonotonicClock().now_ns()
            sender.send(transform(IDS["reference"], pose(1), EPOCH_NS) + transform(IDS["stylus"], pose(2), EPOCH_NS))
            frame = frame_when(tracker, visible("reference", "stylus"))
            assert matrix(frame, "stylus") == pytest.approx(pose(2), abs=1e-6)
            assert frame.tools["reference"].capture_ns is None, "both were captured at one time"
            assert before_ns <= frame.capture_ns <= MonotonicClock().now_ns()
            assert tracker.state.frames.received == 1
        finally:
            tracker.stop()


@pytest.mark.parametrize("kind", ["TDATA", "QTDATA"])
def test_a_stream_is_asked_for_and_ended(kind: str) -> None:
    with Sender() as sender:
        tracker = opened(device(sender.port, {"stylus": "Stylus"}, ask_for=kind))
        sender.accept()
        asked, greeted = map(unpack, FrameStream().feed(sender.receive(2 * HEADER_BYTES + 36 + EMPTY_IN_VERSION_3)))
        assert asked.content == StartTracking(kind, 20)
        assert (greeted.content, greeted.version) == (Request("GET_STATUS"), 3), "PLUS answers in version 1 otherwise"
        quarter = np.eye(4)
        quarter[:3, :3] = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
        quarter[:3, 3] = 1.0, 2.0, 3.0
        content = {
            "TDATA": Tracking((TrackedTool("Stylus", columns_of(quarter)),)),
            "QTDATA": QuaternionTracking((QuaternionTool("Stylus", (1.0, 2.0, 3.0), (0.0, 0.0, 0.5**0.5, 0.5**0.5)),)),
        }[kind]
        sender.send(pack(Message(TrackingReply(kind))) + pack(Message(content, "Camera", EPOCH_NS)))
        assert matrix(frame_when(tracker, visible("stylus")), "stylus") == pytest.approx(quarter, abs=1e-6)
        tracker.stop()
        (ended,) = FrameStream().feed(sender.receive(HEADER_BYTES))
        assert unpack(ended).content.type_name == f"STP_{kind}"


def ended(sender: Sender, of: Device, data: bytes) -> str:
    """Why a connection ends on which these bytes come, and then the end; a state has gone before it is looked at."""
    connection = LinkConnection(of.settings, of, Observer(layout_of(of), False), MonotonicClock())
    try:
        sender.accept()
        sender.send(data)
        sender.hang_up()
        while True:
            connection.receive(PATIENCE_S)
    except DeviceError as error:
        return error.came
    finally:
        connection.close()


def test_a_connection_says_why_it_has_ended() -> None:
    damaged = bytearray(transform(IDS["stylus"], pose(3), EPOCH_NS))
    damaged[-1] ^= 1
    refusal = pack(Message(TrackingReply("TDATA", is_error=True)))
    with Sender() as sender:
        of = device(sender.port, {"stylus": IDS["stylus"]})
        assert ended(sender, of, transform(IDS["stylus"], pose(1), EPOCH_NS)) == (
            "a connection that the device has closed"
        )
        assert "TRANSFORM message of 'StylusToTracker' whose CRC is wrong" in ended(sender, of, bytes(damaged))
        assert ended(sender, of, refusal) == "a refusal to send TDATA"


def test_a_damaged_message_ends_the_connection_gives_no_pose_and_the_next_connection_is_well() -> None:
    damaged = bytearray(transform(IDS["stylus"], pose(3), EPOCH_NS))
    damaged[-1] ^= 1
    with Sender() as sender:
        tracker = opened(device(sender.port, {"stylus": IDS["stylus"]}))
        try:
            sender.accept()
            sender.send(bytes(damaged))
            sender.accept()
            assert tracker.next_frame(0) is None
            sender.send(transform(IDS["stylus"], pose(4), EPOCH_NS))
            assert matrix(frame_when(tracker, visible("stylus")), "stylus") == pytest.approx(pose(4), abs=1e-6)
        finally:
            tracker.stop()


def test_a_sender_that_hangs_up_or_is_not_there_is_a_state_and_comes_back() -> None:
    with Sender() as sender:
        tracker = opened(device(sender.port, {"stylus": IDS["stylus"]}))
        try:
            sender.accept()
            sender.hang_up()
            sender.accept()
            sender.send(transform(IDS["stylus"], pose(5), EPOCH_NS))
            frame_when(tracker, visible("stylus"))
        finally:
            tracker.stop()
    free = sender.port
    tracker = opened(device(free, {"stylus": IDS["stylus"]}))
    try:
        assert "refused" in state_when(tracker, "refused")
        assert tracker.state.connection is Connection.GONE or tracker.state.retry_ns is None
    finally:
        tracker.stop()


def test_what_a_device_says_of_itself_is_the_reason_until_it_is_well() -> None:
    with Sender() as sender:
        tracker = opened(device(sender.port, {"stylus": IDS["stylus"]}))
        try:
            sender.accept()
            sender.send(pack(Message(Status(StatusCode.NOT_READY, 0, "", "warming up"))))
            assert state_when(tracker, "warming") == "the device says not ready: warming up"
            assert tracker.state.connection is Connection.CONNECTED
            sender.send(pack(Message(Status(StatusCode.OK))) + transform(IDS["stylus"], pose(6), EPOCH_NS))
            frame_when(tracker, visible("stylus"))
            assert tracker.state.reason == ""
        finally:
            tracker.stop()


def test_a_name_that_never_comes_is_said_with_those_that_do() -> None:
    with Sender() as sender:
        tracker = opened(device(sender.port, {"stylus": "StylusToTracker"}))
        try:
            sender.accept()
            reason = ""
            for number in range(600):
                sender.send(transform("stylus", pose(number), EPOCH_NS + number))
                reason = tracker.state.reason
                if reason:
                    break
                tracker.next_frame(20_000_000)
            assert reason == "the device sends nothing called StylusToTracker; what comes is stylus"
        finally:
            tracker.stop()


def test_a_room_of_two_connections_has_the_tools_of_both(tmp_path) -> None:
    with Sender() as first, Sender() as second:
        path = tmp_path / "or.toml"
        path.write_text(
            f"""
[devices.plus]
driver = "openigtlink"
host = "127.0.0.1"
port = {first.port}
rate_hz = 50

[devices.arm]
driver = "openigtlink"
host = "127.0.0.1"
port = {second.port}
rate_hz = 50
clock = "arrival"
latency_ms = 5
[devices.arm.pose]
seen_from = "plus"
translation_mm = [100, 0, 0]
quaternion_xyzw = [0, 0, 0, 1]

[tools.reference]
device = "plus"
role = "reference"
id = "ReferenceToTracker"
[tools.drill]
device = "arm"
role = "instrument"
id = "DrillToBase"
"""
        )
        tracker = open_room(read_room(path).devices, MonotonicClock())
        tracker.start()
        try:
            first.accept()
            second.accept()
            second.send(transform("DrillToBase", pose(8)))
            number = 10

            def both(frame: TrackerFrame) -> bool:
                nonlocal number
                number += 1
                first.send(transform(IDS["reference"], pose(number), EPOCH_NS + number * 1000))
                return visible("reference", "drill")(frame)

            first.send(transform(IDS["reference"], pose(number), EPOCH_NS))
            drill = matrix(frame_when(tracker, both), "drill")
            assert drill[:3, 3] == pytest.approx(pose(8)[:3, 3] + [100.0, 0.0, 0.0], abs=1e-6)
        finally:
            tracker.stop()


def test_frames_that_a_delayed_reader_finds_are_counted_and_the_newest_is_shown_even_if_the_sender_has_gone() -> None:
    with Sender() as sender:
        poses = [pose(number) for number in range(50)]
        stream = b"".join(
            transform(IDS["stylus"], poses[number % 50], EPOCH_NS + number * 1_000_000) for number in range(2999)
        ) + transform(IDS["stylus"], pose(2999), EPOCH_NS + 2999 * 1_000_000)
        newest = pose(2999)
        tracker = opened(device(sender.port, {"stylus": IDS["stylus"]}, StampClock.SENSOR))
        try:
            sender.accept()
            sender.send(stream)
            # A connection that is closed with something unread is reset, and what was sent may be lost.
            sender.receive(len(pack(Message(Request("GET_STATUS"), version=3))))
            sender.hang_up()
            last = frame_when(tracker, lambda frame: np.array_equal(matrix(frame, "stylus"), newest))
            counts = tracker.state.frames
            assert (counts.received, counts.lost, counts.late, counts.of_tools) == (3000, 0, 0, {"stylus": 3000})
            assert last.sequence == 3000
        finally:
            tracker.stop()


def test_points_come_as_markers_of_no_tool_each_once_and_poses_beside_them() -> None:
    with Sender() as sender:
        tracker = opened(device(sender.port, {"stylus": IDS["stylus"]}, points="StrayMarkers"))
        try:
            sender.accept()
            seen = Points((Point("1", (1.5, 2.0, -900.25)), Point("2", (60.0, 0.0, -900.0))))
            sender.send(pack(Message(seen, "StrayMarkers", EPOCH_NS)))
            frame = frame_when(tracker, lambda frame: frame.strays_mm is not None)
            np.testing.assert_array_equal(frame.strays_mm, [[1.5, 2.0, -900.25], [60.0, 0.0, -900.0]])
            sender.send(transform(IDS["stylus"], pose(1), EPOCH_NS + 1_000_000))
            assert frame_when(tracker, visible("stylus")).strays_mm is None
            sender.send(pack(Message(seen, "SomethingElse", EPOCH_NS + 2_000_000)))
            sender.send(transform(IDS["stylus"], pose(2), EPOCH_NS + 2_000_000))
            assert frame_when(tracker, visible("stylus")).strays_mm is None
        finally:
            tracker.stop()
