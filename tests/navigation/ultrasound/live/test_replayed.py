"""Live ultrasound from the service through the recorder to a replay: a client is given the same frames again."""

import itertools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import zmq

from navigation.clock import MonotonicClock
from navigation.live.service import NavigationService
from navigation.recorder.contents import RecordingFile
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.replay import Replay, ReplaySettings
from navigation.recorder.tap import ULTRASOUND
from navigation.simulation.operating_room import OperatingRoom
from navigation.ultrasound.live.outgoing import ClientAccess
from navigation.ultrasound.live.process import LiveUltrasound
from tests.navigation.live.served_room import registered, room_config, service_config
from tests.navigation.ultrasound.live.scanner import Scanner, live_config
from tests.reconstruction.ultrasound.frames import bone_frame
from unity_bridge.client.ultrasound_link import UltrasoundConnection
from unity_bridge.transport.admission import Admissions
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import UltrasoundFrame

PATIENCE_S = 90.0
FRAMES = 40


@dataclass
class Client:
    """Takes frames with their images, from a server or its replay."""

    connection: UltrasoundConnection
    token: bytes
    received: dict[int, UltrasoundFrame]

    def poll(self) -> None:
        self.connection.ask(self.token)
        self.connection.drain()
        if (newest := self.connection.newest) is not None:
            self.received[newest.number] = newest


@contextmanager
def client(port: int, secret: bytes, session_id: bytes) -> Iterator[Client]:
    with zmq.Context() as context:
        session = Session(session_id, MonotonicClock())
        endpoint = f"tcp://127.0.0.1:{port}"
        with closing(UltrasoundConnection(endpoint, context, session, None, images=True)) as connection:
            yield Client(connection, Admissions(secret, print).issue(""), {})


@dataclass(frozen=True)
class Recorded:
    path: Path
    received: dict[int, UltrasoundFrame]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A served room with ultrasound, and what a client was given meanwhile."""
    folder, until_s = tmp_path_factory.mktemp("recorded"), time.monotonic() + PATIENCE_S
    poses, config = f"ipc://{folder}/mirror", service_config(registered(OperatingRoom(room_config())))
    with (
        closing(RecorderProcess(RecorderConfig(folder=folder / "r", tool_ids={}))) as recorder,
        NavigationService(replace(config, recorder=recorder.address)) as service,
        closing(Scanner([bone_frame(seed)[100:260, :160] for seed in range(12)], poses)) as scanner,
    ):
        session_id, secret = service.ultrasound_access
        access = ClientAccess(
            endpoint="tcp://127.0.0.1:*", session_id=session_id, admission_secret=secret, security=None
        )
        wanted = replace(live_config(scanner.port, folder / "cache"), recorder=recorder.address, access=access)
        with closing(LiveUltrasound(wanted, poses, MonotonicClock())) as live:
            while live.port is None and time.monotonic() < until_s:
                live.poll()
                time.sleep(0.01)
            with client(live.port, secret, session_id) as one:
                while len(one.received) < FRAMES and time.monotonic() < until_s:
                    service.poll(5)
                    recorder.poll()
                    live.poll()
                    one.poll()
        service.stop()
    (path,) = (folder / "r").iterdir()
    return Recorded(path, one.received)


def test_a_replay_gives_each_frame_and_its_image_to_the_last_bit(recorded: Recorded):
    recording = RecordingFile(recorded.path)
    assert len(recorded.received) == FRAMES
    with closing(Replay(recording, ReplaySettings(), MonotonicClock())) as replay:
        port = replay._state().ultrasound_port
        assert port is not None
        with client(port, replay._admission_secret, recording.session_id) as one:
            replay.run(True)
            while not replay.is_ended:
                replay.poll()
                one.poll()
    again = recorded.received.keys() & one.received.keys()
    assert len(again) > FRAMES // 2
    assert sum(one.received[number].image is not None for number in again) > FRAMES // 2
    assert any(one.received[number].contours for number in again)
    for number in again:
        assert one.received[number] == recorded.received[number]


def test_a_frame_at_which_a_replay_stands_still_stays_as_young_as_it_was(recorded: Recorded):
    """It comes again, with another number and a later time, and with the same contours and image."""
    recording = RecordingFile(recorded.path)
    given_ns = [message.time_ns for message in recording.messages() if message.topic == ULTRASOUND]
    with (
        closing(Replay(recording, ReplaySettings(), MonotonicClock())) as replay,
        client(replay._state().ultrasound_port, replay._admission_secret, recording.session_id) as one,
    ):
        replay.run(True)
        while replay.clock.place_ns < given_ns[-5]:
            replay.poll()
            one.poll()
        replay.run(False)
        one.poll()
        numbers, until_s = set(one.received), time.monotonic() + 1.0
        while time.monotonic() < until_s:
            replay.poll()
            one.poll()
            time.sleep(0.005)
        age_ns = replay.clock.now_ns() - one.connection.newest.shows_ns
        held = [one.received[number] for number in sorted(one.received.keys() - numbers)][-10:]
    assert age_ns < 700_000_000
    assert len(held) == 10
    assert len({(each.contours, each.image) for each in held}) == 1
    assert all(before.shows_ns < after.shows_ns for before, after in itertools.pairwise(held))
