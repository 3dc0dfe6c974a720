"""The ultrasound socket: a frame for each request, the newest, for whoever is admitted; and where a frame lies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.unity_bridge.harness import CLOCK
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.poses.age import AgeLimits
from unity_bridge.client.ultrasound_link import UltrasoundConnection, UltrasoundLink, judged
from unity_bridge.errors import MalformedMessageError
from unity_bridge.transport.admission import AdmissionCheck, Admissions
from unity_bridge.ultrasound.placed import (
    PlacedImage,
    check_frame,
    contour,
    contour_points_px,
    placed_image,
    placing_fields,
)
from unity_bridge.ultrasound.server import UltrasoundServer
from unity_bridge.wire.envelope import Session, Validity
from unity_bridge.wire.messages import Goodbye, UltrasoundContour, UltrasoundFrame, encode_message

SECRET, SESSION = b"of these tests, long", Session(bytes(range(16)), CLOCK)
POINTS = np.array([[10.5, 20.25], [30.0, 40.0], [12.0, 44.0]])
PIXELS = np.arange(60, dtype=np.uint8).reshape(6, 10)


def frame(number: int, **more: object) -> UltrasoundFrame:
    fields = {
        "number": number,
        "shows_ns": 1000 * number,
        "source": "the simulated probe",
        "state": "usable",
        "width_px": 400,
        "height_px": 320,
        "placing": Validity.LOST,
        "placing_reason": "no probe",
        "contours": (contour("bone", POINTS),),
    }
    return UltrasoundFrame(**fields | more)


class Bridge:
    """A server with a client's connections, all polled in turn."""

    def __init__(self, admits_all: bool = False) -> None:
        self.context, self.withdrawn = zmq.Context(), list[int]()
        admission = None if admits_all else AdmissionCheck(SECRET)
        self.server = UltrasoundServer(
            "tcp://127.0.0.1:*", SESSION, self.context, lambda pixels: b"JPEG" + pixels.tobytes(), admission
        )
        self.admissions = Admissions(SECRET, self.withdrawn.append)
        self.token = self.admissions.issue("")

    def connection(self, images: bool = False) -> UltrasoundConnection:
        session = Session(bytes(16), CLOCK)
        return UltrasoundConnection(self.server.endpoint, self.context, session, None, images=images)

    def until(self, condition: Callable[[], object], *connections: UltrasoundConnection, token: bytes = b"") -> None:
        deadline_ns = CLOCK.now_ns() + 10_000_000_000
        while not condition():
            self.turn(*connections, token=token)
            assert CLOCK.now_ns() < deadline_ns

    def turn(self, *connections: UltrasoundConnection, token: bytes = b"") -> None:
        for each in connections:
            each.drain()
            each.ask(token or self.token)
        self.server.poll(1)

    def close(self) -> None:
        self.server.close()
        self.context.destroy(linger=0)


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    with contextlib.closing(Bridge()) as made:
        yield made


def test_the_newest_frame_comes_as_soon_as_there_is_one_and_once(bridge: Bridge) -> None:
    one = bridge.connection()
    for _ in range(20):
        bridge.turn(one)
    assert one.newest is None
    for number in (1, 2, 5):
        bridge.server.offer(frame(number), PIXELS)
        bridge.until(lambda wanted=number: one.newest is not None and one.newest.number == wanted, one)
    for _ in range(20):
        bridge.turn(one)
    assert (one.received, one.passed_over, one.refused) == (3, 2, 0)
    np.testing.assert_array_equal(contour_points_px(one.newest.contours[0]), POINTS.astype(np.float32))
    assert one.newest.image is None


def test_who_is_slow_gets_fewer_and_never_later_ones(bridge: Bridge) -> None:
    quick, slow = bridge.connection(), bridge.connection(images=True)
    bridge.until(lambda: bridge.server.client_count == 2, quick, slow)
    seen: list[int] = []
    for number in range(1, 61):
        bridge.server.offer(frame(number), PIXELS)
        bridge.until(lambda wanted=number: quick.newest is not None and quick.newest.number == wanted, quick)
        if number % 20 == 0:  # three times a minute, so to say
            before = slow.received
            bridge.until(lambda had=before: slow.received > had, slow)
            seen.append(slow.newest.number)
    assert (quick.received, quick.passed_over) == (60, 0)
    assert seen == [1, 20, 40], "what it had asked for before; the next request brings what is newest then"
    bridge.until(lambda: slow.newest.number == 60, slow)
    assert slow.newest.image == b"JPEG" + PIXELS.tobytes()


