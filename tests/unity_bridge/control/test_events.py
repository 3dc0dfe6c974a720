"""Events both ways: answered, done once, none lost, whatever breaks on the way."""

import contextlib
import dataclasses
import struct
import time

import pytest

from tests.unity_bridge.control.harness import STREAM, Handler, event, notice
from tests.unity_bridge.harness import CLOCK, Server, client_of, run_until
from tests.unity_bridge.transport.guarded import Guarded
from tests.unity_bridge.transport.peer import HELLO, SESSION, Peer
from unity_bridge.client.event_link import EventLink
from unity_bridge.client.placing import take_self_test
from unity_bridge.control.event_window import Known, Outcome, answer_of, content_of
from unity_bridge.errors import MalformedMessageError, UnknownClientError
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import (
    ClientEvent,
    ClockReply,
    ClockRequest,
    EventAnswer,
    EventReceipt,
    Goodbye,
    SelfTestRequest,
    SelfTestVerdict,
    ServerEvent,
    encode_message,
)


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


def admitted(server: Server, open_all, stream: str = STREAM, **options) -> Peer:
    """A peer that said Hello and passed the test."""
    peer = open_all(Peer(server.control.endpoint, **options))
    peer.ask(server.control, dataclasses.replace(HELLO, stream=stream))
    verdict = peer.ask(server.control, take_self_test(peer.ask(server.control, SelfTestRequest())))
    assert isinstance(verdict, SelfTestVerdict)
    return peer


# ---------------------------------------------------------------------------------------------------- client to server
def test_an_event_is_done_once_however_often_it_comes(open_all):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    sent = event(session=server.session.session_id)
    answers = [peer.ask(server.control, sent) for _ in range(5)]
    assert handler.done == [("select_target", "xiphoid")]
    assert set(answers) == {EventAnswer(stream=STREAM, number=1, outcome=EventOutcome.ACCEPTED, note="xiphoid is done")}
    told = [e for e in server.control.take_events() if isinstance(e.what, ClientEvent)]
    assert [(e.what, e.answer) for e in told] == [(sent, answers[0])]


CHANGES = [
    {"name": "umbilicus"},
    {"kind": "landmark_touched"},
    {"position_m": (0.1, 0.2, 0.3)},
    {"happened_ns": 7},
    {"person": "somebody else"},
    {"sha256": "0c" * 32},
    {"first_session": "0c" * 16},
]


@pytest.mark.parametrize("change", CHANGES, ids=[next(iter(change)) for change in CHANGES])
@pytest.mark.parametrize("name", ["xiphoid", "bad", "slow"])  # done, refused, and not settled yet
def test_a_number_used_again_for_another_event_does_not_get_the_old_answer(open_all, name, change):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    sent = event(name=name, session=server.session.session_id)
    first = peer.ask(server.control, sent)
    answer = peer.ask(server.control, dataclasses.replace(sent, **change))
    assert (answer.number, answer.outcome, answer.code) == (1, "refused", "ReusedNumber")
    assert len(handler.done) == 1
    assert peer.ask(server.control, sent) == first, "the event itself is answered as ever"
    if name == "slow":
        server.control.settle("", STREAM, 1, Outcome("done at last"))
        assert peer.hear(server.control).note == "done at last"
        assert peer.ask(server.control, dataclasses.replace(sent, **change)).code == "ReusedNumber"


@pytest.mark.parametrize("far", [1e300, 1000.1, -1000.1, float("nan"), float("inf")])
def test_a_touch_where_nothing_can_be_is_malformed(open_all, far):
    """At the server as it comes from any client; the reference client does not even take it in."""
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    touch = dataclasses.replace(
        event(session=server.session.session_id), kind="landmark_touched", frame="ct", position_m=(0.0, 1000.0, 0.5)
    )
    message = encode_message(touch, Session(server.session.session_id, CLOCK), 50)
    at = message.index(struct.pack("<d", 0.5))
    peer.socket.send(message[:at] + struct.pack("<d", far) + message[at + 8 :])
    answer = peer.hear(server.control)
    assert (answer.code, handler.done) == ("MalformedMessage", [])
    link = EventLink(STREAM, retry_ns=1)
    with pytest.raises(MalformedMessageError):
        link.add("landmark_touched", position_m=(0.0, far, 0.0))
    assert link.unanswered == ()
    assert link.add("landmark_touched", position_m=(0.0, 1000.0, -1000.0)) == 1


def test_a_refusal_is_an_answer_too(open_all):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    sent = event(name="bad", session=server.session.session_id)
    for _ in range(2):
        answer = peer.ask(server.control, sent)
        assert (answer.outcome, answer.code, answer.came) == ("refused", "EventRefused", "a bad name")
        assert (answer.allowed, answer.action) == ("a good one", "choose one")
    assert len(handler.done) == 1


