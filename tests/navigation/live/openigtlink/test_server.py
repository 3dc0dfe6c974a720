"""The OpenIGTLink server: full state for who joins, only valid poses, the newest wins, and nobody waits for another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from geometry.frames import CT
from geometry.orientation import flip_affine_ras_lps, flip_ras_lps
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import Message
from navigation.devices.openigtlink.messages import Request, StartTracking, StatusCode
from navigation.live.openigtlink.device_names import transform_name
from navigation.live.openigtlink.server import LinkServer, LinkServerSettings
from tests.navigation.live.openigtlink.harness import (
    LANDMARKS,
    MATRICES,
    SCAN,
    WALL_NS,
    WEDGE,
    Reader,
    Stepped,
    scene,
)
from unity_bridge.wire.envelope import Validity

FLOAT32 = 2.0**-24  # half a unit in the last place, relative
STYLUS = "StylusTipToReference"


@pytest.fixture
def served() -> Iterator[Stepped]:
    served = Stepped()
    yield served
    served.server.close()


def test_who_joins_late_is_sent_everything(served: Stepped):
    for message in scene():
        served.server.show(message)
    served.show(StylusTipToReference=(Validity.LOST, "hidden"))
    with served.reader() as reader:
        reader.read_until("IMAGE", "CT")
        assert {each.device_name for each in reader.messages if each.content.type_name == "TRANSFORM"} == {
            "ReferenceToTracker",
            "ReferenceToRas",
        }
        assert reader.of("STATUS", STYLUS)[0].content.words == "not present: lost: hidden"
        assert reader.of("STATUS", "ReferenceToTracker")[0].content.code == StatusCode.OK
        assert reader.of("POLYDATA", "liver")
        assert reader.of("POINT", "Landmarks")


def test_poses_are_those_of_the_frame_with_its_time(served: Stepped):
    with served.reader() as reader:
        captured_ns = served.clock.now_ns()
        served.show()
        served.advance_ms(7.0)
        for name, matrix in MATRICES.items():
            message = reader.read_until("TRANSFORM", name)
            np.testing.assert_allclose(message.content.matrix, matrix, rtol=FLOAT32, atol=1e-9)
            assert message.stamp_ns == WALL_NS - (served.clock.now_ns() - 7_000_000 - captured_ns)


@pytest.mark.parametrize("validity", [Validity.LOST, Validity.STALE, Validity.SUSPECT])
def test_what_is_not_valid_is_a_status_and_never_a_pose(served: Stepped, validity: Validity):
    with served.reader() as reader:
        served.show()
        reader.read_until("TRANSFORM", STYLUS)
        served.show(StylusTipToReference=(validity, "behind a drape"))
        served.show(StylusTipToReference=(validity, "behind a drape"))
        status = reader.read(lambda messages: len(reader.of("STATUS", STYLUS)) == 2) and reader.of("STATUS", STYLUS)[-1]
        assert (status.content.error, status.content.text) == (validity.value, "behind a drape")
        reader.read(lambda messages: len(reader.of("TRANSFORM", "ReferenceToTracker")) == 3)
        assert len(reader.of("TRANSFORM", STYLUS)) == 1
        served.show()
        reader.read(lambda messages: len(reader.of("TRANSFORM", STYLUS)) == 2)
        assert reader.of("STATUS", STYLUS)[-1].content.code == StatusCode.OK


def test_a_pose_that_is_not_renewed_becomes_stale_and_lost(served: Stepped):
    """The pose process has stopped, so nobody else can say it."""
    with served.reader() as reader:
        served.show()
        reader.read_until("TRANSFORM", STYLUS)
        served.advance_ms(100.5)
        assert [each.content.error for each in _statuses(reader, 2)] == ["", "stale"]
        served.advance_ms(150.0)
        assert [each.content.error for each in _statuses(reader, 3)] == ["", "stale", "lost"]
    with served.reader() as late:
        assert _statuses(late, 1)[0].content.error == "lost"
        served.step()
        assert not late.of("TRANSFORM", STYLUS)


def test_a_slow_client_gets_the_newest_and_holds_nobody_up(served: Stepped):
    with served.reader(buffer_bytes=4096) as slow, served.reader() as quick:
        shown = 0
        while not served.server.poses_dropped or shown < 20:
            served.clock.advance_ns(10_000_000)
            served.show()
            shown += 1
            quick.read_frames(shown)
        served.show(ReferenceToRas=(Validity.LOST, "the end"))
        assert served.server.counts.frames == 2 * shown + 2
        slow.read_until("STATUS", "ReferenceToTracker")
        slow.read(lambda messages: any(each.content.error for each in slow.of("STATUS", "ReferenceToRas")))
        last = slow.read(lambda messages: messages[-1].device_name == STYLUS)[-1]
        assert last.stamp_ns == WALL_NS
        received = len(slow.of("TRANSFORM", STYLUS))
        assert received + served.server.poses_dropped == shown + 1
        assert len(quick.of("TRANSFORM", STYLUS)) >= shown


def test_a_pose_that_waits_for_a_slow_client_is_not_sent_once_its_tool_is_lost(served: Stepped):
    with served.reader(buffer_bytes=4096) as slow:
        while not served.server.poses_dropped:
            served.show()
        served.advance_ms(300.0)  # nothing new comes
        slow.read(lambda messages: any(each.content.error == "lost" for each in slow.of("STATUS", STYLUS)))
        last_pose = max(i for i, each in enumerate(slow.messages) if each.content.type_name == "TRANSFORM")
        lost = next(i for i, each in enumerate(slow.messages) if _is_lost(each))
        served.step()
        assert last_pose < lost


def test_a_client_that_takes_nothing_is_disconnected(served: Stepped):
    with served.reader(buffer_bytes=4096) as stuck, served.reader() as other:
        while not served.server.poses_dropped:
            served.show()
            other.read(lambda messages: True)
        other.connection.setblocking(False)
        while served.server.client_count == 2:
            served.advance_ms(1000.0)
            try:
                other.connection.recv(1 << 20)
            except BlockingIOError:
                continue
        assert served.server.counts.cut_off == 1
        assert any("took nothing for 10 s" in line for line in served.said)
        assert stuck.connection


def test_tracking_is_sent_to_who_asked_no_more_often_than_asked(served: Stepped):
    with served.reader() as reader, served.reader() as other:
        reader.send(Message(StartTracking("TDATA", resolution_ms=50), "me"))
        reader.send(Message(StartTracking("QTDATA"), "me"))
        reader.read_until("RTS_QTDATA", "SurgNav")
        for _ in range(20):
            served.advance_ms(10.0)
            served.show(ReferenceToTracker=(Validity.SUSPECT, "fits badly"))
        reader.read(lambda messages: len(reader.of("QTDATA", "SurgNav")) == 20)
        tracking = reader.of("TDATA", "SurgNav")
        assert len(tracking) == 4, "at 10, 60, 110 and 160 ms"
        names = {"StylusTipToRef": STYLUS, "ReferenceToRas": "ReferenceToRas"}
        assert [tool.name for tool in tracking[0].content.tools] == list(names), "not what is suspect"
        for tool in tracking[-1].content.tools:
            np.testing.assert_allclose(tool.matrix, MATRICES[names[tool.name]], rtol=FLOAT32, atol=1e-9)
        reader.send(Message(Request("STP_TDATA"), "me"))
        reader.send(Message(Request("GET_STATUS"), "me"))
        reader.read_until("STATUS", "SurgNav")
        for _ in range(10):
            served.advance_ms(10.0)
            served.show()
        reader.read(lambda messages: len(reader.of("QTDATA", "SurgNav")) == 30)
        assert len(reader.of("TDATA", "SurgNav")) == 4
        other.read_until("TRANSFORM", STYLUS)
        assert not [each for each in other.messages if "TDATA" in each.content.type_name]


def test_surface_points_and_image_lie_where_they_are_in_the_patient(served: Stepped):
    with served.reader() as reader:
        for message in scene():
            served.server.show(message)
        shown = reader.read_until("POLYDATA", "liver").content
        np.testing.assert_allclose(shown.points_mm, flip_ras_lps(WEDGE.vertices_mm), rtol=FLOAT32, atol=0)
        np.testing.assert_array_equal(shown.triangles, WEDGE.triangles)
        points = reader.read_until("POINT", "Landmarks").content.points
        assert [point.name for point in points] == list(LANDMARKS)
        for point, truth in zip(points, LANDMARKS.values(), strict=True):
            np.testing.assert_allclose(point.position_mm, flip_ras_lps(truth), rtol=FLOAT32, atol=0)
        image = reader.read_until("IMAGE", "CT").content
        assert image.coordinates == "RAS"
        np.testing.assert_array_equal(image.voxels, SCAN.voxels)
        # Float32 of the image's middle: 1e-5 mm at 130 mm.
        np.testing.assert_allclose(image.T_world_ijk, flip_affine_ras_lps(SCAN.affine), rtol=1e-7, atol=1e-5)


def test_what_is_withdrawn_vanishes_and_is_not_sent_to_who_joins(served: Stepped):
    wedge, landmarks, scan = scene()
    served.server.show(wedge)
    served.server.show(landmarks)
    served.server.show(scan)
    with served.reader() as reader:
        reader.read_until("IMAGE", "CT")
        for key in (wedge.key, landmarks.key, scan.key):
            served.server.withdraw(key)
        reader.read(lambda messages: reader.of("STATUS", "CT"))
        assert not len(reader.of("POLYDATA", "liver")[-1].content.points_mm)
        assert not reader.of("POINT", "Landmarks")[-1].content.points
    with served.reader() as late:
        late.send(Message(Request("GET_POLYDATA"), "liver"))
        assert late.read_until("STATUS", "SurgNav").content.code == StatusCode.NOT_FOUND
        assert len(late.messages) == 1


def test_requests_are_answered(served: Stepped):
    for message in scene():
        served.server.show(message)
    with served.reader() as reader:
        reader.read_until("IMAGE", "CT")
        reader.send(Message(Request("GET_CAPABIL"), "me"))
        assert "STT_QTDATA" in reader.read_until("CAPABILITY", "SurgNav").content.types
        reader.send(Message(Request("GET_POINT"), "Landmarks"))
        reader.read(lambda messages: len(reader.of("POINT", "Landmarks")) == 2)
        reader.send(Message(Request("GET_BIND"), "me"))
        assert reader.read_until("STATUS", "SurgNav").content.code == StatusCode.UNKNOWN_INSTRUCTION


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n" * 8, b"\x00\x01TRANSFORM\0\0\0" + b"x" * 20 + b"\xff" * 24])
def test_what_speaks_something_else_is_disconnected_and_nobody_else(served: Stepped, junk: bytes):
    with served.reader() as good, served.reader() as bad:
        bad.connection.sendall(junk)
        served.step_until(lambda: served.server.client_count == 1)
        assert served.server.counts.cut_off == 1
        served.show()
        good.read_until("TRANSFORM", STYLUS)


def test_one_client_too_many_is_refused() -> None:
    served = Stepped(most_clients=1)
    with served.reader() as first:
        with Reader(served.server.port, served.step) as second, pytest.raises(ConnectionResetError):
            second.read(lambda messages: messages)
        assert served.server.counts.refused == 1
        served.show()
        first.read_until("TRANSFORM", STYLUS)
    served.server.close()


def test_a_port_in_use_and_a_foreign_address_are_said(served: Stepped):
    for settings in (LinkServerSettings(port=served.server.port), LinkServerSettings(address="192.0.2.1", port=0)):
        with pytest.raises(LinkError, match="cannot be bound"):
            LinkServer(settings, served.clock, lambda: WALL_NS)


def test_names_fit_into_twenty_bytes_and_stay_apart():
    assert transform_name("stylus_tip", "reference") == STYLUS
    assert transform_name("reference", CT) == "ReferenceToRas"
    assert transform_name("ultrasound_probe", "reference") == "UltrasoundProbeToRef"
    long = [transform_name(f"pointer_number_with_a_long_name_{number}", "reference") for number in range(40)]
    assert max(map(len, long)) <= 20
    assert len(set(long)) == 40


def _statuses(reader, count: int) -> list[Message]:
    reader.read(lambda messages: len(reader.of("STATUS", STYLUS)) == count)
    return reader.of("STATUS", STYLUS)


def _is_lost(message: Message) -> bool:
    return message.content.type_name == "STATUS" and message.content.error == "lost" and message.device_name == STYLUS
