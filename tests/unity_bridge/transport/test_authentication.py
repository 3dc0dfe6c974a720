"""Who is let in, who is put out, and that each is told why, on both sides."""

import contextlib

import pytest
import zmq

from tests.unity_bridge.harness import CLOCK, Server, client_of, run_until
from tests.unity_bridge.strategies import tetrahedron
from tests.unity_bridge.transport.guarded import Guarded, reasons
from unity_bridge.client.link_watch import LinkState
from unity_bridge.errors import EndpointRefusedError, KeyFileError
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.transport.authentication import Gate
from unity_bridge.transport.endpoints import check_bindable
from unity_bridge.transport.keys import ClientKeys, KeyPair, fingerprint
from unity_bridge.wire.envelope import Session


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


@pytest.fixture
def guarded(tmp_path) -> Guarded:
    return Guarded(tmp_path)


def test_an_enrolled_client_gets_everything(guarded, open_all):
    keys = guarded.enroll("headset-1")
    server = open_all(guarded.server())
    server.offer(tetrahedron())
    client = open_all(client_of(server, keys=keys))
    run_until(server, client, lambda: client.is_ready)
    assert client.poses.watch.state is client.control.watch.state is LinkState.OPEN
    assert client.refusal == reasons(server) == ""
    assert client.poses.refused == 0


def test_an_unknown_key_is_refused_by_its_fingerprint(guarded, open_all):
    guarded.enroll("headset-1")
    server = open_all(guarded.server())
    stranger = KeyPair.new()
    client = open_all(client_of(server, keys=guarded.keys_of(stranger)))
    run_until(server, client, lambda: client.control.watch.reason and client.poses.watch.reason)
    own = fingerprint(stranger.public)
    assert f"refuses this client's key {own}: not enrolled" in client.refusal
    assert f"unknown key {fingerprint(stranger.public)}" in reasons(server)
    assert client.poses.log.received == server.control.client_count == server.poses.subscriber_count == 0


def test_a_refused_client_says_so_and_not_that_the_server_is_slow(guarded, open_all):
    """libzmq gives up after the refusal, and a full queue looks like a server that does not read: nothing may wait."""
    server = open_all(guarded.server())
    stranger = KeyPair.new()
    client = open_all(client_of(server, keys=guarded.keys_of(stranger)))
    run_until(server, client, lambda: client.control.watch.reason)
    for _ in range(200):
        client.control.say_hello()  # more than the queue holds; a send that waited would wait for ever
    assert client.control.last_refusal == client.control.watch.reason
    assert fingerprint(stranger.public) in client.control.last_refusal
    before = client.surfaces.reconnects
    end_ns = CLOCK.now_ns() + 2_500_000_000
    run_until(server, client, lambda: CLOCK.now_ns() > end_ns)
    assert client.surfaces.reconnects <= before + 1, "every 5 s at most, the surface link too"


def test_a_client_without_keys_is_refused(guarded, open_all):
    server = open_all(guarded.server())
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.watch.reason and client.poses.watch.reason)
    assert "this client has none" in client.refusal
    seen = []
    run_until(server, client, lambda: seen.append(reasons(server)) or "no handshake" in "".join(seen))
    assert client.poses.log.received == 0


def test_a_client_with_keys_does_not_talk_to_a_server_without(guarded, open_all):
    """Or whoever takes the server's address would be believed."""
    keys = guarded.enroll("headset-1")
    impostor = open_all(Server())
    client = open_all(client_of(impostor, keys=keys))
    run_until(impostor, client, lambda: client.control.watch.reason and client.poses.watch.reason)
    assert "uses no keys" in client.refusal
    assert client.poses.log.received == 0


def test_a_server_with_another_key_is_not_believed(guarded, open_all):
    keys = guarded.enroll("headset-1")
    server = open_all(guarded.server())
    pinned = ClientKeys(server_public=KeyPair.new().public, own=keys.own)
    client = open_all(client_of(server, keys=pinned))
    run_until(server, client, lambda: client.control.watch.reason and client.poses.watch.reason)
    assert "not the one that was enrolled" in client.refusal
    assert "has not this server's public key" in reasons(server)
    assert client.poses.log.received == 0


def test_a_revoked_client_is_put_out_and_others_lose_nothing(guarded, open_all):
    """Poses stop at once by cutting its connection; the other two are told the reason, and end a second later."""
    lost, kept = guarded.enroll("lost"), guarded.enroll("kept")
    server = open_all(guarded.server())
    first, second = open_all(client_of(server, keys=lost)), open_all(client_of(server, keys=kept))
    run_until(server, first, lambda: second.poll(0) or (first.is_ready and second.is_ready))

    guarded.revoke("lost")
    run_until(server, first, lambda: second.poll(0) or first.poses.watch.state is LinkState.REFUSED)
    received = first.poses.log.received
    assert f"revoked key {fingerprint(lost.own.public)} of 'lost'" in reasons(server)
    run_until(server, first, lambda: second.poll(0) or "KeyRefused" in first.control.last_refusal)
    assert f"{fingerprint(lost.own.public)} of 'lost'" in first.control.last_refusal
    run_until(server, first, lambda: second.poll(0) or first.control.watch.state is LinkState.REFUSED)
    assert server.control.client_count == server.surfaces.client_count == 1
    assert f"cut off: revoked key {fingerprint(lost.own.public)}" in reasons(server)
    goal = second.poses.log.received + 200
    run_until(server, first, lambda: second.poll(0) or second.poses.log.received > goal)
    assert first.poses.log.received == received
    assert second.poses.log.lost == second.control.refused == 0
    assert second.refusal == ""