def test_a_server_without_a_handler_refuses_and_drops_nothing(open_all):
    server = open_all(Server())
    peer = admitted(server, open_all)
    answer = peer.ask(server.control, event(session=server.session.session_id))
    assert (answer.outcome, answer.code) == ("refused", "EventRefused")
    assert "only streams" in answer.allowed


def test_what_takes_long_is_pending_until_it_is_settled(open_all):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    other = admitted(server, open_all, "another-stream")
    sent = event(name="slow", session=server.session.session_id)
    assert [peer.ask(server.control, sent).outcome for _ in range(2)] == ["pending", "pending"]
    server.control.settle("", STREAM, 1, Outcome("done at last"))
    told = peer.hear(server.control)
    assert (told.outcome, told.note) == ("accepted", "done at last")
    assert peer.ask(server.control, sent) == told
    assert isinstance(other.ask(server.control, ClockRequest(client_sent_ns=1)), ClockReply), "nobody else is told"
    assert len(handler.done) == 1
    with pytest.raises(UnknownClientError):
        server.control.settle("", "nobody", 1, Outcome())


def test_an_untested_client_is_not_heard(open_all):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = open_all(Peer(server.control.endpoint))
    peer.ask(server.control, dataclasses.replace(HELLO, stream=STREAM))
    answer = peer.ask(server.control, event(session=server.session.session_id))
    assert (answer.outcome, answer.code) == ("refused", "SelfTestRequired")
    assert handler.done == []


def test_events_of_another_stream_or_of_none_are_refused(open_all):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    assert peer.ask(server.control, event(stream="another")).code == "EventRefused"
    silent = open_all(Peer(server.control.endpoint))
    silent.ask(server.control, HELLO)
    assert silent.ask(server.control, event(stream="")).code == "EventRefused"
    assert silent.ask(server.control, dataclasses.replace(HELLO, stream="no good/name")).code == "MalformedMessage"
    assert handler.done == []


def test_who_sends_events_too_fast_is_told_and_none_is_lost(open_all):
    handler = Handler()
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    sent = [event(number, session=server.session.session_id) for number in range(1, 101)]
    answers = [peer.ask(server.control, each) for each in sent]
    limited = [each for each, answer in zip(sent, answers, strict=True) if not isinstance(answer, EventAnswer)]
    assert limited
    assert {answer.code for answer in answers if not isinstance(answer, EventAnswer)} == {"TooManyRequests"}
    deadline_ns = CLOCK.now_ns() + 60_000_000_000
    while limited and CLOCK.now_ns() < deadline_ns:
        time.sleep(0.05)  # as it was told to: who asks without pause is cut off in the end
        limited = [each for each in limited if not isinstance(peer.ask(server.control, each), EventAnswer)]
    assert len(handler.done) == 100


def test_an_event_of_an_earlier_run_of_the_server_is_not_done_twice(open_all):
    """What the earlier run answered is answered again; what it cannot have begun is done; the rest nobody can know."""
    known, unknown = b"the known session"[:16], b"an unknown one.."
    answered = answer_of(STREAM, 1, Outcome("done before"))
    handler = Handler(sessions={known.hex()}, earlier=[Known(answered, content_of(event(1, session=known)))])
    server = open_all(Server(handler=handler))
    peer = admitted(server, open_all)
    assert peer.ask(server.control, event(1, session=known)) == answered
    assert peer.ask(server.control, event(1, "umbilicus", session=known)).code == "ReusedNumber"
    assert handler.done == []
    assert peer.ask(server.control, event(2, session=known)).outcome is EventOutcome.ACCEPTED
    answer = peer.ask(server.control, event(3, session=unknown))
    assert (answer.outcome, answer.code) == ("refused", "UncertainEvent")
    assert len(handler.done) == 1


def test_a_key_speaks_for_itself_only(open_all, tmp_path):
    """The stream of one key is nothing to another: its answers are not told, and its numbers are not taken."""
    guarded = Guarded(tmp_path)
    first, second = guarded.enroll("a"), guarded.enroll("b")
    handler = Handler()
    server = open_all(Server(security=guarded.security, handler=handler))
    clients = [open_all(client_of(server, keys=keys)) for keys in (first, second)]
    for client in clients:
        client.control.events.stream = STREAM
        client.control._hello = dataclasses.replace(client.control._hello, stream=STREAM)
        run_until(server, client, lambda client=client: client.control.may_show)
        client.control.send_event("select_target", name="xiphoid")
        run_until(server, client, lambda client=client: client.control.events.answers)
    assert len(handler.done) == 2
    assert [sender.key for sender in handler.senders] == [first.own.public, second.own.public]


# ---------------------------------------------------------------------------------------------------- server to client


