"""Clients that misbehave: refused with a reason, bounded in memory, and nobody else notices."""

import contextlib

import pytest

from geometry.clock import ManualClock
from tests.unity_bridge.harness import Server, client_of, run_until
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.transport.peer import HELLO, Peer
from unity_bridge.control.server import ControlServer, ControlServerSettings
from unity_bridge.errors import SurfaceRefusedError, UnknownSurfaceError
from unity_bridge.surfaces.payload import encode_surface
from unity_bridge.surfaces.server import SurfaceServerSettings
from unity_bridge.transport.router import RouterSettings
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import (
    Acknowledge,
    ClockRequest,
    Error,
    Goodbye,
    Hello,
    SurfaceChunk,
    SurfaceChunkRequest,
    SurfaceListRequest,
    SurfaceManifest,
)


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


@pytest.fixture
def server(open_all) -> Server:
    server = open_all(Server())
    server.offer(tetrahedron())
    return server


def test_noise_is_answered_with_an_error_that_names_it(server, open_all):
    peer = open_all(Peer(server.control.endpoint))
    for noise, complaint in [(b"", "0 bytes"), (b"GET / HTTP/1.1\r\n\r\n", "18 bytes"), (b"x" * 64, "begins with")]:
        peer.socket.send(noise)
        answer = peer.hear(server.control)
        assert isinstance(answer, Error)
        assert complaint in answer.came
    peer.socket.send_multipart([b"one", b"two"])
    assert "2 frames" in peer.hear(server.control).came
    assert server.control.requests_refused == 4
    assert isinstance(peer.ask(server.control, HELLO), type(server.welcome()))


def test_requests_before_hello_and_of_another_session_are_refused(server, open_all):
    peer = open_all(Peer(server.control.endpoint))
    request = ClockRequest(client_sent_ns=1)
    assert peer.ask(server.control, request).code == "UnknownClient"
    peer.ask(server.control, HELLO)
    assert peer.ask(server.control, request).client_sent_ns == 1
    stale = Session(b"another session!", ManualClock())
    assert peer.ask(server.control, request, stale).code == "UnknownClient"


def test_messages_on_the_wrong_socket_are_refused(server, open_all):
    control, surfaces = open_all(Peer(server.control.endpoint)), open_all(Peer(server.surfaces.endpoint))
    control.ask(server.control, HELLO)
    for message in (SurfaceListRequest(), Acknowledge(answers_sequence=1)):
        assert control.ask(server.control, message).code == "UnexpectedMessage"
    assert surfaces.ask(server.surfaces, HELLO).code == "UnexpectedMessage"


@pytest.mark.parametrize(("offset", "length"), [(10**6, 10), (2**64 - 1, 2**32 - 1), (0, 0)])
def test_bytes_that_are_not_there_are_refused(server, open_all, offset, length):
    peer = open_all(Peer(server.surfaces.endpoint))
    request = SurfaceChunkRequest(sha256=server.surfaces.hashes[0], offset=offset, length=length)
    assert peer.ask(server.surfaces, request).code == "UnknownSurface"


def test_unknown_surfaces_are_refused(server, open_all):
    peer = open_all(Peer(server.surfaces.endpoint))
    assert peer.ask(server.surfaces, SurfaceChunkRequest(sha256="00" * 32, offset=0, length=1)).code == "UnknownSurface"
    assert isinstance(peer.ask(server.surfaces, SurfaceListRequest()), SurfaceManifest)
    with pytest.raises(UnknownSurfaceError, match="tetrahedron"):
        server.surfaces.withdraw("liver")


def test_a_greedy_request_gets_one_chunk_at_a_time(open_all):
    server = open_all(Server(surface_settings=SurfaceServerSettings(max_chunk_bytes=1000)))
    server.offer(bumpy_sphere())
    peer = open_all(Peer(server.surfaces.endpoint))
    greedy = SurfaceChunkRequest(sha256=server.surfaces.hashes[0], offset=0, length=2**32 - 1)
    answer = peer.ask(server.surfaces, greedy)
    assert isinstance(answer, SurfaceChunk)
    assert len(answer.data) == 1000


