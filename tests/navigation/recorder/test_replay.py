"""From a served room to its recording to its replay: the same bytes, and clients that take it as it was."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zmq
from mcap.reader import make_reader

from geometry.frames import REFERENCE, STYLUS
from navigation.clock import MonotonicClock, VirtualClock
from navigation.errors import RecordingError
from navigation.recorder.contents import RecordingFile, note_of
from navigation.recorder.replay import CLOCK_ID, NOTICE, Replay, ReplayClock, ReplaySettings, in_time
from navigation.recorder.service_tap import EVENTS, FORMS, MANIFEST, WELCOME
from navigation.recorder.tap import POSES
from tests.navigation.recorder.recorded_room import Recorded, subscriber, take
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.wire.envelope import Validity


@pytest.fixture
def replay(recorded: Recorded) -> Iterator[Replay]:
    with closing(Replay(RecordingFile(recorded.path), ReplaySettings(rate=2.0), MonotonicClock())) as replay:
        yield replay


def test_the_recording_has_every_published_byte(recorded: Recorded):
    """And by the mcap library, so that others read it too."""
    with recorded.path.open("rb") as stream:
        found = list(make_reader(stream, validate_crcs=True).iter_messages(topics=["/wire/poses"]))
    published = [message.data for _, _, message in found]
    assert published[-len(recorded.received) :] == recorded.received


def test_a_replay_publishes_what_was_published_to_the_last_bit(recorded: Recorded, replay: Replay):
    received: list[bytes] = []
    with subscriber(replay, replay.poses.endpoint) as socket:
        while not replay.poses.subscriber_count:
            replay.poll()
        replay.clock.run(True)
        while not replay.is_ended:
            replay.poll()
            take(socket, received)
        take(socket, received, 500)
    assert received[-len(recorded.received) :] == recorded.received
    assert replay.played == len(received)
    assert RecordingFile(recorded.path).faults == []


def test_a_client_takes_a_replay_for_what_it_was_and_is_told_that_it_is_one(recorded: Recorded):
    clock = MonotonicClock()
    with closing(Replay(RecordingFile(recorded.path), ReplaySettings(), clock)) as replay:
        endpoints = Endpoints(
            poses=replay.poses.endpoint, surfaces=replay.surfaces.endpoint, control=replay.control.endpoint
        )
        with ReferenceClient(endpoints, clock) as client:
            while not (client.control.may_show and client.control.clock_is_settled and replay.poses.subscriber_count):
                client.poll(1)
                replay.poll()
            replay.clock.run(True)
            shown: set[tuple[str, Validity]] = set()
            while not replay.is_ended:
                replay.poll()
                client.poll(0)
                if client.newest is not None:
                    shown |= {(name, tool.validity) for name, tool in client.newest.tools.items()}
            welcome = client.control.welcome
            assert welcome is not None
            assert (welcome.notice, welcome.clock_id) == (NOTICE, CLOCK_ID)
            assert {(REFERENCE, Validity.VALID), (STYLUS, Validity.VALID)} <= shown
            assert {("patient", Validity.VALID), ("patient", Validity.LOST)} <= shown  # withdrawn on the way
            assert [pulled.entry.name for pulled in client.surfaces.surfaces.values()] == ["tetrahedron"]


def test_everything_is_played_in_the_order_of_time(recorded: Recorded):
    """The recorder starts later than the taps, and reads first what few messages of the service wait for it."""
    recording = RecordingFile(recorded.path)
    played = list(in_time(recording))
    times_ns = [message.time_ns for message in played]
    assert times_ns == sorted(times_ns)
    assert sum(message.topic == POSES for message in played) >= len(recorded.received)
    assert {message.topic for message in played} == {POSES, WELCOME, MANIFEST, FORMS, EVENTS}


def test_a_step_is_one_message(recorded: Recorded, replay: Replay):
    with subscriber(replay, replay.poses.endpoint) as socket:
        socket.setsockopt(zmq.RCVTIMEO, 5_000)
        while not replay.poses.subscriber_count:
            replay.poll()
        replay.step()
        first = socket.recv()
        replay.poll()
        assert not socket.poll(100)
        replay.step()
        second = socket.recv()
    with recorded.path.open("rb") as stream:
        found = list(make_reader(stream).iter_messages(topics=["/wire/poses"]))
    assert [first, second] == [message.data for _, _, message in found[:2]]


def test_the_clock_runs_at_its_rate_and_stands_still():
    real = VirtualClock(1_000)
    clock = ReplayClock(real, "recorded", 50, 2.0)
    real.advance_ns(100)
    assert clock.now_ns() == 50
    clock.run(True)
    real.advance_ns(100)
    assert clock.now_ns() == 250
    clock.run(False)
    real.advance_ns(100)
    assert clock.now_ns() == 250
    clock.advance_to_ns(400)
    clock.advance_to_ns(300)
    assert clock.now_ns() == 400


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float):
    with pytest.raises(RecordingError, match="expected a positive number"):
        ReplaySettings(rate=rate)


def test_settings_events_and_no_path_are_in_the_recording(recorded: Recorded):
    recording = RecordingFile(recorded.path)
    assert recording.settings["graph"]["registration"]["registration_id"] == "r1"
    assert [device["name"] for device in recording.settings["devices"]["devices"]] == ["simulated"]
    events = [note_of(message) for message in recording.messages() if message.topic == "/events"]
    assert {"surface_approved", "registration_withdrawn"} <= {event["kind"] for event in events}
    assert recording.is_closed
    assert str(Path.home()).encode() not in recorded.path.read_bytes()


def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path: Path):
    path = tmp_path / "a.mcap"
    with pytest.raises(RecordingError, match="No such file"):
        RecordingFile(path)
    path.write_bytes(b"something else")
    with pytest.raises(RecordingError, match="holds no session of the service"):
        RecordingFile(path)
