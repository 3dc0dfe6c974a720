"""Live ultrasound from the service through the recorder: a replay gives the same frames, other programs read them."""

import itertools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import zmq

from geometry.frames import REFERENCE, STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.commands.recordings.command import ExportRequest
from navigation.commands.recordings.export import export
from navigation.devices.replay.mcap_file import read_mcap
from navigation.devices.replay.plus import read_plus
from navigation.devices.replay.table import read_table
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.live.pose_graph import PoseGraph
from navigation.live.service import NavigationService
from navigation.recorder.contents import RecordingFile
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.replay import Replay, ReplaySettings
from navigation.recorder.tap import POSES, ULTRASOUND
from navigation.simulation.operating_room import OperatingRoom
from navigation.ultrasound.live.outgoing import ClientAccess
from navigation.ultrasound.live.process import LiveUltrasound
from tests.case.slicers_core import read_by_slicer
from tests.navigation.live.served_room import TETRAHEDRON, registered, room_config, service_config
from tests.navigation.ultrasound.live.scanner import FRAME_S, LAG_S, PERIOD_S, Scanner, live_config
from tests.reconstruction.ultrasound.frames import bone_frame
from unity_bridge.client.ultrasound_link import UltrasoundConnection
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.transport.admission import Admissions
from unity_bridge.wire.convention import pose_from_unity
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import UltrasoundFrame

PATIENCE_S = 90.0
FRAMES = 40
FILM = np.array([bone_frame(seed)[100:260, :160] for seed in range(12)])
TOOLS = service_config(PoseGraph()).devices[0].tools


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
        closing(Scanner(list(FILM), poses)) as scanner,
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


# --------------------------------------------------------------------------------------------------------------- export
@pytest.fixture(scope="module")
def sequence(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording as PLUS would have it."""
    target = tmp_path_factory.mktemp("exported") / "out.igs.mha"
    said = export(ExportRequest(recording=recorded.path, target=target))
    assert said == f"{len(PlusSequence(target))} images with the poses of simulated at their times"
    return target


def test_plus_gets_every_image_at_the_time_at_which_the_scanner_showed_it(sequence: Path):
    """By what the scanner was showing at that time, which went through network, service, recorder and export."""
    images, exact = PlusSequence(sequence), 0
    assert len(images) >= FRAMES
    for index in range(len(images)):
        frame = images.frame(index)
        (shown,) = np.flatnonzero((frame.pixels == FILM).all(axis=(1, 2)))
        expected = round((frame.source_ns / NS_PER_S + LAG_S) % PERIOD_S / FRAME_S) % len(FILM)
        assert (shown - expected + 1) % len(FILM) <= 2  # a busy machine stamps one as late as the next is due
        exact += shown == expected
    assert exact > len(images) / 2


def test_plus_gets_the_poses_that_were_published_around_each_image(recorded: Recorded, sequence: Path):
    decoder, published = PoseBatchDecoder(), []
    for message in RecordingFile(recorded.path).messages():
        if message.topic == POSES:
            batch = decoder.decode(message.data)
            if (pose := batch.tools[STYLUS].pose) is not None:
                published.append([batch.capture_ns, *pose_from_unity(pose).translation_mm])
    times_ns, *tips = np.array(published).T
    tip_stylus, apart = np.append(OperatingRoom(room_config()).tip_stylus_mm, 1.0), []
    for frame in read_plus(sequence, TOOLS).frames:
        T_tracker_reference, T_tracker_stylus = (frame.tools[name].T_tracker_tool for name in (REFERENCE, STYLUS))
        if T_tracker_reference is not None and T_tracker_stylus is not None:
            tip = ((T_tracker_reference.inverse() @ T_tracker_stylus).matrix @ tip_stylus)[:3]
            apart.append(np.linalg.norm(tip - [np.interp(frame.time_ns, times_ns, axis) for axis in tips]))
    assert len(apart) > FRAMES / 2
    # A batch may have passed over a frame of the device; its noise from frame to frame is a hundred times as large.
    assert np.median(apart) < 1e-3


def test_itk_and_slicer_read_the_sequence(sequence: Path):
    ours = PlusSequence(sequence)
    expected = np.array([ours.frame(index).pixels for index in range(len(ours))])
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(sequence))), expected)
    found = read_by_slicer([sequence])[sequence.name]
    assert found["shape_ijk"] == [*expected.shape[::-1]]
    np.testing.assert_array_equal(found["voxels"], expected.ravel())


def test_the_table_has_every_frame_of_the_tracker_also_beside_images(recorded: Recorded, tmp_path: Path):
    export(ExportRequest(recording=recorded.path, target=tmp_path / "a.csv"))
    found, expected = read_table(tmp_path / "a.csv", TOOLS).frames, read_mcap(recorded.path, TOOLS).frames
    assert [frame.time_ns for frame in found] == [frame.time_ns for frame in expected]
    for tool in TOOLS:
        pairs = [(a.tools[tool.name], b.tools[tool.name]) for a, b in zip(found, expected, strict=True)]
        assert [one.visibility for one, _ in pairs] == [other.visibility for _, other in pairs]
        poses = [(a.T_tracker_tool.matrix, b.T_tracker_tool.matrix) for a, b in pairs if b.T_tracker_tool is not None]
        assert len(poses) > FRAMES
        np.testing.assert_allclose([a for a, _ in poses], [b for _, b in poses], rtol=0, atol=1e-9)  # of quaternions


def test_slicer_opens_the_scene_of_a_recording_with_images(recorded: Recorded, tmp_path: Path):
    export(ExportRequest(recording=recorded.path, target=tmp_path / "scene.mrml"))
    found, room = read_by_slicer([tmp_path / "scene.mrml"])["scene.mrml"], OperatingRoom(room_config())
    assert found["tetrahedron"] == len(TETRAHEDRON.vertices_mm)
    expected = np.diag([-1.0, -1.0, 1.0, 1.0]) @ room.T_reference_ct.inverse().matrix
    np.testing.assert_allclose(found["r1 reference to RAS"], expected, rtol=0, atol=1e-3)
    assert len(found["path of probe"]) > 1
