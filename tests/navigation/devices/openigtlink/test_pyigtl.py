"""A stranger, pyigtl: its messages read by us, ours by it, its server and its client before ours."""

import socket
import threading
from contextlib import closing

import numpy as np
import pyigtl
import pytest
from pyigtl.messages import MessageBase

from geometry.points import Floats
from navigation.devices.openigtlink.content import Content
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import FrameStream, Message, pack, unpack
from navigation.devices.openigtlink.messages import Image, Point, Points, PolyData, Text, TransformMatrix
from navigation.devices.tracker import Visibility
from tests.navigation.devices.openigtlink.senders import PATIENCE_S, device, frame_when, opened, pose

STAMP_S, STAMP_NS = 1_700_000_000.25, 1_700_000_000_250_000_000
VOXELS = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
IJK_TO_WORLD = np.array([[0.5, 0, 0, -10], [0, 0.5, 0, 20], [0, 0, 2, 30], [0, 0, 0, 1]], dtype=float)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
POINTS_MM = pose(1)[:, :3]


def ours(theirs: MessageBase, version: int) -> Message:
    """What we read of a message that pyigtl packed."""
    theirs.header_version = 2 if version == 3 else 1
    if version == 3:
        theirs.metadata = {"TransformStatus": "OK"}
        theirs.message_id = 9
    (frame,) = FrameStream().feed(theirs.pack())
    return unpack(frame)


@pytest.mark.parametrize("version", [2, 3])
def test_what_pyigtl_packs_we_read(version: int) -> None:
    read = ours(pyigtl.TransformMessage(pose(1), timestamp=STAMP_S, device_name="StylusToTracker"), version)
    assert isinstance(read.content, TransformMatrix)
    assert np.array_equal(read.content.matrix, pose(1))
    assert (read.device_name, read.stamp_ns, read.version) == ("StylusToTracker", STAMP_NS, version)
    assert read.metadata == ({"TransformStatus": "OK"} if version == 3 else {})

    text = ours(pyigtl.StringMessage("ready", timestamp=STAMP_S, device_name="a"), version).content
    assert text == Text("ready")

    image = ours(pyigtl.ImageMessage(VOXELS, IJK_TO_WORLD, "ras", STAMP_S, "CT"), version).content
    assert isinstance(image, Image)
    assert np.array_equal(image.voxels, VOXELS)
    assert image.T_world_ijk == pytest.approx(IJK_TO_WORLD, abs=1e-5)
    assert image.coordinates == "RAS"

    points = ours(pyigtl.PointMessage(POINTS_MM, names=list("abcd"), timestamp=STAMP_S, device_name="p"), version)
    assert isinstance(points.content, Points)
    assert [point.name for point in points.content.points] == list("abcd")
    assert np.array_equal([point.position_mm for point in points.content.points], POINTS_MM)

    cells = np.insert(TRIANGLES, 0, 3, axis=1).reshape(-1)
    poly = ours(pyigtl.PolyDataMessage(points=POINTS_MM, polygons=cells, timestamp=STAMP_S, device_name="s"), version)
    assert isinstance(poly.content, PolyData)
    assert np.array_equal(poly.content.points_mm, POINTS_MM)
    assert np.array_equal(poly.content.triangles, TRIANGLES)


def test_pyigtl_positions_are_not_those_of_the_protocol_and_are_refused() -> None:
    """It packs each as a point with a quaternion, in 152 bytes; the protocol has 28."""
    theirs = pyigtl.PositionMessage([1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 1.0], timestamp=STAMP_S, device_name="a")
    (frame,) = FrameStream().feed(theirs.pack())
    with pytest.raises(LinkError, match="POSITION message with 152 bytes; expected 12, 24 or 28"):
        unpack(frame)


def theirs(content: Content, version: int, name: str = "StylusToTracker") -> MessageBase:
    """What pyigtl reads of a message that we packed."""
    metadata = {"TransformStatus": "OK"} if version == 3 else {}
    packed = pack(Message(content, name, STAMP_NS, version, metadata=metadata))
    header = MessageBase.parse_header(packed[: MessageBase.IGTL_HEADER_SIZE])
    read = MessageBase.create_message(header["message_type"])
    read.unpack(header, packed[MessageBase.IGTL_HEADER_SIZE :])
    assert read.timestamp == pytest.approx(STAMP_S, abs=1e-6)
    assert read.metadata == metadata
    return read


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_we_pack_pyigtl_reads(version: int) -> None:
    assert np.array_equal(theirs(TransformMatrix.of(pose(1)), version).matrix, pose(1))
    assert theirs(Text("ready"), version).string == "ready"
    image = theirs(Image(VOXELS, IJK_TO_WORLD, "RAS"), version)
    assert np.array_equal(image.image, VOXELS)
    assert image.ijk_to_world_matrix == pytest.approx(IJK_TO_WORLD, abs=1e-5)
    assert image.world_coordinate_system == "ras"
    point = Point("nasion", (1.0, 2.0, 3.0), "Landmark", (1, 2, 3, 4), 5.0, "CT")
    read = theirs(Points((point,)), version)
    assert (read.names, read.positions, read.rgba_colors) == (["nasion"], [(1.0, 2.0, 3.0)], [(1, 2, 3, 4)])


@pytest.fixture
def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


def test_tools_of_a_pyigtl_server_come_through_the_driver(free_port: int) -> None:
    server = pyigtl.OpenIGTLinkServer(port=free_port, local_server=True)
    tracker = opened(device(free_port, {"reference": "ReferenceToTracker", "stylus": "StylusToTracker"}))
    number = 0

    def both(frame: object) -> bool:
        nonlocal number
        number += 1
        for offset, name in enumerate(("ReferenceToTracker", "StylusToTracker")):
            stamp_s = STAMP_S + number / 50.0
            message = pyigtl.TransformMessage(pose(2 * number + offset), timestamp=stamp_s, device_name=name)
            server.send_message(message, wait=False)
        return frame is not None and all(s.visibility is Visibility.VISIBLE for s in frame.tools.values())

    try:
        both(None)
        frame = frame_when(tracker, both)
        sent: list[Floats] = [pose(each) for each in range(2 * number + 2)]
        for seen in frame.tools.values():
            assert any(np.array_equal(seen.T_tracker_tool.matrix, matrix) for matrix in sent)
    finally:
        tracker.stop()
        server.stop()


def test_a_pyigtl_client_gets_what_we_send() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", server.getsockname()[1])
        try:
            server.settimeout(PATIENCE_S)
            peer, _ = server.accept()
            with closing(peer):
                message = Message(TransformMatrix.of(pose(1)), "StylusToTracker", STAMP_NS, 3)
                threading.Thread(target=peer.sendall, args=(pack(message),)).start()
                read = client.wait_for_message("StylusToTracker", timeout=PATIENCE_S)
                assert np.array_equal(read.matrix, pose(1))
        finally:
            client.stop()