def test_what_happens_is_told_until_it_is_confirmed(open_all):
    server = open_all(Server())
    peer = admitted(server, open_all)
    server.control.announce(notice("one"))
    first, again = peer.hear(server.control), peer.hear(server.control)
    assert first == again
    assert (first.number, first.reason) == (1, "one")
    peer.say(EventReceipt(last_event=1))
    assert peer.hear(server.control, tries=80) is None
    server.control.announce(notice("two"))
    assert peer.hear(server.control).number == 2
    peer.say(EventReceipt(last_event=2**64 - 1))  # what was not sent cannot be confirmed
    server.control.poll(50)
    server.control.announce(notice("three"))
    assert peer.hear(server.control).number == 3


def test_a_client_that_does_not_confirm_costs_eight_events(open_all):
    server = open_all(Server())
    peer = admitted(server, open_all)
    for number in range(300):
        server.control.announce(notice(str(number)))
    heard = {peer.hear(server.control).number for _ in range(24)}
    assert heard == set(range(45, 53))  # 44 of 300 are no longer kept


def test_who_joins_late_gets_the_state_and_what_follows(open_all):
    server = open_all(Server())
    for number in range(5):
        server.control.announce(notice(str(number)))
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.may_show)
    assert client.control.welcome.last_event == 5
    server.control.announce(notice("after"))
    run_until(server, client, lambda: client.control.events.last_event == 6)
    assert [e.reason for e in client.control.events.take_events()] == ["after"]


def test_a_hello_that_is_repeated_skips_nothing(open_all):
    """The client may go by the first Welcome, which was slow, and would wait for ever for what came after it."""
    server = open_all(Server())
    peer = open_all(Peer(server.control.endpoint))
    hello = dataclasses.replace(HELLO, stream=STREAM)
    assert peer.ask(server.control, hello).last_event == 0
    server.control.announce(notice("between"))
    peer.say(hello)
    heard = [peer.hear(server.control) for _ in range(2)]
    assert [each.reason for each in heard if isinstance(each, ServerEvent)] == ["between"]


def test_a_client_without_a_stream_is_told_nothing(open_all):
    server = open_all(Server())
    peer = open_all(Peer(server.control.endpoint))
    peer.ask(server.control, HELLO)
    server.control.announce(notice("one"))
    assert peer.hear(server.control, tries=20) is None


# -------------------------------------------------------------------------------------------------------- broken links
def test_nothing_is_lost_or_done_twice_over_broken_links(open_all):
    """The client's connection is cut again and again, in the middle of it all."""
    handler = Handler()
    server = open_all(Server(handler=handler))
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.may_show)
    told, names = [], []
    for number in range(30):
        names.append(f"n{number}")
        client.control.send_event("select_target", name=names[-1])
        server.control.announce(notice(names[-1]))
        run_until(server, client, lambda: len(client.control.events.unanswered) < 10)
        if number % 5 == 4:
            endpoint = server.control.endpoint
            client.control.socket.disconnect(endpoint)
            client.control.socket.connect(endpoint)
        told += [e.reason for e in client.control.events.take_events()]
    run_until(server, client, lambda: not client.control.events.unanswered)
    run_until(server, client, lambda: client.control.events.last_event == 30)
    told += [e.reason for e in client.control.events.take_events()]
    assert told == names
    assert sorted(name for _, name in handler.done) == sorted(names)
    assert client.control.events.missed == client.control.events.dropped == 0
    assert all(answer.outcome is EventOutcome.ACCEPTED for answer in client.control.events.answers.values())


def test_a_server_that_starts_anew_is_told_what_it_was_not(open_all):
    """An event that waits while the server is down goes to the next one; one that the last may have done does not."""
    handler = Handler()
    server = Server(handler=handler)
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.may_show)
    where, old = server.endpoints, server.session.session_id
    sent = client.control.send_event("select_target", name="sent before")
    client.control.tick()  # on its way, and the server goes before it reads it
    server.close()
    waiting = client.control.send_event("select_target", name="waits")
    successor = open_all(Server(where=where, handler=Handler(sessions={old.hex()})))
    run_until(successor, client, lambda: not client.control.events.unanswered, seconds=60.0)
    answers = client.control.events.answers
    assert answers[sent].outcome is EventOutcome.ACCEPTED  # its predecessor's journal says that it was never begun
    assert answers[waiting].outcome is EventOutcome.ACCEPTED
    assert handler.done == []
    assert client.control.events.session == successor.session.session_id


def test_a_client_that_says_goodbye_and_comes_again_goes_on(open_all):
    server = open_all(Server())
    peer = admitted(server, open_all)
    server.control.announce(notice("one"))
    assert peer.hear(server.control).number == 1
    peer.say(EventReceipt(last_event=1))
    peer.say(Goodbye())
    server.control.poll(50)
    server.control.announce(notice("while away"))
    back = open_all(Peer(server.control.endpoint))
    session = Session(server.session.session_id, SESSION.clock)
    welcome = back.ask(server.control, dataclasses.replace(HELLO, stream=STREAM, last_event=1), session)
    assert welcome.last_event == 2
    assert welcome.self_test == "passed"
    assert back.hear(server.control).reason == "while away"