def test_an_image_is_made_once_for_all_who_asked_and_never_for_nobody(bridge: Bridge) -> None:
    first, second, contours = bridge.connection(images=True), bridge.connection(images=True), bridge.connection()
    bridge.until(lambda: bridge.server.client_count == 3, first, second, contours)
    bridge.server.offer(frame(1), PIXELS)
    bridge.until(lambda: all(each.received == 1 for each in (first, second, contours)), first, second, contours)
    bridge.until(lambda: len(bridge.server._waiting) == 3, first, second, contours)
    bridge.server.offer(frame(2), None)
    bridge.until(lambda: first.received == 2, first)
    assert first.newest.image is None
    assert bridge.server.images_encoded == 1


@pytest.mark.parametrize("token", [b"x", bytes(32), Admissions(b"another secret, long", print).issue("")])
def test_without_a_token_of_this_session_nothing_comes(bridge: Bridge, token: bytes) -> None:
    one = bridge.connection()
    bridge.until(lambda: one.refusal, one, token=token)
    bridge.server.offer(frame(1), PIXELS)
    for _ in range(30):
        bridge.turn(one, token=token)
    assert one.newest is None
    assert "token" in one.refusal
    assert not bridge.server._waiting


def test_a_withdrawn_token_ends_what_was_asked_for_with_it(bridge: Bridge) -> None:
    one = bridge.connection()
    bridge.until(lambda: bridge.server._waiting, one)
    bridge.admissions.withdraw(bridge.token)
    bridge.server.withdraw(*bridge.withdrawn)
    bridge.server.offer(frame(1), PIXELS)
    for _ in range(20):
        one.drain()
        bridge.server.poll(1)
    assert one.newest is None


def test_a_goodbye_takes_its_credit_along_and_another_message_is_refused(bridge: Bridge) -> None:
    one = bridge.connection()
    bridge.until(lambda: bridge.server._waiting, one)
    one.socket.send(encode_message(Goodbye(), Session(bytes(16), CLOCK), 90))
    bridge.until(lambda: not bridge.server._waiting)
    one.socket.send(encode_message(frame(3), Session(bytes(16), CLOCK), 91))
    bridge.until(lambda: "UltrasoundFrame on the ultrasound socket" in (one.drain() or one.refusal))


def test_a_link_takes_contours_and_images_apart_and_asks_for_nothing_before_it_may(bridge: Bridge) -> None:
    link = UltrasoundLink(bridge.server.endpoint, bridge.context, Session(bytes(16), CLOCK), bytes(16))
    bridge.server.offer(frame(1), PIXELS)
    for _ in range(10):
        link.poll(None)
        bridge.server.poll(1)
    assert bridge.server.client_count == 0
    deadline_ns = CLOCK.now_ns() + 10_000_000_000
    while not (link.contours.received and link.images.received):
        link.poll(bridge.token)
        bridge.server.poll(1)
        assert CLOCK.now_ns() < deadline_ns
    assert (link.contours.newest.image, bool(link.images.newest.image)) == (None, True)
    link.close()


@given(
    turn=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    place=st.tuples(*[st.floats(-500.0, 500.0)] * 3),
    steps=st.tuples(*[st.floats(0.05, 1.0)] * 2),
)
def test_a_place_comes_back_as_it_was(turn: tuple, place: tuple, steps: tuple) -> None:
    matrix = np.eye(4)
    rotation = Rotation.from_rotvec(turn).as_matrix()
    matrix[:3, 0], matrix[:3, 1] = steps[0] * rotation[:, 0], steps[1] * rotation[:, 1]
    matrix[:3, 2] = np.cross(matrix[:3, 0], matrix[:3, 1])
    matrix[:3, 3] = place
    made = frame(1, **placing_fields(PlacedImage("ct", matrix, 1.5)), placing_reason="")
    check_frame(made)
    back = placed_image(made)
    np.testing.assert_allclose(back.image_px_to_mm, matrix, rtol=0, atol=1e-9)
    assert (back.to_frame, back.expected_p95_mm) == ("ct", 1.5)


