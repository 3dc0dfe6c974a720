"""The package's transport against libzmq and against this project's servers, in both runtimes."""

import contextlib
import hashlib
import os
import socket
import time
from urllib.parse import urlsplit

import pytest
import zmq

from scripts.csharp.build import Runtime
from tests.csharp.remote_probe import RemoteProbe
from tests.csharp.tcp_relay import Relay
from tests.unity_bridge.harness import CLOCK, Server
from tests.unity_bridge.transport.guarded import Guarded
from unity_bridge.transport.keys import KeyPair
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import SurfaceListRequest, encode_message

ANY_PORT = "tcp://127.0.0.1:*"
SIZES = (0, 1, 255, 256, 65_536, 1_000_000)


@pytest.fixture
def probe(transport_probe, tools, runtime):
    probe = RemoteProbe(transport_probe, tools, runtime)
    yield probe
    probe.close()


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


@pytest.fixture(params=["NULL", "CURVE"])
def keys(request) -> tuple[dict, dict]:
    """Options of a libzmq server, and of the probe."""
    if request.param == "NULL":
        return {}, {}
    server, client = KeyPair.new(), KeyPair.new()
    return (
        {zmq.CURVE_SERVER: 1, zmq.CURVE_SECRETKEY: server.secret.encode()},
        {"server": server.public, "secret": client.secret},
    )


def bound(context, kind: int, options: dict, endpoint: str = ANY_PORT) -> tuple[zmq.Socket, str]:
    made = context.socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    for option, value in options.items():
        made.setsockopt(option, value)
    made.bind(endpoint)
    return made, made.getsockopt_string(zmq.LAST_ENDPOINT)


def subscribed(server: zmq.Socket) -> bool:
    """Has an XPUB heard of a subscriber since the last time?"""
    return bool(server.poll(0)) and server.recv() == b"\x01"


def test_subscribes_and_receives_every_size(probe, context, keys):
    server, endpoint = bound(context, zmq.XPUB, keys[0])
    probe.open("sub", endpoint, echo=1, MaxMessageBytes=1_000_000, **keys[1])
    probe.until(lambda: subscribed(server))
    bodies = [os.urandom(size) for size in SIZES]
    for body in bodies:
        server.send(body)
    probe.until(lambda: len(probe.messages) == len(bodies))
    assert probe.messages == [(len(body), hashlib.sha256(body).hexdigest()) for body in bodies]
    assert probe.states[-1] == ("Connected", "")


def test_deals_with_a_router(probe, context, keys):
    server, endpoint = bound(context, zmq.ROUTER, keys[0])
    probe.open("deal", endpoint, echo=1, MaxQueuedBytes=1 << 20, **keys[1])
    probe.await_state("Connected")
    for size in (0, 1, 255, 256, 50_000):
        body = os.urandom(size)
        assert probe.send(body)
        assert server.poll(10_000)
        identity, came = server.recv_multipart()
        assert came == body
        server.send_multipart([identity, came + b"!"])
    probe.until(lambda: len(probe.messages) == 5)
    assert probe.messages[-1] == (50_001, hashlib.sha256(body + b"!").hexdigest())


def test_answers_the_heartbeats_of_libzmq(probe, context, keys):
    """A server that asks every 20 ms and gives up after 300 keeps the connection."""
    server, endpoint = bound(context, zmq.XPUB, {zmq.HEARTBEAT_IVL: 20, zmq.HEARTBEAT_TIMEOUT: 300, **keys[0]})
    probe.open("sub", endpoint, echo=1, HeartbeatIntervalMs=0, **keys[1])
    probe.until(lambda: subscribed(server))
    until = time.monotonic() + 0.8
    probe.until(lambda: time.monotonic() > until)
    server.send(b"still here")
    probe.until(lambda: probe.messages)
    assert [state for state, _ in probe.states].count("Connected") == 1


def test_libzmq_answers_ours(probe, context, keys):
    server, endpoint = bound(context, zmq.XPUB, keys[0])
    probe.open("sub", endpoint, HeartbeatIntervalMs=20, HeartbeatTimeoutMs=300, **keys[1])
    probe.await_state("Connected")
    until = time.monotonic() + 0.8
    probe.until(lambda: time.monotonic() > until)
    assert subscribed(server)
    assert [state for state, _ in probe.states].count("Connected") == 1


