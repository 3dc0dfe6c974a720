"""Floods: what one client sends too much of is refused or cut off, and another is answered in its turn."""

import contextlib
import os
import socket as sockets
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from geometry.clock import ManualClock
from tests.unity_bridge.harness import CLOCK, Server, client_of, run_until
from tests.unity_bridge.strategies import bumpy_sphere
from tests.unity_bridge.transport.guarded import Guarded, reasons
from tests.unity_bridge.transport.peer import HELLO, Peer
from unity_bridge.control.server import ControlServer, ControlServerSettings
from unity_bridge.poses.publisher import PosePublisher, PublisherSettings
from unity_bridge.transport import connections
from unity_bridge.transport.authentication import client_options
from unity_bridge.transport.connections import ConnectionSettings
from unity_bridge.transport.rate_limit import TokenBucket
from unity_bridge.transport.router import RouterSettings
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import ClockReply, ClockRequest, Error, SurfaceChunkRequest, encode_message

SECOND_NS = 1_000_000_000
GREETING, CURVE_HELLO, CURVE_WELCOME = 64, 202, 170  # bytes, ZeroMQ RFC 23 and 26 with the frame's two
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


def wait(step, condition, seconds: float = 60.0) -> None:
    deadline_ns = CLOCK.now_ns() + round(seconds * SECOND_NS)
    while not condition():
        assert CLOCK.now_ns() < deadline_ns
        step()


class Subscriber:
    """An XSUB: it may subscribe as often as it likes."""

    def __init__(self, endpoint: str, keys=None) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XSUB)
        for option, value in {zmq.LINGER: 0, zmq.SNDHWM: 0, **client_options(keys)}.items():
            self.socket.setsockopt(option, value)
        self.socket.connect(endpoint)

    def close(self) -> None:
        self.context.destroy(linger=0)


# -------------------------------------------------------------------------------------------------------------- bucket
def test_a_bucket_holds_its_burst_and_fills_at_its_rate():
    bucket = TokenBucket(rate_per_s=10, burst=3, now_ns=0)
    assert [bucket.take(1, 0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(1, 99_999_999)
    assert bucket.take(1, 100_000_000)
    assert not bucket.take(4, 10**12)  # never more than the burst
    assert bucket.take(3, 10**12)
    assert not bucket.take(1, 0)  # a clock that goes back earns nothing


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, SECOND_NS)), max_size=60))
def test_no_pattern_takes_more_than_burst_and_rate(steps):
    bucket, now_ns, taken = TokenBucket(rate_per_s=7, burst=40, now_ns=0), 0, 0
    for amount, pause_ns in steps:
        now_ns += pause_ns
        taken += amount * bucket.take(amount, now_ns)
        assert taken * SECOND_NS <= 40 * SECOND_NS + 7 * now_ns


# ------------------------------------------------------------------------------------------------------------ requests
def test_who_asks_too_fast_is_told_and_may_ask_again_later(open_all):
    clock, template = ManualClock(), open_all(Server())
    settings = ControlServerSettings(router=RouterSettings(requests_per_s=2, burst_requests=5))
    session = Session(bytes(16), clock)
    control = open_all(ControlServer("tcp://127.0.0.1:*", session, template.context, template.welcome, settings))
    peer = open_all(Peer(control.endpoint))
    answers = [peer.ask(control, HELLO) for _ in range(7)]
    assert [getattr(answer, "code", "") for answer in answers] == [""] * 5 + ["TooManyRequests"] * 2
    assert control.requests_limited == 2
    other = open_all(Peer(control.endpoint))
    assert not isinstance(other.ask(control, HELLO), Error)  # its own bucket
    clock.advance_ns(SECOND_NS)
    answers = [peer.ask(control, HELLO) for _ in range(3)]
    assert [getattr(answer, "code", "") for answer in answers] == ["", "", "TooManyRequests"]


def test_two_connections_of_one_key_share_one_allowance(open_all, tmp_path):
    guarded = Guarded(tmp_path)
    keys = guarded.enroll("a")
    server = open_all(guarded.server())
    settings = ControlServerSettings(router=RouterSettings(requests_per_s=1, burst_requests=3))
    session = Session(bytes(16), ManualClock())
    control = open_all(
        ControlServer("tcp://127.0.0.1:*", session, server.context, server.welcome, settings, server.gate)
    )
    peers = [open_all(Peer(control.endpoint, **_named(keys))) for _ in range(2)]
    answers = [peer.ask(control, HELLO) for _ in range(2) for peer in peers]
    assert [getattr(answer, "code", "") for answer in answers] == ["", "", "", "TooManyRequests"]