def test_a_client_that_asks_and_never_reads_costs_a_bounded_queue(open_all):
    """What it does not read is dropped for it alone; another client gets every surface meanwhile."""
    server = open_all(Server())
    server.offer(bumpy_sphere(rows=300, columns=300))
    deaf = open_all(Peer(server.surfaces.endpoint, RCVHWM=1, RCVBUF=4096, SNDHWM=0))
    for _ in range(400):
        deaf.say(SurfaceChunkRequest(sha256=server.surfaces.hashes[0], offset=0, length=262_144))
    other = open_all(client_of(server))
    run_until(server, other, lambda: other.is_ready and server.surfaces.replies_dropped > 0)
    assert len(other.surfaces.surfaces) == 1
    assert other.surfaces.reconnects == 0
    assert other.poses.log.lost == 0


def test_an_oversized_request_costs_its_sender_the_connection_only(server, open_all):
    peer = open_all(Peer(server.surfaces.endpoint))
    peer.socket.send(bytes(10_000_000))
    assert peer.hear(server.surfaces, tries=20) is None
    good = open_all(Peer(server.surfaces.endpoint))
    assert isinstance(good.ask(server.surfaces, SurfaceListRequest()), SurfaceManifest)


def test_clients_beyond_the_limit_wait_until_one_leaves_or_falls_silent(open_all):
    clock = ManualClock()
    settings = ControlServerSettings(router=RouterSettings(max_clients=2))
    template = open_all(Server())
    control = open_all(
        ControlServer("tcp://127.0.0.1:*", Session(bytes(16), clock), template.context, template.welcome, settings)
    )
    peers = [open_all(Peer(control.endpoint)) for _ in range(4)]
    welcome = type(template.welcome())
    assert isinstance(peers[0].ask(control, HELLO), welcome)
    assert isinstance(peers[1].ask(control, HELLO), welcome)
    assert peers[2].ask(control, HELLO).code == "TooManyClients"
    peers[0].say(Goodbye())
    peers[0].hear(control, tries=5)
    assert isinstance(peers[2].ask(control, HELLO), welcome)
    assert peers[3].ask(control, HELLO).code == "TooManyClients"
    clock.advance_ns(11_000_000_000)
    assert isinstance(peers[3].ask(control, HELLO), welcome)
    assert control.client_count == 1  # both of the silent ones made room
    assert [type(event.what) for event in control.take_events()] == [Hello, Hello, Goodbye, Hello, Hello]


def test_events_that_nobody_takes_do_not_pile_up(server, open_all):
    settings = ControlServerSettings(max_events=3)
    control = open_all(ControlServer("tcp://127.0.0.1:*", server.session, server.context, server.welcome, settings))
    peer = open_all(Peer(control.endpoint))
    for _ in range(5):
        peer.ask(control, HELLO)
    assert control.events_dropped == 2
    assert len(control.take_events()) == 3
    assert control.take_events() == ()


def test_many_connections_come_and_go(server):
    for _ in range(100):
        with contextlib.closing(Peer(server.control.endpoint)) as peer:
            assert not isinstance(peer.ask(server.control, HELLO), Error)
            peer.say(Goodbye())
            peer.hear(server.control, tries=1)
    for _ in range(20):
        server.control.poll(5)
    assert server.control.client_count <= 1


@pytest.mark.parametrize(
    ("approval", "approved_by"),
    [("suggested", ""), ("rejected", "Dr. A. Example"), ("approved", ""), ("approved", "  "), ("fine", "me"), ("", "")],
)
def test_only_what_a_named_person_approved_is_offered(server, approval, approved_by):
    before = server.surfaces.hashes
    with pytest.raises(SurfaceRefusedError, match="approv"):
        server.surfaces.offer(encode_surface(bumpy_sphere()), approval, approved_by)
    assert server.surfaces.hashes == before


def test_an_edited_surface_replaces_the_one_of_its_name(server):
    server.surfaces.offer(encode_surface(tetrahedron(101.0)), "edited", "Dr. A. Example")
    assert server.surfaces.hashes == (encode_surface(tetrahedron(101.0)).sha256,)


def test_surfaces_on_offer_are_bounded(open_all):
    server = open_all(Server(surface_settings=SurfaceServerSettings(max_surfaces=1)))
    server.offer(tetrahedron())
    with pytest.raises(SurfaceRefusedError, match="withdraw one"):
        server.offer(bumpy_sphere())