def test_a_key_ends_with_its_date(guarded, open_all):
    keys = guarded.enroll("headset-1", expires_s=1_000_100)
    server = open_all(guarded.server())
    client = open_all(client_of(server, keys=keys))
    run_until(server, client, lambda: client.is_ready)
    guarded.unix_time_s = 1_000_100.0
    run_until(server, client, lambda: client.poses.watch.state is LinkState.REFUSED)
    assert "expired key" in reasons(server)


def test_who_is_enrolled_while_the_server_runs_comes_in(guarded, open_all):
    server = open_all(guarded.server())
    keys = guarded.enroll("headset-1")
    client = open_all(client_of(server, keys=keys))
    run_until(server, client, lambda: client.is_ready)
    assert reasons(server) == ""


def test_a_damaged_allow_list_changes_nobody_s_rights_and_is_told(guarded, open_all):
    keys = guarded.enroll("headset-1")
    server = open_all(guarded.server())
    guarded.path.write_text("{", encoding="utf-8")
    client = open_all(client_of(server, keys=keys))
    run_until(server, client, lambda: client.is_ready)
    assert "the last good one stays in force" in reasons(server)
    guarded.path.unlink()  # on purpose: nobody is allowed
    run_until(server, client, lambda: client.poses.watch.state is LinkState.REFUSED)
    guarded.path.write_text("{", encoding="utf-8")
    with pytest.raises(KeyFileError, match="allow list"):
        guarded.server()


def test_with_keys_any_address_may_be_bound_but_no_name(guarded, open_all):
    for endpoint in ("tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://192.168.1.10:5555", "tcp://[::]:5555"):
        assert check_bindable(endpoint, with_keys=True) == endpoint
    for endpoint in ("tcp://eth0:5555", "tcp://server.example.org:5555", "udp://*:5555", "tcp://*"):
        with pytest.raises(EndpointRefusedError, match="with keys"):
            check_bindable(endpoint, with_keys=True)
    publisher = open_all(PosePublisher("tcp://0.0.0.0:*", Session(bytes(16), CLOCK), security=guarded.security))
    assert publisher.endpoint.startswith("tcp://0.0.0.0:")
    with pytest.raises(EndpointRefusedError, match="surgnav keys new"):
        PosePublisher("tcp://0.0.0.0:*", Session(bytes(16), CLOCK))


def test_a_server_whose_gate_is_gone_lets_nobody_in(guarded, open_all):
    """libzmq without a gate would let in every key; the domain that it must enforce keeps it from that."""
    keys = guarded.enroll("headset-1")
    server = open_all(guarded.server())
    server.poses._gate.close()
    server.poses._gate = None
    client = open_all(client_of(server, keys=keys))
    run_until(server, client, lambda: client.control.watch.state is LinkState.OPEN)
    for _ in range(50):
        server.publish()
        client.poll(5)
    assert client.poses.watch.state is not LinkState.OPEN
    assert client.poses.log.received == 0


def test_one_gate_per_context(guarded):
    with (
        zmq.Context() as context,
        contextlib.closing(Gate(context, guarded.security)),
        pytest.raises(EndpointRefusedError, match="share it"),
    ):
        Gate(context, guarded.security)


def test_requests_of_no_known_kind_are_refused(guarded):
    """What another program in the same context might ask; libzmq itself never asks so."""
    with zmq.Context() as context, contextlib.closing(Gate(context, guarded.security)) as gate:
        with context.socket(zmq.REQ) as asking:
            asking.linger = 0
            asking.connect("inproc://zeromq.zap.01")
            for frames in (
                [b"1.0"],
                [b"1.0", b"7", b"surgnav", b"10.0.0.9", b"", b"NULL"],
                [b"1.0", b"7", b"other", b"10.0.0.9", b"", b"CURVE", bytes(32)],
                [b"2.0", b"7", b"surgnav", b"10.0.0.9", b"", b"CURVE", bytes(32)],
                [b"1.0", b"7", b"surgnav", b"10.0.0.9", b"", b"PLAIN", b"name", b"password"],
            ):
                asking.send_multipart(frames)
                gate.poll()
                assert asking.recv_multipart()[2] == b"400"
        assert {refusal.reason for refusal in gate.refusals.take()} == {"no CURVE key"}
