"""Exchanges events in both directions as docs/unity_bridge/protocol.md, section 7, rules; independent of sockets."""

from __future__ import annotations

from geometry.errors import SurgNavError
from unity_bridge.control.event_handler import EventDesk, Sender
from unity_bridge.control.event_log import EventLog
from unity_bridge.control.event_window import Outcome, answer_of, content_of
from unity_bridge.control.members import Party
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
        desk: executes the clients' events.
        tested: whether only clients that passed the self-test may send events.

    Attributes:
        log: the server's events.
    """

    def __init__(self, session: Session, desk: EventDesk, tested: bool) -> None:
        self._session, self._desk, self._tested = session, desk, tested
        self._allowances = Allowances(_EVENTS_PER_S, _EVENTS_BURST, _MAX_SENDERS)
        self.log = EventLog()

    # ------------------------------------------------------------------------------------------------ client to server
    def remember(self, party: Party) -> None:
        """Restores the answers that earlier sessions gave to this client."""
        for known in self._desk.earlier(party.key, party.stream):
            party.window.keep(known.answer, known.content)

    def take(self, event: ClientEvent, party: Party, sender_id: str | bytes) -> tuple[EventAnswer, bool]:
        """Executes an event unless it is a repetition.

        Args:
            event: the client's event.
            party: the client.
            sender_id: identifies the sender for the rate limit.

        Returns:
            The answer, and whether the event was new.

        Raises:
            TooManyRequestsError: the client exceeds its rate, or has too many pending events; it should retry later.
        """
        try:
            known = self._find(event, party)
        except (EventRefusedError, ForgottenEventError, ReusedNumberError) as error:
            return answer_of(event.stream, event.number, Outcome(error=error)), False
        if known is not None:
            return known, False
        self._allowances.check(sender_id, self._session.clock.now_ns())
        party.window.begin(event)
        outcome: Outcome | None
        try:
            self._check_acceptable(event, party)
            outcome = self._desk.handle(event, Sender(party.name, party.key))
        except SurgNavError as error:
            outcome = Outcome(error=error)
        return party.window.keep(answer_of(event.stream, event.number, outcome)), True

    def settle(self, party: Party, number: int, outcome: Outcome) -> EventAnswer:
        """Records the outcome of a pending event, and returns the final answer."""
        return party.window.keep(answer_of(party.stream, number, outcome))

    def _find(self, event: ClientEvent, party: Party) -> EventAnswer | None:
        if not party.stream or event.stream != party.stream:
            raise EventRefusedError(
                f"an event of the stream '{event.stream[:40]}'",
                f"the stream of the Hello, '{party.stream}'",
                "draw a stream when the program starts, and send it in Hello and in every event",
            )
        return party.window.find(event.number, content_of(event))

    def _check_acceptable(self, event: ClientEvent, party: Party) -> None:
        if self._tested and party.self_test is not SelfTestState.PASSED:
            why = f" ({'; '.join(party.reasons)})" if party.reasons else ""
            raise SelfTestRequiredError(
                f"an event of a client whose self-test is '{party.self_test}'{why}",
                "events of clients that passed the self-test",
                "request a self-test and answer it",
            )
        own = self._session.session_id.hex()
        if event.first_session != own and event.first_session not in self._desk.sessions:
            raise UncertainEventError(
                f"an event that was first sent to session '{event.first_session[:8]}', which may have executed it",
                f"an event that was first sent to session {own[:8]}",
                "look at the state; if it was not done, let the person do it again",
            )

    # ------------------------------------------------------------------------------------------------ server to client
    def join(self, party: Party, last_event: int | None) -> None:
        """Sets from where on a client gets events: after the event that it names, or after its first Hello.

        A Hello that is repeated because the Welcome was slow must not skip the events in between: the client may use
        the first Welcome.
        """
        if last_event is not None:
            party.confirmed = min(last_event, self.log.last)
        elif not party.joined:
            party.confirmed = self.log.last
        party.joined, party.sent = True, party.confirmed

    def confirm(self, party: Party, receipt: EventReceipt) -> None:
        """Notes that the client has received all events up to that of the receipt."""
        party.confirmed = max(party.confirmed, min(receipt.last_event, party.sent))

    def due(self, party: Party) -> tuple[ServerEvent, ...]:
        """The events to send to this client now: new ones, and after half a second those that were not confirmed."""
        if not party.stream or party.confirmed >= self.log.last:
            return ()
        now_ns = self._session.clock.now_ns()
        if now_ns - party.sent_ns >= RETRY_NS:
            party.sent = party.confirmed
        events = self.log.after(party.sent, party.confirmed + IN_FLIGHT - party.sent)
        if events:
            party.sent, party.sent_ns = events[-1].number, now_ns
        return events
