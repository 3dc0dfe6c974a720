"""A tap gives everything to the recorder in order, waits for nothing, and says how much it could not give."""

import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
import zmq

from geometry import Transform
from geometry.frames import TRACKER
from navigation.clock import VirtualClock
from navigation.devices.replay.mcap_file import FrameMessage, observation_of
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.recorder.tap import Kind, Tap, Tapped, packed_frame, tapped
from navigation.recorder.translate import Translator


@pytest.fixture
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path may be longer than the 107 bytes of a socket's name
        yield f"ipc://{folder}/tap"


def pulled(address: str, count: int) -> list[Tapped]:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.bind(address)
        socket.setsockopt(zmq.RCVTIMEO, 5_000)
        return [tapped(socket.recv()) for _ in range(count)]


def test_what_waited_for_the_recorder_comes_whole_and_in_order(address: str):
    clock = VirtualClock(7)
    tap = Tap(address, "poses", clock)
    tap.poses(b"")
    clock.advance_ns(5)
    tap.give(Kind.FRAME, "/devices/camera", b"\x00frame")
    assert pulled(address, 2) == [
        Tapped(Kind.WIRE, "poses", "/wire/poses", 1, 0, 7, b""),
        Tapped(Kind.FRAME, "poses", "/devices/camera", 2, 0, 12, b"\x00frame"),
    ]
    tap.close()


def test_nobody_is_waited_for_and_what_is_dropped_is_counted(address: str):
    tap = Tap(address, "poses", VirtualClock(), most_waiting=4)
    for number in range(10):
        tap.poses(b"%d" % number)
    assert tap.dropped == 6
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.bind(address)
        socket.setsockopt(zmq.RCVTIMEO, 5_000)
        assert [tapped(socket.recv()).data for _ in range(4)] == [b"0", b"1", b"2", b"3"]
        dropped = 0
        while tap.dropped > dropped:  # its place is free once ZeroMQ's threads have told one another
            dropped = tap.dropped
            tap.poses(b"later")
        later = tapped(socket.recv())
        assert (later.data, later.number, later.dropped) == (b"later", 5, dropped)
        tap.close()


def test_a_tap_without_a_recorder_ends_by_itself(address: str):
    tap = Tap(address, "poses", VirtualClock())
    tap.poses(b"for nobody")
    tap.close()  # would wait for ever without its bound of half a second
    tap.close()


def test_a_frame_is_packed_whole():
    covariance = np.diag(np.arange(1.0, 7.0))
    pose = Transform(np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]]), TRACKER, "stylus")
    reference = Transform(np.eye(4), TRACKER, "reference")
    seen = {
        "stylus": ToolObservation(
            Visibility.VISIBLE,
            pose,
            0.25,
            capture_ns=90,
            covariance=covariance,
            T_tracker_reference=reference,
            stamp_bound_ns=700,
        ),
        "reference": ToolObservation(Visibility.OCCLUDED, reason="a hand"),
    }
    sequence, capture_ns, tools = pickle.loads(packed_frame(TrackerFrame(3, 100, seen)))
    assert (sequence, capture_ns) == (3, 100)
    assert tools == [
        (
            "stylus",
            "VISIBLE",
            pose.matrix.tobytes(),
            0.25,
            "",
            90,
            covariance.tobytes(),
            reference.matrix.tobytes(),
            700,
        ),
        ("reference", "OCCLUDED", None, None, "a hand", None, None, None, 0),
    ]


def test_every_field_of_an_observation_is_read_again():
    """Through the tap, the recording's form and the reader of recordings; a new field must not be forgotten."""
    turned = np.array([[0, -1, 0, 0.1], [1, 0, 0, 1 / 3], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    seen = ToolObservation(
        Visibility.VISIBLE,
        Transform(turned, TRACKER, "stylus"),
        0.25,
        "words",
        capture_ns=90,
        covariance=np.diag(np.arange(1.0, 7.0)),
        T_tracker_reference=Transform(turned, TRACKER, "reference"),
        stamp_bound_ns=700,
    )
    packed = packed_frame(TrackerFrame(3, 100, {"stylus": seen}))
    tapped_frame = Tapped(Kind.FRAME, "poses", "/devices/d", 1, 0, 5, packed)
    ((_, _, data),) = Translator({"/devices/d": {"stylus": "7"}}, 0).entries(tapped_frame)
    read = observation_of(FrameMessage.model_validate_json(data).tools["7"], "stylus")
    for field in fields(ToolObservation):
        was, now = (getattr(each, field.name) for each in (seen, read))
        assert str(was) not in ("None", "", "0"), f"{field.name} is not tried"
        if isinstance(was, Transform):
            assert (was.to_frame, was.from_frame) == (now.to_frame, now.from_frame)
            was, now = was.matrix, now.matrix
        np.testing.assert_array_equal(was, now, err_msg=field.name)
