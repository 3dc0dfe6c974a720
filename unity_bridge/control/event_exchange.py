"""Exchanges events in both directions as docs/unity_bridge/protocol.md, section 7, rules; independent of sockets."""

from __future__ import annotations

from geometry.errors import SurgNavError
from unity_bridge.control.event_handler import EventHandler, Sender
from unity_bridge.control.event_log import EventLog
from unity_bridge.control.event_window import Outcome, answer_of, content_of
from unity_bridge.control.members import Member
from unity_bridge.errors import (
    EventRefusedError,
    ForgottenEventError,
    ReusedNumberError,
    SelfTestRequiredError,
    UncertainEventError,
)
from unity_bridge.transport.rate_limit import Allowances
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import ClientEvent, EventAnswer, EventReceipt, ServerEvent

RETRY_NS = 500_000_000
IN_FLIGHT = 8
# Events come at a person's pace, and each is synced to the journal on the disk.
_EVENTS_PER_S, _EVENTS_BURST, _MAX_SENDERS = 20, 64, 256


class EventExchange:
    """Executes each client event once and answers it; sends each server event until the client has confirmed it.

    Args:
        session: the server's session.
        handler: executes the clients' events.
        tested: whether only clients that passed the self-test may send events.

    Attributes:
        log: the server's events.
    """

    def __init__(self, session: Session, handler: EventHandler, tested: bool) -> None:
        self._session, self._handler, self._tested = session, handler, tested
        self._allowances = Allowances(_EVENTS_PER_S, _EVENTS_BURST, _MAX_SENDERS)
        self.log = EventLog()

    # ------------------------------------------------------------------------------------------------ client to server
    def remember(self, member: Member) -> None:
        """Restores the answers that earlier sessions gave to this client."""
        for known in self._handler.earlier(member.key, member.stream):
            member.window.keep(known.answer, known.content)

    def take(self, event: ClientEvent, member: Member, sender_id: str | bytes) -> tuple[EventAnswer, bool]:
        """Executes an event unless it is a repetition.

        Args:
            event: the client's event.
            member: the client.
            sender_id: identifies the sender for the rate limit.

        Returns:
            The answer, and whether the event was new.

        Raises:
            TooManyRequestsError: the client exceeds its rate, or has too many pending events; it should retry later.
        """
        try:
            known = self._find(event, member)
        except (EventRefusedError, ForgottenEventError, ReusedNumberError) as error:
            return answer_of(event.stream, event.number, Outcome(error=error)), False
        if known is not None:
            return known, False
        self._allowances.check(sender_id, self._session.clock.now_ns())
        member.window.begin(event)
        outcome: Outcome | None
        try:
            self._check_acceptable(event, member)
            outcome = self._handler.handle(event, Sender(member.name, member.key))
        except SurgNavError as error:
            outcome = Outcome(error=error)
        return member.window.keep(answer_of(event.stream, event.number, outcome)), True

    def settle(self, member: Member, number: int, outcome: Outcome) -> EventAnswer:
        """Records the outcome of a pending event, and returns the final answer."""
        return member.window.keep(answer_of(member.stream, number, outcome))

    def _find(self, event: ClientEvent, member: Member) -> EventAnswer | None:
        if not member.stream or event.stream != member.stream:
            raise EventRefusedError(
                f"an event of the stream '{event.stream[:40]}'",
                f"the stream of the Hello, '{member.stream}'",
                "draw a stream when the program starts, and send it in Hello and in every event",
            )
        return member.window.find(event.number, content_of(event))

    def _check_acceptable(self, event: ClientEvent, member: Member) -> None:
        if self._tested and member.self_test is not SelfTestState.PASSED:
            why = f" ({'; '.join(member.reasons)})" if member.reasons else ""
            raise SelfTestRequiredError(
                f"an event of a client whose self-test is '{member.self_test}'{why}",
                "events of clients that passed the self-test",
                "request a self-test and answer it",
            )
        own = self._session.session_id.hex()
        if event.first_session != own and event.first_session not in self._handler.sessions:
            raise UncertainEventError(
                f"an event that was first sent to session '{event.first_session[:8]}', which may have executed it",
                f"an event that was first sent to session {own[:8]}",
                "look at the state; if it was not done, let the person do it again",
            )

    # ------------------------------------------------------------------------------------------------ server to client
    def join(self, member: Member, last_event: int | None) -> None:
        """Sets from where on a client gets events: after the event that it names, or after its first Hello.

        A Hello that is repeated because the Welcome was slow must not skip the events in between: the client may use
        the first Welcome.
        """
        if last_event is not None:
            member.confirmed = min(last_event, self.log.last)
        elif not member.joined:
            member.confirmed = self.log.last
        member.joined, member.sent = True, member.confirmed

    def confirm(self, member: Member, receipt: EventReceipt) -> None:
        """Notes that the client has received all events up to that of the receipt."""
        member.confirmed = max(member.confirmed, min(receipt.last_event, member.sent))

    def due(self, member: Member) -> tuple[ServerEvent, ...]:
        """The events to send to this client now: new ones, and after half a second those that were not confirmed."""
        if not member.stream or member.confirmed >= self.log.last:
            return ()
        now_ns = self._session.clock.now_ns()
        if now_ns - member.sent_ns >= RETRY_NS:
            member.sent = member.confirmed
        events = self.log.after(member.sent, member.confirmed + IN_FLIGHT - member.sent)
        if events:
            member.sent, member.sent_ns = events[-1].number, now_ns
        return events
