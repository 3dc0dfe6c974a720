"""What a client does not take over from a server that is mistaken, or from messages that come too late."""

import contextlib
import dataclasses

import pytest

from tests.unity_bridge.harness import CLOCK, Server, client_of, run_until
from unity_bridge.client import ReferenceClient
from unity_bridge.control.event_window import Outcome, answer_of
from unity_bridge.errors import PeerRefusedError
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import MessageType, Session, Validity
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import Acknowledge, ClockReply, SelfTestVerdict, ServerEvent

LOST = ToolState(tool="drill", to_frame="reference", from_frame="drill", validity=Validity.LOST, reason="covered")


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


@pytest.fixture
def server(open_all) -> Server:
    return open_all(Server())


def lies(server: Server, kind: type, **changes) -> list:
    """Lets the server's control socket change its answers of one kind; what it answered truly is in the list."""
    honest, told = server.control.answer, []

    def lying(request):
        answer = honest(request)
        if not isinstance(answer, kind):
            return answer
        told.append(answer)
        return dataclasses.replace(answer, **changes)

    server.control.answer = lying
    return told


def test_a_reply_to_another_question_about_the_time_says_nothing(server, open_all):
    told = lies(server, ClockReply, client_sent_ns=CLOCK.now_ns())
    client = open_all(client_of(server))
    run_until(server, client, lambda: len(told) > 2)
    assert client.control.clock_offset is None


def test_a_reply_from_before_the_question_is_refused(server, open_all):
    told = lies(server, ClockReply, server_sent_ns=0)
    client = open_all(client_of(server))
    run_until(server, client, lambda: len(told) > 1)
    assert client.control.clock_offset is None
    assert "a clock reply with" in client.control.last_refusal


def test_an_acknowledgement_of_something_else_is_none_of_the_report(server, open_all):
    told = lies(server, Acknowledge, answers_sequence=10**6)
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.welcome)
    client.control.report(client.report())
    run_until(server, client, lambda: told)
    for _ in range(20):
        server.serve()
        client.poll(1)
    assert not client.control.report_taken


class OtherClock:
    """As far on as the server's, but nobody has said so."""

    clock_id = "another clock"

    def now_ns(self) -> int:
        return CLOCK.now_ns()


def test_times_of_a_clock_that_was_not_compared_are_not_taken_for_latencies(server, open_all):
    publisher = open_all(PosePublisher("tcp://127.0.0.1:*", Session(server.session.session_id, OtherClock())))
    where = dataclasses.replace(server.endpoints, poses=publisher.endpoint)
    client = open_all(ReferenceClient(where, CLOCK))

    def stamped_elsewhere() -> bool:
        publisher.publish([LOST], CLOCK.now_ns())
        return client.poses.log.received > 0 and client.control.clock_is_settled

    run_until(server, client, stamped_elsewhere)
    assert client.report().latency_p50_ms is None
    with pytest.raises(PeerRefusedError, match="no clock exchange with the clock that stamped"):
        client.recording()


def test_messages_of_another_session_change_nothing(server, open_all):
    """Such as those of a server that was replaced, and whose last words were still under way."""
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.may_show)
    link = client.control
    number = link.send_event("select_target", name="tumour")
    other = Session(b"another session.", CLOCK)
    verdict = SelfTestVerdict(challenge=1, state=SelfTestState.FAILED, reasons=("mirrored along x",))
    happened = ServerEvent(number=link.events.last_event + 1, kind="notice", happened_ns=0, oldest_kept=1)
    for kind, message in (
        (MessageType.EVENT_ANSWER, answer_of(link.events.stream, number, Outcome("done"))),
        (MessageType.SELF_TEST_VERDICT, verdict),
        (MessageType.SERVER_EVENT, happened),
    ):
        link._take(other.header(kind, 1), message, CLOCK.now_ns())
    assert (link.events.unanswered, link.events.take_events()) == ((number,), ())
    assert link.may_show
    assert client.refusal == ""
