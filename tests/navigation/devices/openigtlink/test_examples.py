"""The servers among the reference library's own examples, unchanged: read by the codec, and by the driver."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from navigation.devices.driver import StampClock
from navigation.devices.openigtlink.framing import FrameStream, Message, pack, unpack
from navigation.devices.openigtlink.messages import Request, StartTracking
from navigation.devices.tracker import Visibility
from scripts.strangers.openigtlink import TEST_IMAGES, ExamplesError, ensure_examples
from tests.conftest import IN_CI
from tests.navigation.devices.openigtlink.senders import PATIENCE_S, device, frame_when, opened

SINGLE = 2e-6  # the examples compute rotations in single precision, in several steps; relative to 1
MM = 4e-6  # half a unit in the last place of 50 mm, twice: the cosine's and the product's


@pytest.fixture(scope="module")
def examples() -> dict[str, Path]:
    """The compiled examples; without the library the tests are skipped, but in CI they fail."""
    try:
        return ensure_examples()
    except ExamplesError as error:
        pytest.fail(str(error)) if IN_CI else pytest.skip(str(error))


@contextmanager
def listening(program: Path, *arguments: str) -> Iterator[int]:
    """Runs a server until the block ends, and gives its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    server = subprocess.Popen([program, str(port), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        server.kill()
        server.wait()


def messages(port: int, count: int, *requests: Message) -> list[Message]:
    """The first messages that a server sends, once it has been asked."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the example does not listen"
    stream, read = FrameStream(), []
    with connection:
        for request in requests:
            connection.sendall(pack(request))
        while len(read) < count:
            data = connection.recv(1 << 16)
            assert data, "the example has hung up"
            read += [unpack(frame) for frame in stream.feed(data)]
    return read[:count]


def sequence(count: int, phi_step: float, theta_step: float) -> list[np.ndarray]:
    """The poses of the examples: floats that are added up, from zero."""
    phi, theta, found = np.float32(0), np.float32(0), []
    for _ in range(count):
        pose = np.eye(4)
        y, w = 0.6666666666 * np.cos(float(theta)), 0.6666666666 * np.sin(float(theta))
        pose[:3, :3] = Rotation.from_quat([0.0, y, 0.577350269189626, w]).as_matrix()
        pose[:3, 3] = 50.0 * np.array([np.cos(float(phi)), np.sin(float(phi)), np.cos(float(phi))])
        found.append(pose)
        phi, theta = np.float32(phi + phi_step), np.float32(theta + theta_step)
    return found


def equals(found: np.ndarray, truth: np.ndarray) -> bool:
    return np.allclose(found[:3, :3], truth[:3, :3], rtol=0, atol=SINGLE) and np.allclose(
        found[:3, 3], truth[:3, 3], rtol=0, atol=MM
    )


def test_transforms_of_the_tracker(examples: dict[str, Path]):
    with listening(examples["TrackerServer"], "200") as port:
        read = messages(port, 20)
    truth = sequence(20, 0.2, 0.1)
    assert {each.device_name for each in read} == {"Tracker"}
    assert all(equals(each.content.matrix, pose) for each, pose in zip(read, truth, strict=True))


@pytest.mark.parametrize("kind", ["TDATA", "QTDATA"])
def test_tracking_that_was_asked_for(examples: dict[str, Path], kind: str):
    name = {"TDATA": "TrackingDataServer", "QTDATA": "QuaternionTrackingDataServer"}[kind]
    with listening(examples[name]) as port:
        read = messages(port, 10, Message(StartTracking(kind, resolution_ms=10), "me"))
    steps = [(0.1, 0.2), (0.2, 0.1), (0.3, 0.05)]
    for channel, step in enumerate(steps):
        for each, pose in zip(read, sequence(10, *step), strict=True):
            tool = each.content.tools[channel]
            assert tool.name == f"Channel {channel}"
            found = np.vstack([np.reshape(tool.columns, (4, 3)).T, [0, 0, 0, 1]])
            assert equals(found, pose)


def test_images_of_the_imager(examples: dict[str, Path]):
    with listening(examples["ImagerServer"], "50", str(TEST_IMAGES)) as port:
        read = messages(port, 2)
    for number, each in enumerate(read, start=1):
        raw = np.frombuffer((TEST_IMAGES / f"igtlTestImage{number}.raw").read_bytes(), np.uint8)
        np.testing.assert_array_equal(each.content.voxels.reshape(-1), raw)
        spacing = np.linalg.norm(each.content.T_world_ijk[:3, :3], axis=0)
        np.testing.assert_array_equal(spacing, [1.0, 1.0, 5.0])


def test_points_and_a_surface(examples: dict[str, Path]):
    with listening(examples["PointServer"]) as port:
        (points,) = messages(port, 1)
    assert [point.position_mm for point in points.content.points] == [(10, 20, 30), (40, 50, 60), (70, 80, 90)]
    assert [point.name for point in points.content.points] == ["POINT_0", "POINT_1", "POINT_2"]
    with listening(examples["PolyDataServer"]) as port:
        (cube,) = messages(port, 1, Message(Request("GET_POLYDATA"), "cube"))
    np.testing.assert_array_equal(cube.content.points_mm[[0, 2, 6]], [[0, 0, 0], [1, 1, 0], [1, 1, 1]])
    np.testing.assert_array_equal(cube.content.polygons.reshape(6, 5)[1], [4, 4, 5, 6, 7])
    assert cube.content.attributes[0].values.ravel().tolist() == list(range(8))


def test_words(examples: dict[str, Path]):
    with listening(examples["StatusServer"]) as port:
        status = messages(port, 1)[0].content
    assert (status.code, status.subcode, status.error) == (1, 128, "OK!")
    assert status.text == "This is a test to send status message."
    with listening(examples["StringServer"], "50") as port:
        assert messages(port, 1)[0].content.text


def test_the_tracker_comes_through_the_driver(examples: dict[str, Path]):
    """It gives no time, which the room file has to say, and one tool."""
    with listening(examples["TrackerServer"], "100") as port:
        tracker = opened(device(port, {"reference": "Tracker"}, StampClock.ARRIVAL))
        try:
            seen = frame_when(
                tracker,
                lambda frame: frame is not None and frame.tools["reference"].visibility is Visibility.VISIBLE,
            )
        finally:
            tracker.stop()
    found = seen.tools["reference"].T_tracker_tool.matrix
    assert any(equals(found, pose) for pose in sequence(1000, 0.2, 0.1))
