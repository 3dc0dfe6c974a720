"""Who gets poses: a client that passed the self-test and no other, whatever it subscribes to, with keys and without."""

from __future__ import annotations

import contextlib
import uuid

import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from tests.unity_bridge.control.mirroring import Mirroring
from tests.unity_bridge.harness import CLOCK, Server, client_of, run_until
from tests.unity_bridge.transport.guarded import Guarded, reasons
from unity_bridge.client import ClientSettings, ReferenceClient
from unity_bridge.client.control_link import ControlSettings
from unity_bridge.client.poses.receiver import PoseReceiver
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.transport.admission import AdmissionCheck, Admissions
from unity_bridge.transport.authentication import client_options
from unity_bridge.transport.endpoints import set_options
from unity_bridge.transport.keys import ClientKeys, KeyPair
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import SelfTestVerdict

PROMPT = ClientSettings(control=ControlSettings(retry_ns=50_000_000), silence_ns=300_000_000)


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


@pytest.fixture(params=["without keys", "with keys"])
def room(request, open_all, tmp_path):
    """A server, and the keys of a client that is enrolled at it; None without keys."""
    if request.param == "without keys":
        return open_all(Server()), None
    guarded = Guarded(tmp_path)
    keys = guarded.enroll("headset-1")
    return open_all(guarded.server()), keys


def turns(server: Server, client: ReferenceClient, count: int = 60) -> None:
    for _ in range(count):
        server.publish()
        server.serve()
        client.poll(1)


def test_a_client_that_failed_the_self_test_gets_no_pose_and_one_that_passes_then_does(room, open_all):
    server, keys = room
    client = open_all(Mirroring(server.endpoints, CLOCK, PROMPT, keys))
    run_until(server, client, lambda: client.control.self_test is SelfTestState.FAILED)
    assert "mirrored along x" in client.refusal
    turns(server, client)
    assert client.control.pose_token is None
    assert (client.poses.log.received, client.poses.refused) == (0, 0)
    client.mirrors = False
    client.take_test()
    run_until(server, client, lambda: client.poses.log.received > 10)
    assert client.control.self_test is SelfTestState.PASSED


def test_a_client_that_fails_after_it_has_passed_is_cut_off_and_comes_back_when_it_passes_again(room, open_all):
    server, keys = room
    client = open_all(Mirroring(server.endpoints, CLOCK, PROMPT, keys))
    client.mirrors = False
    run_until(server, client, lambda: client.poses.log.received > 10)
    token = client.control.pose_token
    client.mirrors = True
    client.take_test()
    client.poses.admit = lambda _: None  # it goes on with the token that it had, and reconnects with it
    run_until(server, client, lambda: client.control.self_test is SelfTestState.FAILED)
    turns(server, client, 5)
    client.poses.drain()
    received = client.poses.log.received
    turns(server, client, 200)
    assert client.poses.log.received == received
    assert "its self-test was withdrawn" in reasons(server)
    del client.poses.admit
    client.mirrors = False
    client.take_test()
    run_until(server, client, lambda: client.poses.log.received > received + 10)
    assert client.control.pose_token not in (None, token)


def test_after_a_restart_the_old_token_admits_nobody_and_the_client_gets_a_new_one(room, open_all):
    first, keys = room
    client = open_all(client_of(first, PROMPT, keys))
    run_until(first, client, lambda: client.poses.log.received > 5)
    token = client.control.pose_token
    where, security = first.endpoints, first.security
    first.close()
    second = open_all(Server(where, security=security))
    run_until(second, client, lambda: client.poses.log.sessions == 2)
    assert client.control.pose_token not in (None, token)
    assert client.control.server_session == second.session.session_id


class Stranger:
    """A bare SUB socket that subscribes to what it likes."""

    def __init__(self, server: Server, keys: ClientKeys | None, *topics: bytes) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        set_options(self.socket, client_options(keys))
        self.socket.connect(server.poses.endpoint)
        for topic in (b"SNAV", *topics):
            self.socket.setsockopt(zmq.SUBSCRIBE, topic)

    def close(self) -> None:
        self.context.destroy(linger=0)


