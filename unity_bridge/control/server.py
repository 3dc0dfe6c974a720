"""The control socket: welcomes clients, exchanges clocks, takes reports and events, and sends server events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import zmq

from unity_bridge.control.event_exchange import EventExchange
from unity_bridge.control.event_handler import EventHandler, NoEventHandler, Sender
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.event_window import Outcome
from unity_bridge.control.members import Member, Members, check_stream
from unity_bridge.control.observations import Observer
from unity_bridge.control.self_test import SelfTest
from unity_bridge.control.self_test_verdict import judge
from unity_bridge.errors import SelfTestRequiredError, UnexpectedMessageError, UnknownClientError
from unity_bridge.transport.admission import Admissions
from unity_bridge.transport.authentication import Gate
from unity_bridge.transport.rate_limit import Allowances
from unity_bridge.transport.router import Request, RouterServer, RouterSettings
from unity_bridge.wire.envelope import NO_SESSION, Session
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import (
    Acknowledge,
    ClientEvent,
    ClientReport,
    ClockReply,
    ClockRequest,
    EventAnswer,
    EventReceipt,
    Goodbye,
    HeadsetAlignment,
    Hello,
    SelfTestReport,
    SelfTestRequest,
    SelfTestTask,
    SelfTestVerdict,
    ToolObservations,
    Welcome,
)
from unity_bridge.wire.schema import Declared

# Judging a failed test takes 15 ms, so tests are limited for each key, or for each connection without keys.
_TESTS_PER_S, _TESTS_BURST, _MAX_TESTED = 2, 8, 256


@dataclass(frozen=True, kw_only=True)
class ControlServerSettings:
    """Bounds of the control socket.

    Attributes:
        max_events: number of events kept for `take_events`; beyond it the oldest is dropped and counted.
        router: bounds of the socket.
    """

    max_events: int = 256
    router: RouterSettings = field(default_factory=RouterSettings)


@dataclass(frozen=True)
class ControlEvent:
    """Something that a client did, to be shown to the operator.

    Attributes:
        client_name: name by which the client presents itself.
        received_ns: time of receipt on the server's clock.
        what: the client's message; for a self-test, the verdict on it.
        answer: the answer to a ClientEvent, which may still be pending.
    """

    client_name: str
    received_ns: int
    what: Hello | ClientReport | Goodbye | ClientEvent | SelfTestVerdict
    answer: EventAnswer | None = None


class ControlServer(RouterServer):
    """The server of the control socket.

    Args:
        endpoint, session, context, gate: as for `RouterServer`.
        state: returns the current state, for a client that joins.
        settings: bounds of the socket.
        handler: executes the clients' events; without it every event is refused.
        self_test: issues self-tests, and only clients that pass may send events; None for a server without self-test.
        observer: takes what clients see; without it that is refused.
        admissions: issue the tokens that admit a client to the poses once it has passed; None where all are admitted.

    Attributes:
        events_dropped: number of events that were dropped because `take_events` was not called in time. The clients'
            answers do not depend on it.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        state: Callable[[], Welcome],
        settings: ControlServerSettings | None = None,
        gate: Gate | None = None,
        handler: EventHandler | None = None,
        self_test: SelfTest | None = None,
        observer: Observer | None = None,
        admissions: Admissions | None = None,
    ) -> None:
        options = settings or ControlServerSettings()
        self._state = state
        self._events: deque[ControlEvent] = deque(maxlen=options.max_events)
        self.events_dropped = 0
        self._self_test = self_test
        self._observer = observer
        self._admissions = admissions
        self._exchange = EventExchange(session, handler or NoEventHandler(), tested=self_test is not None)
        self._parties = Members()
        self._members: dict[bytes, Member] = {}
        self._tests = Allowances(_TESTS_PER_S, _TESTS_BURST, _MAX_TESTED)
        self._answers: dict[type, Callable[[Request, Member, Any], Declared | None]] = {
            ClockRequest: self._tell_time,
            ClientReport: self._take_report,
            ClientEvent: self._take_event,
            EventReceipt: self._take_receipt,
            SelfTestRequest: self._give_test,
            SelfTestReport: self._judge_test,
            ToolObservations: self._take_observations,
            Goodbye: self._say_goodbye,
        }
        super().__init__(endpoint, session, context, options.router, gate)

    def poll(self, timeout_ms: int = 0) -> int:
        served = super().poll(timeout_ms)
        for identity, member in list(self._members.items()):
            for event in self._exchange.due(member):
                self._send(identity, event)
        return served

    @property
    def present(self) -> tuple[tuple[str, SelfTestState], ...]:
        """Name and self-test of each client that is here, in the order in which they came; names need not differ."""
        return tuple((member.name, member.self_test) for member in self._members.values())

    def take_events(self) -> tuple[ControlEvent, ...]:
        """Returns what clients did since the last call, oldest first."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def announce(self, happening: ServerNotice) -> int:
        """Sends an event to every client until each has confirmed it; returns the event's number."""
        return self._exchange.log.add(happening, self._session.clock.now_ns())

    def settle(self, key: str, stream: str, number: int, outcome: Outcome) -> None:
        """Ends an event that the handler left pending, and sends the answer to its client if it is connected.

        Raises:
            UnknownClientError: the client is no longer known.
        """
        member = self._parties.find(key, stream)
        if member is None:
            raise UnknownClientError(
                f"the stream '{stream}'", "the stream of a client of this session", "drop the outcome"
            )
        answer = self._exchange.settle(member, number, outcome)
        for identity, each in list(self._members.items()):
            if each is member:
                self._send(identity, answer)

    def forget(self, identity: bytes) -> None:
        super().forget(identity)
        self._members.pop(identity, None)

    def answer(self, request: Request) -> Declared | None:
        message = request.message
        if isinstance(message, Hello):
            return self._welcome(request, message)
        member = self._members.get(request.identity)
        if member is None or request.header.session_id not in {self._session.session_id, NO_SESSION}:
            raise UnknownClientError(
                f"a {type(message).__name__} of session {request.header.session_id.hex()[:8]} before Hello",
                f"messages of session {self._session.session_id.hex()[:8]} after Hello",
                "say Hello, then ask again",
            )
        answer = self._answers.get(type(message))
        if answer is None:
            raise UnexpectedMessageError(
                f"a {type(message).__name__} on the control socket",
                f"Hello, {', '.join(kind.__name__ for kind in self._answers)}",
                "ask the surface socket for surfaces",
            )
        return answer(request, member, message)

    # ---------------------------------------------------------------------------------------------------- coming, going
    def _welcome(self, request: Request, hello: Hello) -> Welcome:
        request.client.name = hello.client_name
        member = self._party_of(request, hello)
        resumes = request.header.session_id == self._session.session_id
        self._exchange.join(member, hello.last_event if resumes else None)
        self._members = {who: other for who, other in self._members.items() if other is not member}  # the newest counts
        self._members[request.identity] = member
        self._note(request, hello)
        tested = self._self_test is not None
        return replace(
            self._state(),
            last_event=self._exchange.log.last,
            self_test=member.self_test if tested else None,
            self_test_reasons=member.reasons,
            pose_token=member.pose_token,
        )

    def _party_of(self, request: Request, hello: Hello) -> Member:
        if hello.stream is None:
            mine = self._members.get(request.identity)
            return mine if mine is not None and not mine.stream else Member(hello.client_name, request.client.key, "")
        stream = check_stream(hello.stream)
        member = self._parties.find(request.client.key, stream)
        if member is None:
            member = Member(hello.client_name, request.client.key, stream)
            self._exchange.remember(self._parties.add(member, self._members.values()))
        return member

    def _say_goodbye(self, request: Request, member: Member, goodbye: Goodbye) -> None:
        self._note(request, goodbye)
        if self._observer is not None:
            self._observer.left(Sender(member.name, member.key), member.stream, goodbye.reason)
        self.forget(request.identity)

    # ---------------------------------------------------------------------------------------------------- clock, report
    def _tell_time(self, request: Request, _: Member, message: ClockRequest) -> ClockReply:
        return ClockReply(
            client_sent_ns=message.client_sent_ns,
            server_received_ns=request.received_ns,
            server_sent_ns=self._session.clock.now_ns(),
        )

    def _take_report(self, request: Request, _: Member, report: ClientReport) -> Acknowledge:
        self._note(request, report)
        return Acknowledge(answers_sequence=request.header.sequence)

    # ----------------------------------------------------------------------------------------------------------- events
    def _take_event(self, request: Request, member: Member, event: ClientEvent) -> EventAnswer:
        answer, is_new = self._exchange.take(event, member, request.client.key or request.identity)
        if is_new:
            self._note(request, event, answer)
        return answer

    def _take_receipt(self, request: Request, member: Member, receipt: EventReceipt) -> None:
        self._exchange.confirm(member, receipt)

    # ---------------------------------------------------------------------------------------------------- what they see
    def _take_observations(
        self, request: Request, member: Member, message: ToolObservations
    ) -> HeadsetAlignment | None:
        if self._observer is None:
            raise UnexpectedMessageError(
                "what a headset sees, at a server that reads no headset",
                "observations where the room has a headset among its devices",
                "add the headset to the room file, or send none",
            )
        if self._self_test is not None and member.self_test is not SelfTestState.PASSED:
            raise SelfTestRequiredError(
                f"observations of a client whose self-test is '{member.self_test}'",
                "those of clients that passed the self-test",
                "request a self-test and answer it",
            )
        return self._observer.take(message, Sender(member.name, member.key), member.stream, request.received_ns)

    # -------------------------------------------------------------------------------------------------------- self-test
    def _give_test(self, request: Request, member: Member, message: SelfTestRequest) -> SelfTestTask:
        if self._self_test is None:
            raise UnexpectedMessageError(
                "a SelfTestRequest", "none, since this server has no self-test", "go on without the test"
            )
        if member.issued is None:  # a repeated request gets the same test, whose answer may be under way
            self._tests.check(request.client.key or request.identity, request.received_ns)
            member.issued = self._self_test.issue(self._session)
        return member.issued.task

    def _judge_test(self, request: Request, member: Member, report: SelfTestReport) -> SelfTestVerdict:
        if member.verdict is not None and member.verdict.challenge == report.challenge:
            return member.verdict  # sent again: the first answer was lost
        if member.issued is None or member.issued.task.challenge != report.challenge:
            raise UnexpectedMessageError(
                f"a report on test {report.challenge}", "a report on the test issued last", "request a test first"
            )
        member.reasons = judge(member.issued, report)
        member.self_test = SelfTestState.FAILED if member.reasons else SelfTestState.PASSED
        member.issued = None
        self._admit_or_withdraw(member)
        member.verdict = SelfTestVerdict(
            challenge=report.challenge, state=member.self_test, reasons=member.reasons, pose_token=member.pose_token
        )
        self._note(request, member.verdict)
        return member.verdict

    def _admit_or_withdraw(self, member: Member) -> None:
        """A client that passed keeps its token, or gets one; one that failed loses it."""
        if self._admissions is None:
            return
        passed = member.self_test is SelfTestState.PASSED
        if passed and member.pose_token is None:
            member.pose_token = self._admissions.issue(member.key)
        elif not passed and member.pose_token is not None:
            self._admissions.withdraw(member.pose_token)
            member.pose_token = None

    def _note(
        self,
        request: Request,
        what: Hello | ClientReport | Goodbye | ClientEvent | SelfTestVerdict,
        answer: EventAnswer | None = None,
    ) -> None:
        self.events_dropped += len(self._events) == self._events.maxlen
        self._events.append(ControlEvent(request.client.name, request.received_ns, what, answer))
