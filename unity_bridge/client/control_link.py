"""The client's end of the control socket: Hello, self-test, clock exchange, events and reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import zmq

from geometry.errors import SurgNavError
from unity_bridge.client.clock_offset import ClockExchange, ClockOffset
from unity_bridge.client.event_link import EventLink
from unity_bridge.client.link_watch import LinkState, LinkWatch
from unity_bridge.client.observation_link import ObservationLink
from unity_bridge.client.overlay import OverlayLink
from unity_bridge.client.placing import take_self_test
from unity_bridge.client.silence import Silence
from unity_bridge.transport.keys import ClientKeys
from unity_bridge.wire.envelope import NO_SESSION, Header, Session
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import (
    Acknowledge,
    ClientReport,
    ClockReply,
    ClockRequest,
    Error,
    EventAnswer,
    Goodbye,
    HeadsetAlignment,
    Hello,
    ObservedTool,
    SelfTestRequest,
    SelfTestTask,
    SelfTestVerdict,
    ServerEvent,
    Welcome,
    decode_message,
    encode_message,
)
from unity_bridge.wire.schema import Declared


@dataclass(frozen=True, kw_only=True)
class ControlSettings:
    """Intervals of the control link.

    Attributes:
        retry_ns: time after which an unanswered request is repeated.
        first_exchanges: number of clock exchanges immediately after the Welcome.
        exchange_every_ns: interval of clock exchanges from then on, since clocks drift.
        silence_ns: time without any message after which the connection is taken for broken and replaced.
    """

    retry_ns: int = 500_000_000
    first_exchanges: int = 16
    exchange_every_ns: int = 250_000_000
    silence_ns: int = 3_000_000_000


class ControlLink:
    """The control link, driven by its owner: call `drain` when the socket is readable, and `tick` often.

    Attributes:
        watch: state of the connection.
        socket: the socket, to be polled for input.
        welcome: the server's state as of the last Hello; None until the server has answered it.
        server_session, server_clock: from the last Welcome's header; zero before the first.
        rate_hz: rate of the server's pose batches; 0 before the first Welcome.
        report_taken: whether the server acknowledged the last report.
        events: the client's own events, and the server's.
        overlay: where this client may show the tracker's world.
        verdict: verdict on the last self-test in this session; None before it, or if the server has no self-test.
        pose_token: what the server admits this client to the poses by; None if it does not, or asks for none.
        refused: number of refusals in either direction.
        last_refusal: the last of them.
        reconnects: number of connections made after a silence.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context,
        session: Session,
        hello: Hello,
        settings: ControlSettings,
        keys: ClientKeys | None = None,
    ) -> None:
        self.watch = LinkWatch(context, session.clock, keys)
        self.socket = self.watch.connect(zmq.DEALER, endpoint, {zmq.MAXMSGSIZE: 2**20, zmq.SNDHWM: 64})
        self.welcome: Welcome | None = None
        self.server_session = NO_SESSION
        self.server_clock = 0
        self.rate_hz = 0.0
        self.report_taken = False
        self._observations = ObservationLink()
        self.overlay = OverlayLink()
        self.events = EventLink(hello.stream or "", settings.retry_ns)
        self.verdict: SelfTestVerdict | None = None
        self.pose_token: bytes | None = None
        self.refused = 0
        self.last_refusal = ""
        self.reconnects = 0
        self._silence = Silence(session.clock.now_ns())
        self._session, self._hello, self._settings = session, hello, settings
        self._exchange = ClockExchange()
        self._sequence = 0
        self._report_sequence = 0
        self._asked_hello_ns: int | None = None
        self._asked_clock_ns: int | None = None
        self._asked_test_ns: int | None = None

    @property
    def clock_offset(self) -> ClockOffset | None:
        """Offset to the server's clock: exactly 0 if both sides name the same clock and the exchanges agree with it."""
        best = self._exchange.best()
        same_name = self.welcome is not None and self.welcome.clock_id == self._session.clock.clock_id
        if best is not None and same_name and abs(best.offset_ns) <= best.error_ns:
            return ClockOffset(0, 0)
        return best

    @property
    def measured_offset(self) -> ClockOffset | None:
        """The offset as measured by the exchanges alone."""
        return self._exchange.best()

    @property
    def clock_is_settled(self) -> bool:
        """Whether the first exchanges are complete."""
        return self._exchange.count >= self._settings.first_exchanges

    @property
    def self_test(self) -> SelfTestState | None:
        """State of this client's self-test; None if the server has no self-test, and before the Welcome."""
        if self.verdict is not None:
            return self.verdict.state
        return self.welcome.self_test if self.welcome is not None else None

    @property
    def may_show(self) -> bool:
        """Whether the display may show anything: the client was welcomed, and passed the self-test if there is one."""
        passed = self.self_test is SelfTestState.PASSED
        return passed or (self.welcome is not None and self.welcome.self_test is None)

    def send_event(self, kind: str, **fields: Any) -> int:
        """Sends an event until the server has answered it, and returns its number; arguments as for `EventLink.add`.

        Raises:
            TooManyRequestsError: too many events have no answer yet.
            MalformedMessageError: it holds values that the protocol does not allow.
        """
        offset = self.clock_offset
        if offset is not None:
            fields.setdefault("happened_ns", offset.to_server_ns(self._session.clock.now_ns()))
        return self.events.add(kind, **fields)

    def observe(self, anchor: str, seen_ns: int, tools: Iterable[ObservedTool]) -> bool:
        """Sends what this client saw in one image; arguments as for `ObservationLink.message`.

        Returns:
            False, and nothing was sent, before the server listens and while the clocks are not compared.
        """
        self.overlay.observed(anchor)
        message = self._observations.message(anchor, seen_ns, tools, self.clock_offset)
        if message is None or self.welcome is None or not self.may_show:
            return False
        self._send(message)
        return True

    def say_hello(self) -> None:
        """Requests the server's current state; `welcome` is None until the answer has come."""
        self.welcome = None
        self._asked_hello_ns = self._session.clock.now_ns()
        self._send(replace(self._hello, last_event=self.events.last_event))

    def notice_session(self, session_id: bytes) -> None:
        """Sends Hello again if the poses come from another session than the last Welcome."""
        since_ns = self._session.clock.now_ns() - (self._asked_hello_ns or 0)
        if self.welcome is not None and session_id != self.server_session and since_ns > self._settings.retry_ns:
            self.say_hello()

    def report(self, report: ClientReport) -> None:
        """Sends a report; `report_taken` becomes True once the server has acknowledged it."""
        self.report_taken = False
        self._report_sequence = self._send(report)

    def tick(self) -> None:
        """Sends what is due: Hello until the Welcome has come, then events, self-test and clock requests.

        Makes a new connection after too long a silence.
        """
        now_ns = self._session.clock.now_ns()
        if self.watch.state is LinkState.REFUSED:
            self._silence.excused(now_ns)
        elif self._silence.is_too_long(self._settings.silence_ns, now_ns):
            self.reconnects += 1
            self.socket = self.watch.reconnect()
            self.say_hello()  # to the server a new connection is a new client, until it says who it is
        if self.welcome is None:
            if self._is_due(self._asked_hello_ns, now_ns):
                self.say_hello()
            return
        if self.may_show:
            for event in self.events.due(self.server_session, now_ns):
                self._send(event)
        elif self.self_test is SelfTestState.UNTESTED and self._is_due(self._asked_test_ns, now_ns):
            self._asked_test_ns = now_ns
            self._send(SelfTestRequest())
        wait_ns = self._settings.exchange_every_ns if self.clock_is_settled else self._settings.retry_ns
        if self._asked_clock_ns is None or now_ns - self._asked_clock_ns > wait_ns:
            self._ask_time()

    def drain(self) -> None:
        """Processes the messages that have arrived, without waiting."""
        for _ in range(64):
            try:
                message = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            received_ns = self._session.clock.now_ns()
            self._silence.broken(received_ns)
            try:
                self._take(*decode_message(message), received_ns)
            except SurgNavError as error:
                self._note(error)

    def close(self) -> None:
        self._send(Goodbye())
        self.watch.close()
        self.socket.close(linger=100)  # milliseconds for the Goodbye to leave

    def _take(self, header: Header, message: Declared, received_ns: int) -> None:
        if isinstance(message, Welcome):
            if header.session_id != self.server_session:
                self._exchange.clear()
                self.verdict = None
                self.overlay.forget()
            self.welcome, self.server_session, self.server_clock = message, header.session_id, header.clock
            self.rate_hz, self.pose_token = message.rate_hz, message.pose_token
            self.events.join(header.session_id, message.last_event)
        elif isinstance(message, ClockReply) and message.client_sent_ns == self._asked_clock_ns:
            self._exchange.add(message.client_sent_ns, message.server_received_ns, message.server_sent_ns, received_ns)
            if not self.clock_is_settled:
                self._ask_time()
        elif isinstance(message, Acknowledge):
            self.report_taken |= message.answers_sequence == self._report_sequence
        elif isinstance(message, Error):
            self._note(message.as_exception())
            if message.code == "UnknownClient":
                self.say_hello()
        elif header.session_id == self.server_session:
            self._take_more(message, received_ns)

    def _take_more(self, message: Declared, received_ns: int) -> None:
        if isinstance(message, HeadsetAlignment):
            self.overlay.take(message, received_ns)
        elif isinstance(message, EventAnswer):
            self.events.take_answer(message)
        elif isinstance(message, ServerEvent):
            receipt = self.events.take_event(message)
            if receipt is not None:
                self._send(receipt)
        elif isinstance(message, SelfTestTask):
            self._send(take_self_test(message))
        elif isinstance(message, SelfTestVerdict):
            self.verdict, self.pose_token = message, message.pose_token

    def _is_due(self, asked_ns: int | None, now_ns: int) -> bool:
        return asked_ns is None or now_ns - asked_ns > self._settings.retry_ns

    def _ask_time(self) -> None:
        self._asked_clock_ns = self._session.clock.now_ns()
        self._send(ClockRequest(client_sent_ns=self._asked_clock_ns))

    def _send(self, message: Declared) -> int:
        self._sequence += 1
        session = Session(self.server_session, self._session.clock)
        try:
            self.socket.send(encode_message(message, session, self._sequence), zmq.DONTWAIT)
        except zmq.Again:
            # After a refused key libzmq does not reconnect by itself: the message must say so.
            self.last_refusal = self.watch.reason or "the server does not read; asking again later"
        return self._sequence

    def _note(self, error: SurgNavError) -> None:
        self.refused += 1
        self.last_refusal = str(error)