def test_who_subscribes_to_everything_gets_nothing_and_the_operator_hears_of_it(room, open_all):
    server, keys = room
    admitted = open_all(client_of(server, PROMPT, keys))
    stranger = open_all(Stranger(server, keys, b"", b"S", bytes(32)))
    run_until(server, admitted, lambda: admitted.poses.log.received > 20 and server.poses._connections.count == 2)
    turns(server, admitted)
    assert stranger.socket.poll(0) == 0
    assert server.poses.subscriber_count == 1
    assert "no poses without a token of this session: pass the self-test first (3 times)" in reasons(server)


def test_another_key_gets_nothing_by_a_token_that_is_not_its_own(open_all, tmp_path):
    guarded = Guarded(tmp_path)
    own, others = guarded.enroll("headset-1"), guarded.enroll("headset-2")
    server = open_all(guarded.server())
    client = open_all(client_of(server, PROMPT, own))
    run_until(server, client, lambda: client.poses.log.received > 5)
    thief = open_all(Stranger(server, others, client.control.pose_token))
    run_until(server, client, lambda: server.poses._connections.count == 2)
    turns(server, client)
    assert thief.socket.poll(0) == 0
    second = open_all(Stranger(server, own, client.control.pose_token))
    run_until(server, client, lambda: second.socket.poll(0) > 0)


def test_a_link_that_breaks_is_admitted_again_by_the_same_token(room, open_all):
    server, keys = room
    client = open_all(client_of(server, PROMPT, keys))
    run_until(server, client, lambda: client.poses.log.received > 5)
    token, received = client.control.pose_token, client.poses.log.received
    for fd in list(server.poses._connections._open):
        server.poses._connections.cut(fd, "somebody pulled the plug")
    assert server.poses._connections.cut_off == 1
    run_until(server, client, lambda: client.poses.log.received > received + 10)
    assert client.control.pose_token == token


def test_without_self_test_everybody_is_admitted_as_ever(open_all):
    publisher = open_all(PosePublisher("tcp://127.0.0.1:*", Session(bytes(16), CLOCK)))
    context = zmq.Context()
    with contextlib.closing(PoseReceiver(publisher.endpoint, context, CLOCK, 10, 10)) as receiver:
        while receiver.log.received == 0:
            publisher.publish([], CLOCK.now_ns())
            receiver.socket.poll(10)
            receiver.drain()
    context.term()


keys_z85 = st.sampled_from(["", KeyPair.new().public, KeyPair.new().public])


@given(st.binary(max_size=64), keys_z85)
def test_no_bytes_but_those_that_were_issued_admit(token, key):
    assert AdmissionCheck(b"secret of this session").number(token, key) is None


@given(keys_z85, keys_z85, st.integers(0, 255), st.integers(1, 255))
def test_a_token_admits_its_own_key_until_it_is_withdrawn_and_no_changed_byte_of_it_does(key, other, at, change):
    secret = uuid.UUID(int=7).bytes
    check = AdmissionCheck(secret)
    admissions = Admissions(secret, check.withdraw)
    token, next_token = admissions.issue(key), admissions.issue(key)
    assert (check.number(token, key), check.number(next_token, key)) == (1, 2)
    assert AdmissionCheck(secret[::-1]).number(token, key) is None
    if other != key:
        assert check.number(token, other) is None
    damaged = np.frombuffer(token, np.uint8).copy()
    damaged[at % len(token)] ^= change
    assert check.number(damaged.tobytes(), key) is None
    admissions.withdraw(token)
    assert (check.number(token, key), check.number(next_token, key)) == (None, 2)


def test_the_verdict_that_comes_again_admits_as_the_first_one_did(open_all):
    server = open_all(Server())
    client = open_all(client_of(server, PROMPT))
    run_until(server, client, lambda: client.poses.log.received > 5)
    (verdict,) = [event.what for event in server.control.take_events() if isinstance(event.what, SelfTestVerdict)]
    assert verdict.pose_token == client.control.pose_token
    client.control.say_hello()
    run_until(server, client, lambda: client.control.welcome is not None)
    assert client.control.welcome.pose_token == verdict.pose_token