def test_finds_a_server_that_was_restarted(probe, context, keys):
    server, endpoint = bound(context, zmq.XPUB, keys[0])
    probe.open("sub", endpoint, echo=1, ReconnectMinMs=5, ReconnectMaxMs=20, **keys[1])
    probe.until(lambda: subscribed(server))
    probe.await_state("Connected")
    server.close()
    probe.await_state("WaitingToRetry")
    server, _ = bound(context, zmq.XPUB, keys[0], endpoint)
    probe.until(lambda: subscribed(server))
    server.send(b"again")
    probe.until(lambda: probe.messages)
    assert probe.report()[2] == 1


def test_a_link_that_has_gone_without_a_word(probe, context, keys, open_all):
    """Nothing is reset and nothing comes: only the missing PONG tells. When the link is back, so are the messages."""
    server, endpoint = bound(context, zmq.XPUB, keys[0])
    relay = open_all(Relay(urlsplit(endpoint).port))
    probe.open(
        "sub", relay.endpoint, echo=1, HeartbeatIntervalMs=50, HeartbeatTimeoutMs=100, ReconnectMinMs=5, **keys[1]
    )
    probe.until(lambda: subscribed(server), relay.poll)
    relay.frozen = True
    probe.await_state("WaitingToRetry", "no sign of life")
    relay.frozen = False
    probe.until(lambda: probe.messages, lambda: (relay.poll(), server.send(b"back")))


def test_a_server_that_reads_nothing_blocks_nobody_and_gets_all_of_it_later(probe, context, keys, open_all):
    """What the system does not take waits, and so does nothing else: not the next command, not the end."""
    server, endpoint = bound(context, zmq.ROUTER, {zmq.RCVHWM: 0, **keys[0]})
    relay = open_all(Relay(urlsplit(endpoint).port))
    probe.open("deal", relay.endpoint, HeartbeatIntervalMs=0, MaxQueuedBytes=1 << 20, **keys[1])
    probe.await_state("Connected", "", relay.poll)
    relay.frozen = True
    taken = []
    while probe.send(body := len(taken).to_bytes(4, "little") + os.urandom(400_000)):
        taken.append(body)
    assert probe.report()[2] == 0, "answered, and on the same connection"
    relay.frozen = False
    came = []

    def receive() -> None:
        relay.poll()
        while server.poll(0):
            came.append(server.recv_multipart()[1])

    probe.until(lambda: len(came) == len(taken), receive)
    assert came == taken
    relay.frozen = True
    while probe.send(body):
        pass
    probe.stop()
    probe.await_state("Closed")


