"""What a client gets of a frame that is placed, doubted or lost: over a real socket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
import zmq

from navigation.clock import MonotonicClock
from navigation.ultrasound.live.outgoing import ClientAccess, OutgoingFrames
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from tests.navigation.ultrasound.live.probes import LAG_S, MS, SIZE_PX, patient, probe_in_force, told
from tests.navigation.ultrasound.results import pixels, result
from unity_bridge.client.ultrasound_link import UltrasoundConnection
from unity_bridge.transport.admission import Admissions
from unity_bridge.ultrasound.placed import placed_image
from unity_bridge.wire.envelope import NO_SESSION, Session, Validity

CLOCK = MonotonicClock()
SECRET, SESSION = bytes(32), bytes(range(16))


def frame(shows_ns: int):
    return result(1, shows_ns - round(LAG_S * 1e9), pixels=pixels(size=SIZE_PX[::-1]))


def timeline(until_ms: int = 1000) -> PlacingTimeline:
    line = PlacingTimeline(probe_in_force())
    for at_ms in range(0, until_ms + 1, 10):
        line.note([told(at_ms * MS)])
    return line


@pytest.fixture
def outgoing() -> Iterator[OutgoingFrames]:
    access = ClientAccess(endpoint="tcp://127.0.0.1:*", session_id=SESSION, admission_secret=SECRET, security=None)
    with contextlib.closing(OutgoingFrames(access, (160, 160), 1, CLOCK)) as made:
        yield made


@pytest.fixture
def client(outgoing: OutgoingFrames) -> Iterator[UltrasoundConnection]:
    with zmq.Context() as context:
        where = f"tcp://127.0.0.1:{outgoing.port}"
        made = UltrasoundConnection(where, context, Session(NO_SESSION, CLOCK), None, images=False)
        yield made
        made.close()


def received(outgoing: OutgoingFrames, client: UltrasoundConnection):
    token, deadline_ns = Admissions(SECRET, lambda number: None).issue(""), CLOCK.now_ns() + 10_000_000_000
    while client.newest is None or client.newest.number < outgoing.number:
        client.ask(token)
        outgoing.poll()
        client.drain()
        assert CLOCK.now_ns() < deadline_ns, client.refusal
    assert client.refused == 0
    return client.newest


def test_a_doubted_frame_goes_out_with_its_place_and_the_doubt(
    outgoing: OutgoingFrames, client: UltrasoundConnection
) -> None:
    line = timeline()
    line.note([patient()])
    sure = line.place(frame(500 * MS))
    outgoing.give(sure, "a probe")
    got = received(outgoing, client)
    assert (got.placing, got.placing_reason, got.to_frame) == (Validity.VALID, "", "ct")
    line.note([patient(Validity.SUSPECT, "bumped")])
    doubted = line.place(frame(500 * MS))
    outgoing.give(doubted, "a probe")
    got = received(outgoing, client)
    assert (got.placing, got.placing_reason) == (Validity.SUSPECT, "patient suspect: bumped")
    placed = placed_image(got)
    assert placed.to_frame == doubted.to_frame
    np.testing.assert_allclose(placed.image_px_to_mm[:, :2], doubted.T_placed_image_px[:, :2], atol=1e-9)
    np.testing.assert_allclose(placed.image_px_to_mm[:, 3], doubted.T_placed_image_px[:, 3], atol=1e-9)
    assert placed.expected_p95_mm is None, "of a doubted place nobody knows how far it may be off"


def test_what_is_lost_has_no_place(outgoing: OutgoingFrames, client: UltrasoundConnection) -> None:
    line = timeline(200)
    line.note([told(210 * MS, Validity.LOST, "occluded")])
    outgoing.give(line.place(frame(205 * MS)), "a probe")
    got = received(outgoing, client)
    assert got.placing is Validity.LOST
    assert "lost: occluded" in got.placing_reason
    assert placed_image(got) is None