def test_a_flood_leaves_another_client_its_turn(open_all):
    """Counted in requests served, not in time: ZeroMQ takes connections in turn, so B waits for one of A's at most
    each time it is asked, whatever A has piled up."""
    server = open_all(Server())
    flooder, patient = open_all(Peer(server.control.endpoint, SNDHWM=0)), open_all(Peer(server.control.endpoint))
    assert not isinstance(patient.ask(server.control, HELLO), Error)
    for _ in range(8000):  # not so many that their bytes alone would cost the connection
        flooder.say(ClockRequest(client_sent_ns=1))
    wait(lambda: server.control.poll(5), lambda: server.control.requests_refused > 100)
    for number in range(20):
        patient.say(ClockRequest(client_sent_ns=number))
        assert isinstance(patient.hear(server.control, tries=2000), ClockReply)
    wait(lambda: server.control.poll(5), lambda: server.control.requests_refused >= 8000)
    assert server.control.requests_limited > 0  # unread; the others came before Hello
    assert server.control.client_count == 2


def test_what_waits_for_a_client_that_does_not_read_is_counted(open_all):
    """Answers under way are what was sent and not dropped: 16 in the queue and what TCP holds; nothing grows with
    what is asked for."""
    server = open_all(Server())
    server.offer(bumpy_sphere(rows=300, columns=300))
    deaf = open_all(Peer(server.surfaces.endpoint, RCVHWM=1, RCVBUF=4096, SNDHWM=0))
    sha256 = server.surfaces.hashes[0]
    for _ in range(1000):
        deaf.say(SurfaceChunkRequest(sha256=sha256, offset=0, length=262_144))
    served = 0
    deadline_ns = CLOCK.now_ns() + 60 * SECOND_NS
    while served < 1000:
        assert CLOCK.now_ns() < deadline_ns
        served += server.surfaces.poll(5)
    # The kernel's send buffer grows to 4 MB by itself on Linux: 16 chunks; libzmq's encoder holds one or two.
    assert served - server.surfaces.replies_dropped <= 16 + 16 + 16


# --------------------------------------------------------------------------------------------------------- connections
def test_a_message_without_end_costs_the_connection(open_all):
    """One message of many frames never arrives, and fills the server meanwhile: 1.6 GB in 4 s without this bound."""
    server = open_all(Server())
    good = open_all(client_of(server))
    run_until(server, good, lambda: good.is_ready)
    host, port = server.control.endpoint.removeprefix("tcp://").split(":")
    with sockets.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + bytes(32))
        raw.sendall(b"\x04" + bytes([len(READY)]) + READY)
        heard = b""
        while b"ROUTER" not in heard:  # before it has said so, more would be a broken handshake
            heard += raw.recv(4096)
        raw.setblocking(False)
        frame = b"\x03" + (60_000).to_bytes(8, "big") + bytes(60_000)  # 3: long, and more to come
        sent, waiting = 0, b""

        def flood() -> None:
            nonlocal sent, waiting
            waiting = waiting or frame
            with contextlib.suppress(BlockingIOError):
                count = raw.send(waiting)
                sent, waiting = sent + count, waiting[count:]
            server.publish()
            server.serve()
            good.poll(0)

        with pytest.raises((ConnectionError, BrokenPipeError)):
            wait(flood, lambda: False)
    assert "more than 1048576 a second" in reasons(server)
    assert good.poses.log.lost == good.control.refused == 0


@pytest.mark.parametrize("keyed", [False, True])
def test_subscriptions_without_end_cost_the_connection(open_all, tmp_path, keyed):
    guarded = Guarded(tmp_path)
    server = open_all(guarded.server() if keyed else Server())
    keys, good_keys = (guarded.enroll("a"), guarded.enroll("b")) if keyed else (None, None)
    good = open_all(client_of(server, keys=good_keys))
    run_until(server, good, lambda: good.is_ready)
    flooder = open_all(Subscriber(server.poses.endpoint, keys))
    for _ in range(1000):
        flooder.socket.send(b"\x01" + os.urandom(100))
    cut = []
    run_until(server, good, lambda: cut.append(reasons(server)) or "cut off" in "".join(cut), seconds=60.0)
    assert "messages on a socket that takes none" in "".join(cut) or "a second" in "".join(cut)
    assert good.poses.log.lost == 0


def test_subscribers_beyond_the_limit_are_cut_off(open_all):
    settings = PublisherSettings(connections=ConnectionSettings(max_connections=3, max_messages=8))
    publisher = open_all(PosePublisher("tcp://127.0.0.1:*", Session(bytes(16), CLOCK), settings))
    subscribers = []
    for _ in range(6):
        subscriber = open_all(Subscriber(publisher.endpoint))
        subscriber.socket.send(b"\x01")
        subscribers.append(subscriber)
    told = []
    wait(
        lambda: (publisher.publish([], 0), told.extend(publisher.take_refusals())),
        lambda: publisher.subscriber_count == 3 and publisher._connections.cut_off >= 3,
    )
    assert any("more than 3 connections" in str(one) for one in told)


class EarlyFrame:
    """A message as ZeroMQ hands it out, of a connection that it has not told of yet."""

    def __init__(self, fd: int, key: str) -> None:
        self._properties = {zmq.SRCFD: fd, "User-Id": key}

    def get(self, name):
        return self._properties[name]