def test_a_black_hole_is_left_in_time(probe, open_all):
    """A listener whose queue is full drops SYN after SYN, as a firewall does."""
    hole = open_all(socket.socket())
    hole.bind(("127.0.0.1", 0))
    hole.listen(0)
    waiting = [open_all(socket.socket()) for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(hole.getsockname())
    endpoint = f"tcp://127.0.0.1:{hole.getsockname()[1]}"
    probe.open("sub", endpoint, ConnectTimeoutMs=100, ReconnectMinMs=5)
    probe.await_state("WaitingToRetry", "no answer from 127.0.0.1")
    probe.open("sub", endpoint)
    probe.await_state("Connecting")
    probe.stop()
    probe.await_state("Closed")


def test_a_name_is_looked_up(probe, context):
    server, endpoint = bound(context, zmq.XPUB, {})
    probe.open("sub", endpoint.replace("127.0.0.1", "localhost"))
    probe.until(lambda: subscribed(server))
    probe.open("sub", "tcp://no-such-host.invalid:5570")
    probe.await_state("WaitingToRetry", "no address for 'no-such-host.invalid'")


# ---------------------------------------------------------------------------------------------------------------- keys


def test_a_server_with_another_key_is_not_believed(probe, context):
    keys = {zmq.CURVE_SERVER: 1, zmq.CURVE_SECRETKEY: KeyPair.new().secret.encode()}
    server, endpoint = bound(context, zmq.XPUB, keys)
    probe.open("sub", endpoint, server=KeyPair.new().public, secret=KeyPair.new().secret)
    probe.await_state("Refused", "another key than the one pinned")
    assert not server.poll(0)


def test_keys_meet_no_keys(probe, context):
    server, client = KeyPair.new(), KeyPair.new()
    first, keyed = bound(context, zmq.XPUB, {zmq.CURVE_SERVER: 1, zmq.CURVE_SECRETKEY: server.secret.encode()})
    second, keyless = bound(context, zmq.XPUB, {})
    probe.open("sub", keyed)
    probe.await_state("Refused", "wants keys (CURVE)")
    probe.open("sub", keyless, server=server.public, secret=client.secret)
    probe.await_state("Refused", "the server's mechanism is 'NULL'")
    assert not first.poll(0)
    assert not second.poll(0)


def test_the_wrong_port_is_told(probe, context):
    server, endpoint = bound(context, zmq.ROUTER, {})
    probe.open("sub", endpoint)
    probe.await_state("Refused", "PUB or XPUB: is the port the right one?")
    assert not server.poll(0)


def test_a_message_that_was_changed_on_its_way(probe, context, open_all):
    keys, client = KeyPair.new(), KeyPair.new()
    server, endpoint = bound(context, zmq.XPUB, {zmq.CURVE_SERVER: 1, zmq.CURVE_SECRETKEY: keys.secret.encode()})
    relay = open_all(Relay(urlsplit(endpoint).port))
    probe.open("sub", relay.endpoint, echo=1, ReconnectMinMs=5, server=keys.public, secret=client.secret)
    probe.until(lambda: subscribed(server), relay.poll)
    relay.tamper = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    server.send(b"a pose")
    probe.await_state("WaitingToRetry", "changed on its way", relay.poll)
    relay.tamper = lambda data: data
    probe.until(lambda: subscribed(server), relay.poll)
    relay.tamper = lambda data: data + data
    server.send(b"a pose")
    probe.await_state("WaitingToRetry", "second time", relay.poll)
    probe.until(lambda: probe.messages, relay.poll)
    assert len(probe.messages) == 1


# ----------------------------------------------------------------------------------------------- this project's servers


def test_poses_and_a_welcome_of_our_own_servers(probe, open_all, tmp_path):
    """With keys: let in while enrolled, told so when revoked, and told apart from somebody unknown."""
    guarded = Guarded(tmp_path)
    enrolled = guarded.enroll("headset-1")
    options = {"server": enrolled.server_public, "secret": enrolled.own.secret}
    server = open_all(guarded.server())

    def work() -> None:
        server.publish()
        server.serve()

    token = server.admissions.issue(enrolled.own.public).hex()
    probe.open("sub", server.poses.endpoint, echo=1, ReconnectMinMs=5, ReconnectMaxMs=20, token=token, **options)
    probe.until(lambda: len(probe.messages) > 20, work)
    guarded.revoke("headset-1")
    probe.await_state("Refused", "not enrolled, expired, or revoked", work)

    probe.open("deal", server.control.endpoint, server=enrolled.server_public, secret=KeyPair.new().secret)
    probe.await_state("Refused", "not enrolled, expired, or revoked", work)


def test_our_own_servers_without_keys(probe, open_all):
    server = open_all(Server())
    probe.open("deal", server.surfaces.endpoint, echo=1)
    probe.await_state("Connected", work=server.serve)
    assert probe.send(encode_message(SurfaceListRequest(), Session(bytes(16), CLOCK), 1))
    probe.until(lambda: probe.messages, server.serve)
    assert (server.surfaces.client_count, server.surfaces.requests_refused) == (1, 0)


# ---------------------------------------------------------------------------------------------------------- allocations


@pytest.mark.parametrize("runtime", [Runtime.DOTNET], ids=["dotnet"])
def test_receiving_makes_no_garbage(probe, context, keys):
    """Polls, heartbeats, decryption and all, in .NET, which counts; Mono does not."""
    server, endpoint = bound(context, zmq.XPUB, keys[0])
    probe.open("sub", endpoint, HeartbeatIntervalMs=1, **keys[1])
    probe.until(lambda: subscribed(server))
    send_some(server, 300)
    probe.until(lambda: probe.report()[0] == 300)
    probe.measure(2000)
    assert probe.await_line("measured", lambda: send_some(server, 20)) == ["0"]


def send_some(server: zmq.Socket, count: int) -> None:
    for _ in range(count):
        server.send(bytes(1900))
        time.sleep(0.0002)