def test_pixels_go_where_the_protocol_says() -> None:
    """By hand: (x, y, z) in mm becomes (-x, z, -y) / 1000."""
    matrix = np.array([[0.1, 0.0, 0.0, 10.0], [0.0, 0.2, 0.0, 20.0], [0.0, 0.0, 1.0, 30.0], [0.0, 0.0, 0.0, 1.0]])
    fields = placing_fields(PlacedImage("ct", matrix, None))
    assert fields["first_pixel_m"] == pytest.approx((-0.01, 0.03, -0.02))
    assert fields["along_x_m"] == pytest.approx((-0.0001, 0.0, 0.0))
    assert fields["along_y_m"] == pytest.approx((0.0, 0.0, -0.0002))


@pytest.mark.parametrize(
    "wrong",
    [
        {"placing": Validity.VALID},
        {"state": "black", "reason": "nothing is seen"},
        {"width_px": 0},
        {"height_px": 100_000},
        {"contours": (UltrasoundContour(structure="bone", points_px=b"1234567"),)},
        {"contours": (contour("bone", np.array([[np.nan, 1.0]])),)},
        {"first_pixel_m": (0.0, 0.0, 0.0), "along_x_m": (1.0, 0.0, 0.0), "along_y_m": (0.0, 1.0, 0.0)},
    ],
)
def test_a_frame_that_contradicts_itself_is_none(wrong: dict) -> None:
    check_frame(frame(1))
    with pytest.raises(MalformedMessageError):
        check_frame(frame(1, **wrong))


@pytest.mark.parametrize("placing", Validity)
def test_what_is_doubted_may_have_a_place_and_what_is_lost_has_none(placing: Validity) -> None:
    placed = frame(1, **placing_fields(PlacedImage("ct", np.eye(4), None), placing))
    if placing in (Validity.VALID, Validity.SUSPECT):
        check_frame(placed)
        assert judged(placed, 50_000_000, ClockOffset(0, 0), AgeLimits()).validity is placing
        assert placed_image(placed) is not None
    else:
        with pytest.raises(MalformedMessageError):
            check_frame(placed)


def test_a_repeated_or_damaged_frame_is_not_shown(bridge: Bridge) -> None:
    one = bridge.connection()
    bridge.server.offer(frame(4), PIXELS)
    bridge.until(lambda: one.received == 1, one)
    for number, wrong in enumerate((frame(4), frame(3), frame(9, width_px=0)), start=1):
        bridge.until(lambda: bridge.server._waiting, one)
        one._asked_ns = None
        (identity,) = bridge.server._waiting
        bridge.server._send(identity, wrong)
        bridge.until(lambda count=number: one.refused == count or one.drain(), one)
    assert one.newest.number == 4


@pytest.mark.parametrize(
    ("age_ms", "expected"), [(50, Validity.VALID), (150, Validity.STALE), (300, Validity.LOST), (-200, Validity.LOST)]
)
def test_a_frame_is_judged_by_its_age_as_poses_are(age_ms: int, expected: Validity) -> None:
    one = frame(1, shows_ns=0, **placing_fields(PlacedImage("ct", np.eye(4), 1.0)), placing_reason="")
    shown = judged(one, age_ms * 1_000_000, ClockOffset(0, 0), AgeLimits())
    assert (shown.validity, shown.age_ms) == (expected, age_ms)
    assert bool(shown.reason) == (expected is not Validity.VALID)
    assert judged(one, age_ms * 1_000_000, None, AgeLimits()).validity is Validity.LOST
    unplaced = judged(frame(1, shows_ns=0), 10_000_000, ClockOffset(0, 0), AgeLimits())
    assert (unplaced.validity, unplaced.reason) == (Validity.LOST, "no probe")