def test_a_message_that_comes_before_its_connection_is_told_of_counts(open_all, tmp_path):
    """On a busy machine it does; the connection would never be known by its key, and outlive its revocation."""
    pair = Guarded(tmp_path).enroll("a").own
    publisher = open_all(PosePublisher("tcp://127.0.0.1:*", Session(bytes(16), CLOCK)))
    connections = publisher._connections
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        far = open_all(sockets.create_connection(listener.getsockname()))
        near, _ = listener.accept()
        with near:
            assert connections.note(EarlyFrame(near.fileno(), pair.public)) == (pair.public, None)
            connections._accept(near.fileno())
            assert connections.count == 1
            connections.cut_unless(lambda key: "revoked key" if key == pair.public else "")
            assert far.recv(1) == b""
    assert connections.count == 0


def test_the_newest_connections_of_one_key_stay(open_all, tmp_path):
    """After a broken link the server may still believe in the old connection; the headset must come in again."""
    guarded = Guarded(tmp_path)
    keys = guarded.enroll("a")
    server = open_all(guarded.server())
    for _ in range(6):  # all stay open
        client = open_all(client_of(server, keys=keys))
        run_until(server, client, lambda client=client: client.is_ready)
    assert server.poses.subscriber_count <= 4
    assert server.control.client_count <= 4
    assert "more than 4 connections of one key" in reasons(server)


# -------------------------------------------------------------------------------------------------- replayed, truncated
def test_a_request_that_was_there_already_is_refused(open_all):
    server = open_all(Server())
    peer = open_all(Peer(server.control.endpoint))
    peer.ask(server.control, HELLO)
    request = encode_message(ClockRequest(client_sent_ns=1), Session(bytes(16), CLOCK), 7)
    peer.socket.send(request)
    assert isinstance(peer.hear(server.control), ClockReply)
    for copy in (request, encode_message(ClockRequest(client_sent_ns=1), Session(bytes(16), CLOCK), 6)):
        peer.socket.send(copy)
        answer = peer.hear(server.control)
        assert answer.code == "RepeatedMessage"
        assert "after 7" in answer.came


def test_every_truncation_of_a_request_is_refused(open_all):
    server = open_all(Server())
    peer = open_all(Peer(server.control.endpoint))
    whole = encode_message(HELLO, Session(bytes(16), CLOCK), 1)
    for length in range(len(whole)):
        peer.socket.send(whole[:length])
        assert peer.hear(server.control).code == "MalformedMessage"
    peer.socket.send(whole)
    assert not isinstance(peer.hear(server.control), Error)


def test_a_recorded_conversation_is_worth_nothing(open_all, tmp_path):
    """All bytes that an enrolled client sent, once more: the server's half of the handshake is new; they are noise."""
    guarded = Guarded(tmp_path)
    keys = guarded.enroll("a")
    server = open_all(guarded.server())
    host, port = server.control.endpoint.removeprefix("tcp://").split(":")
    with sockets.create_server(("127.0.0.1", 0)) as tap:
        peer = open_all(Peer(f"tcp://127.0.0.1:{tap.getsockname()[1]}", **_named(keys)))
        peer.say(HELLO)
        near, _ = tap.accept()
        with near, sockets.create_connection((host, int(port))) as far:
            recorded = _relay(near, far, server, lambda: server.control.client_count == 1)
    assert len(server.control.take_events()) == 1
    with sockets.create_connection((host, int(port))) as replay:
        replay.sendall(recorded[: GREETING + CURVE_HELLO])
        replay.settimeout(0.01)
        heard, told = [], []

        def listen() -> None:
            server.serve(1)
            with contextlib.suppress(TimeoutError):
                heard.append(replay.recv(4096))

        wait(listen, lambda: sum(map(len, heard)) >= GREETING + CURVE_WELCOME)
        replay.sendall(recorded[GREETING + CURVE_HELLO :])
        wait(lambda: (server.serve(5), told.append(reasons(server))), lambda: "sent old bytes again" in "".join(told))
    assert server.control.take_events() == ()


def _relay(near: sockets.socket, far: sockets.socket, server: Server, condition) -> bytes:
    near.setblocking(False)
    far.setblocking(False)
    recorded = b""

    def step() -> None:
        nonlocal recorded
        for source, drain in ((near, far), (far, near)):
            with contextlib.suppress(BlockingIOError):
                data = source.recv(65_536)
                drain.sendall(data)
                recorded += data if source is near else b""
        server.serve(1)

    wait(step, condition)
    return recorded


def _named(keys) -> dict[str, bytes]:
    """Options by name, as `Peer` takes them."""
    return {zmq.SocketOption(option).name: value for option, value in client_options(keys).items()}


def test_a_number_that_has_become_a_file_s_is_no_connection_and_holds_no_file_open() -> None:
    event = os.eventfd(0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    try:
        assert [connections._with(event, lambda each: each.getpeername()) for _ in range(20)] == [None] * 20
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        os.close(event)
