"""Who takes part: bounded, and nobody who is connected is forgotten for somebody who is not."""

import contextlib
import dataclasses

from tests.unity_bridge.control.harness import STREAM, Handler, event
from tests.unity_bridge.harness import Server
from tests.unity_bridge.transport.peer import HELLO, Peer
from unity_bridge.client.placing import take_self_test
from unity_bridge.control.members import MAX_PARTIES, Member, Members
from unity_bridge.wire.messages import Error, SelfTestRequest


def test_those_that_are_not_connected_go_first():
    members = Members()
    connected = [members.add(Member("first", "", "first"), ()), members.add(Member("other", "", "other"), ())]
    for number in range(3 * MAX_PARTIES):
        members.add(Member("passer-by", "", str(number)), connected)
    assert [members.find("", name) for name in ("first", "other")] == connected
    assert members.find("", "0") is None
    assert members.find("", str(3 * MAX_PARTIES - 1)) is not None
    assert members.find("another key", "first") is None
    assert len(members._parties) == MAX_PARTIES


def test_streams_without_end_push_nobody_out():
    """One connection that says another stream in every Hello; who is there keeps its answers, and its passed test."""
    handler = Handler()
    with (
        contextlib.closing(Server(handler=handler)) as server,
        contextlib.closing(Peer(server.control.endpoint)) as peer,
    ):
        peer.ask(server.control, dataclasses.replace(HELLO, stream=STREAM))
        peer.ask(server.control, take_self_test(peer.ask(server.control, SelfTestRequest())))
        sent = event(session=server.session.session_id)
        answer = peer.ask(server.control, sent)
        with contextlib.closing(Peer(server.control.endpoint)) as flooder:
            for number in range(600):
                heard = flooder.ask(server.control, dataclasses.replace(HELLO, stream=str(number)))
                assert not isinstance(heard, Error)
        assert len(server.control._parties._parties) == MAX_PARTIES
        assert len(server.control._members) == 2
        assert peer.ask(server.control, sent) == answer
        assert len(handler.done) == 1
