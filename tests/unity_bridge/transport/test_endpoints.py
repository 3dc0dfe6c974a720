"""Without keys, nobody but this machine may reach a socket."""

import pytest
import zmq

from geometry.clock import ManualClock
from unity_bridge.control.server import ControlServer
from unity_bridge.errors import EndpointRefusedError
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.surfaces.server import SurfaceServer
from unity_bridge.transport.endpoints import bind, check_bindable, connect
from unity_bridge.wire.envelope import Session

SESSION = Session(bytes(16), ManualClock())


@pytest.mark.parametrize(
    ("endpoint", "bound"),
    [
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("tcp://127.3.2.1:5555", "tcp://127.3.2.1:5555"),
        ("tcp://localhost:0", "tcp://127.0.0.1:0"),
        ("tcp://[::1]:5555", "tcp://[::1]:5555"),
        ("inproc://poses", "inproc://poses"),
        ("ipc:///tmp/poses", "ipc:///tmp/poses"),
    ],
)
def test_loopback_may_be_bound(endpoint, bound):
    assert check_bindable(endpoint) == bound


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://*:5555",
        "tcp://0.0.0.0:5555",
        "tcp://[::]:5555",
        "tcp://192.168.1.10:5555",
        "tcp://eth0:5555",
        "tcp://lo:5555",
        "tcp://localhost.example.org:5555",
        "tcp://127.0.0.1.example.org:5555",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:5555;192.168.1.10:5555",
        "tcp://2130706433:5555",
        "tcp://127.1:5555",
        "tcp://[::ffff:192.168.1.10]:5555",
        "udp://127.0.0.1:5555",
        "epgm://eth0;239.192.1.1:5555",
        "ws://127.0.0.1:5555",
        " tcp://127.0.0.1:5555",
        "127.0.0.1:5555",
        "",
    ],
)
def test_everything_else_is_refused(endpoint):
    with pytest.raises(EndpointRefusedError):
        check_bindable(endpoint)


def test_every_server_refuses_a_public_address():
    with zmq.Context() as context:
        for build in (
            lambda: PosePublisher("tcp://0.0.0.0:*", SESSION),
            lambda: SurfaceServer("tcp://0.0.0.0:*", SESSION, context),
            lambda: ControlServer("tcp://0.0.0.0:*", SESSION, context, lambda: None),
        ):
            with pytest.raises(EndpointRefusedError, match="without keys"):
                build()


def test_an_address_in_use_is_named():
    with zmq.Context() as context, bind(context, zmq.PUB, "tcp://127.0.0.1:*", {}) as first:
        taken = first.getsockopt_string(zmq.LAST_ENDPOINT)
        with pytest.raises(EndpointRefusedError, match="in use"):
            bind(context, zmq.PUB, taken, {})


def test_connecting_to_no_address_is_refused():
    with zmq.Context() as context, pytest.raises(EndpointRefusedError):
        connect(context, zmq.SUB, "nowhere", {})
