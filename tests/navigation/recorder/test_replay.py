"""From a served room to its recording to its replay: the same bytes, and clients that take it as it was."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mcap.reader import make_reader

from geometry.frames import REFERENCE, STYLUS
from navigation.clock import MonotonicClock, VirtualClock
from navigation.errors import RecordingError
from navigation.recorder.contents import RecordingFile, note_of
from navigation.recorder.replay import CLOCK_ID, NOTICE, Replay, ReplayClock, ReplaySettings, in_time
from navigation.recorder.restamp import restamped
from navigation.recorder.service_tap import EVENTS, FORMS, MANIFEST, WELCOME
from navigation.recorder.tap import POSES
from tests.navigation.recorder.recorded_room import Recorded, subscriber, take
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.wire.envelope import Validity, unpack_message

PATIENCE_S = 20.0


@pytest.fixture
def replay(recorded: Recorded) -> Iterator[Replay]:
    with closing(Replay(RecordingFile(recorded.path), ReplaySettings(), MonotonicClock())) as replay:
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


def test_a_step_is_one_message_which_is_sent_again_until_the_next(recorded: Recorded, replay: Replay):
    with subscriber(replay, replay.poses.endpoint) as socket:
        while not replay.poses.subscriber_count:
            replay.poll()
        sent: list[list[bytes]] = []
        for _ in range(2):
            replay.step()
            until_s = time.monotonic() + 0.3
            while time.monotonic() < until_s:
                replay.poll()
            sent.append([])
            take(socket, sent[-1], 100)
    with recorded.path.open("rb") as stream:
        found = list(make_reader(stream).iter_messages(topics=["/wire/poses"]))
    numbers = []
    for received, (_, _, message) in zip(sent, found, strict=False):
        was = unpack_message(message.data)[0]
        assert len(received) > 1
        for each in received:
            header = unpack_message(each)[0]
            numbers.append(header.sequence)
            moved = header.sequence - was.sequence, header.capture_ns - was.capture_ns
            assert each == restamped(message.data, *moved)
    first = unpack_message(found[0][2].data)[0].sequence
    assert numbers == list(range(first, first + len(numbers)))


def test_the_place_runs_at_its_rate_and_stands_still_while_the_clock_goes_on():
    real = VirtualClock(1_000)
    clock = ReplayClock(real, "recorded", 50, 2.0)
    real.advance_ns(100)
    assert (clock.now_ns(), clock.place_ns, clock.is_slow) == (50, 50, False)
    clock.run(True)
    real.advance_ns(100)
    assert (clock.now_ns(), clock.place_ns, clock.shift_ns) == (150, 250, -100)
    clock.run(False)
    real.advance_ns(100)
    assert (clock.now_ns(), clock.place_ns, clock.is_slow) == (250, 250, True)
    clock.advance_to_ns(400)
    clock.advance_to_ns(300)
    assert (clock.now_ns(), clock.place_ns, clock.shift_ns) == (250, 400, -150)


@pytest.mark.parametrize("rate", [0.1, 0.5, 3.0])
def test_at_any_rate_and_in_a_pause_a_client_shows_what_it_showed_then(recorded: Recorded, rate: float):
    clock = MonotonicClock()
    with closing(Replay(RecordingFile(recorded.path), ReplaySettings(rate=rate), clock)) as replay:
        endpoints = Endpoints(
            poses=replay.poses.endpoint, surfaces=replay.surfaces.endpoint, control=replay.control.endpoint
        )
        with ReferenceClient(endpoints, clock) as client:
            while not (client.control.may_show and client.control.clock_is_settled and replay.poses.subscriber_count):
                client.poll(1)
                replay.poll()
            replay.run(True)

            def wait_until_shown() -> None:
                until_s, shown = time.monotonic() + PATIENCE_S, set()
                while not {(REFERENCE, Validity.VALID), (STYLUS, Validity.VALID)} <= shown:
                    assert time.monotonic() < until_s, f"{shown} at {replay.played_s:.2f} s"
                    replay.poll()
                    client.poll(0)
                    if client.newest is not None:
                        shown = {(name, tool.validity) for name, tool in client.newest.tools.items()}

            wait_until_shown()
            replay.run(False)
            place_ns, until_s = replay.clock.place_ns, time.monotonic() + 1.0
            while time.monotonic() < until_s:  # longer than any pose is shown that is not sent again
                replay.poll()
                client.poll(0)
            wait_until_shown()
            assert replay.clock.place_ns == place_ns
            replay.run(True)
            while not replay.clock.place_ns > place_ns + 20_000_000:
                replay.poll()
                client.poll(0)
            wait_until_shown()
            welcome = client.control.welcome
            assert welcome is not None
            assert welcome.notice.startswith("REPLAY")


def test_only_number_and_times_are_moved(recorded: Recorded):
    message, shift_ns = recorded.received[0], 123_456_789
    assert restamped(message, 0, 0) == message
    moved = restamped(message, 5, shift_ns)
    before, after = PoseBatchDecoder().decode(message), PoseBatchDecoder().decode(moved)
    assert (after.sequence, after.capture_ns) == (before.sequence + 5, before.capture_ns + shift_ns)
    for name, tool in before.tools.items():
        was = tool.capture_ns
        assert after.tools[name].capture_ns == (None if was is None else was + shift_ns)
    assert restamped(moved, -5, -shift_ns) == message


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
