"""What a client decodes of a measured frame is what was measured: over the real socket, with a token."""

from __future__ import annotations

from contextlib import closing

import pytest
import zmq

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.ultrasound.distances.measure import Distances
from navigation.ultrasound.live.outgoing import ClientAccess, OutgoingFrames
from tests.navigation.ultrasound.distances.balls import ball
from tests.navigation.ultrasound.live.vessels import placed
from unity_bridge.client.ultrasound_link import UltrasoundConnection
from unity_bridge.transport.admission import Admissions
from unity_bridge.wire.envelope import Session, Validity
from unity_bridge.wire.messages import UltrasoundFrame

SECRET, CLOCK = bytes(32), MonotonicClock()
ACCESS = ClientAccess(endpoint="tcp://127.0.0.1:*", session_id=bytes(16), admission_secret=SECRET, security=None)


def decoded(outgoing: OutgoingFrames, registered: bool) -> UltrasoundFrame:
    """The next frame at a client that was admitted."""
    measure = Distances(["stylus"])
    measure.follow((("artery", ball((-8.0, 84.8, 15.0), 3.0)),))
    frame = measure.measured(placed(registered=registered))
    token, session = Admissions(SECRET, lambda number: None).issue(""), Session(bytes(16), CLOCK)
    context = zmq.Context()
    client = UltrasoundConnection(f"tcp://127.0.0.1:{outgoing.port}", context, session, None, images=False)
    with closing(client):
        until_ns = CLOCK.now_ns() + 20 * NS_PER_S
        while client.newest is None and CLOCK.now_ns() < until_ns:
            client.ask(token)
            outgoing.poll()
            outgoing.give(frame, "the probe")
            client.drain()
    context.destroy(linger=0)
    assert client.newest is not None, client.refusal
    return client.newest


@pytest.mark.parametrize("registered", [True, False])
def test_a_client_is_told_each_distance_and_why_there_is_none(registered: bool) -> None:
    with closing(OutgoingFrames(ACCESS, (300, 400), 1, CLOCK)) as outgoing:
        to_artery, to_tip = decoded(outgoing, registered).distances
    assert (to_artery.to, to_artery.is_tip, to_tip.to, to_tip.is_tip) == ("artery", False, "stylus", True)
    assert (to_tip.validity, to_tip.distance_mm) == (Validity.LOST, None)
    assert to_tip.reason == "no pose at the time that the image shows: no pose has come"
    if registered:
        # A ball of 3 mm, 6 mm beside the vessel's right edge.
        assert (to_artery.in_frame, to_artery.validity) == ("ct", Validity.VALID)
        assert to_artery.distance_mm == pytest.approx(3.0, abs=0.1)
        assert to_artery.p95_mm is not None
    else:
        assert (to_artery.distance_mm, to_artery.reason) == (None, "the patient is not registered")
