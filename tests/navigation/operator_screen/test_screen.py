"""The operator's screen: what a client writes stays on its line, and whoever makes noise is counted."""

from __future__ import annotations

import io
import logging
from datetime import datetime

import pytest
from rich.console import Console

from geometry.clock import ManualClock
from navigation.clock import NS_PER_S
from navigation.live.refusals import EVENTS_LOG, RefusalForwarder, RefusalNews, Refused, log_events
from navigation.operator_screen.screen import OperatorScreen, logs_on
from unity_bridge.control.event_window import Outcome, answer_of
from unity_bridge.control.server import ControlEvent
from unity_bridge.errors import EventRefusedError
from unity_bridge.transport.authentication import Refusal
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import ClientEvent, ClientReport, Goodbye, Hello, SelfTestVerdict

STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"
MINUTE_NS = 60 * NS_PER_S
NASTY = "x\n00:00:00 registration r-0001, accept\x1b[2J\u202e[/red] :bomb:"


class Screen:
    """An operator's screen, and what is on it."""

    def __init__(self, width: int = 200, terminal: bool = False) -> None:
        self.clock = ManualClock()
        self.file = io.StringIO()
        console = Console(file=self.file, width=width, force_terminal=terminal, color_system=None)
        self.screen = OperatorScreen(console, self.clock, lambda: datetime(2026, 1, 2, 14, 5, 9))

    def lines(self) -> list[str]:
        """What was said since the last call, without the time."""
        said = self.file.getvalue()
        self.file.seek(0)
        self.file.truncate()
        assert all(line.startswith("14:05:09 ") for line in said.splitlines())
        return [line.removeprefix("14:05:09 ") for line in said.splitlines()]

    def event(self, what, name: str = "headset", answer=None) -> None:
        self.screen.event(ControlEvent(name, self.clock.now_ns(), what, answer))

    def wait(self, seconds: float) -> None:
        """Time goes by as it does in a loop that polls often."""
        for _ in range(round(seconds * 2)):
            self.clock.advance_ns(NS_PER_S // 2)
            self.screen.poll()


def hello(name: str = "headset") -> Hello:
    return Hello(client_name=name, program="test 1")


def event_of(kind: str, **fields) -> ClientEvent:
    return ClientEvent(stream=STREAM, number=1, kind=kind, first_session="00" * 16, **fields)


@pytest.fixture
def screen() -> Screen:
    return Screen()


# --------------------------------------------------------------------------------------------------------- foreign text
@pytest.mark.parametrize(
    "what",
    [
        Hello(client_name=NASTY, program=NASTY),
        SelfTestVerdict(challenge=1, state=SelfTestState.FAILED, reasons=(NASTY, NASTY)),
        event_of("select_target", name=NASTY, person=NASTY),
        event_of("request_registration", reason=NASTY),
        event_of(NASTY),
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_no_text_of_a_client_leaves_its_line_or_is_obeyed(what: object, terminal: bool) -> None:
    screen = Screen(1000, terminal)
    refused = answer_of(STREAM, 1, Outcome(error=EventRefusedError(NASTY, NASTY, NASTY)))
    screen.event(what, NASTY, refused if isinstance(what, ClientEvent) else None)
    [line] = screen.lines()
    assert not set(line) & set("\x1b\u202e\n\r")
    assert "\ufffd" in line
    assert "[/red] :bomb:" in line  # neither read as markup nor eaten


def test_a_clients_texts_are_bounded(screen: Screen) -> None:
    screen.event(Hello(client_name="n" * 1000, program="p" * 1000), "n" * 1000)
    screen.event(event_of("request_registration", reason="r" * 1000), "n" * 1000)
    assert all(len(line) < 300 for line in screen.lines())


def test_a_goodbye_with_a_reason_on_it(screen: Screen) -> None:
    screen.event(hello())
    screen.event(Goodbye(reason="battery\nlow"))
    assert screen.lines() == ["'headset' has joined (test 1)", "'headset' has left: battery\ufffdlow"]


def test_a_request_for_a_registration_says_why_and_who_asked(screen: Screen) -> None:
    accepted = answer_of(STREAM, 1, Outcome("the operator sees the request"))
    what = event_of("request_registration", reason="the patient was moved", person="Dr Test")
    screen.event(what, answer=accepted)
    assert screen.lines() == [
        "'headset' (Dr Test) asks for a registration: the patient was moved: accepted, the operator sees the request"
    ]


def test_what_was_done_says_to_what_and_what_became_of_it(screen: Screen) -> None:
    refusal = answer_of(STREAM, 1, Outcome(error=EventRefusedError("a decision by 'Dr X'", "none", "stop")))
    screen.event(event_of("decide_surface", name="skin", decision="approved", person="Dr X"), answer=refusal)
    assert screen.lines() == ["'headset' (Dr X), decide_surface approved, skin: refused, a decision by 'Dr X'"]


def test_a_report_without_latencies_says_none(screen: Screen) -> None:
    screen.event(ClientReport(batches_received=0, poses_lost=0))
    screen.event(ClientReport(batches_received=7, poses_lost=1, latency_p99_ms=4.26))
    assert screen.lines() == [
        "'headset' reports no batch yet",
        "'headset' reports 7 batches, 1 lost, p99 4.3 ms",
    ]


def test_a_long_line_goes_on_under_its_beginning_at_80_columns() -> None:
    screen = Screen(80, terminal=True)
    screen.screen.say("word " * 40)
    first, *more = screen.file.getvalue().splitlines()
    assert first.startswith("14:05:09 word")
    assert more
    assert all(line.startswith("         word") and len(line.rstrip()) <= 80 for line in more)


# ---------------------------------------------------------------------------------------------------------------- noise
def test_a_client_that_comes_and_goes_without_end_is_said_once_and_counted(screen: Screen) -> None:
    for _ in range(240):  # two a second, for two minutes
        screen.event(hello())
        screen.event(Goodbye())
        screen.wait(0.5)
    assert screen.lines() == [
        "'headset' has joined (test 1)",
        "'headset' has left",
        "'headset' is away now (joined 119 and left 119 times since)",
        "'headset' is away now (joined 120 and left 120 times since)",
    ]


def test_a_client_that_comes_back_and_stays_is_soon_said_to_be_here(screen: Screen) -> None:
    screen.event(hello())
    screen.event(Goodbye())
    screen.wait(2)
    screen.event(hello())
    assert screen.lines()[2:] == []
    screen.wait(6)
    assert screen.lines() == ["'headset' is here now (joined 1 and left 0 times since)"]
    screen.wait(200)
    assert screen.lines() == []
    screen.event(Goodbye())
    assert screen.lines() == ["'headset' has left"]


def test_a_hello_that_is_repeated_is_no_news(screen: Screen) -> None:
    for _ in range(20):
        screen.event(hello())
        screen.wait(60)
    assert screen.lines() == ["'headset' has joined (test 1)"]


def test_a_client_with_a_new_name_each_time_fills_no_screen(screen: Screen) -> None:
    for number in range(1200):  # ten minutes
        screen.event(hello(), f"name {number}")
        screen.event(Goodbye(), f"name {number}")
        screen.wait(0.5)
    lines = screen.lines()
    assert len(lines) <= 30 + 10 * (4 + 1)
    assert [line for line in lines if "withheld" in line][-1] == (
        "236 more lines about clients were withheld in the last minute"
    )


def test_what_a_person_does_is_said_while_a_program_makes_noise(screen: Screen) -> None:
    for number in range(200):
        screen.event(hello(), f"name {number}")
    screen.lines()
    screen.event(event_of("select_target", name="tumour"))
    assert screen.lines() == ["'headset', select_target tumour"]


def test_reports_and_verdicts_without_end_are_counted(screen: Screen) -> None:
    for number in range(100):
        screen.event(ClientReport(batches_received=number, poses_lost=0))
        screen.event(SelfTestVerdict(challenge=number, state=SelfTestState.FAILED, reasons=("mirrored along x",)))
    assert len(screen.lines()) == 8
    screen.wait(61)
    assert screen.lines() == [
        "96 more reports of 'headset'",
        "96 more of 'headset', self-test: failed",
    ]


# ------------------------------------------------------------------------------------------------------------- refusals
def test_a_peer_that_is_refused_without_end_is_said_once_and_counted(screen: Screen) -> None:
    log = RefusalNews(screen.clock)
    with logs_on(screen.screen, EVENTS_LOG):
        for number in range(600):  # ten a second, for a minute
            log.log([Refusal(f"cut off: {3000 + number} bytes at once, more than 4,096 a second", "10.0.0.7")])
            screen.clock.advance_ns(NS_PER_S // 10)
        log.log([Refusal("no CURVE key", "10.0.0.8", 3)])
        first, *counts = screen.lines()
        assert first == "refused 10.0.0.7: cut off: 3000 bytes at once, more than 4,096 a second"
        assert counts[0] == "refused 10.0.0.8: no CURVE key"
        for _ in range(2):
            screen.clock.advance_ns(MINUTE_NS)
            log.log([])
            counts += screen.lines()
    assert sum("10.0.0.7" in line for line in counts) == 1
    assert any(line.startswith("2 more refused in a minute: 10.0.0.8, no CURVE key") for line in counts)


def test_a_peer_without_a_key_is_one_piece_of_news_however_its_handshakes_end(screen: Screen) -> None:
    log = RefusalNews(screen.clock)
    with logs_on(screen.screen, EVENTS_LOG):
        for _ in range(50):
            log.log([Refusal("no handshake: it broke off before it was known", "", 2)])
            log.log([Refusal("no handshake: it came without keys, or with keys to a server without", "", 3)])
        assert screen.lines() == ["refused a peer: no handshake: it broke off before it was known"]
        screen.clock.advance_ns(MINUTE_NS)
        log.log([])
        assert screen.lines() == ["249 more refused in a minute: no handshake"]


def test_the_pose_process_hands_on_what_it_refused_one_message_at_a_time() -> None:
    sent: list[Refused] = []
    waiting = [Refusal("no CURVE key", "10.0.0.7")]
    forwarder = RefusalForwarder(sent.append, lambda: tuple(waiting))
    for _ in range(1000):
        forwarder.forward()  # a service that does not listen must not be able to stall the poses
    assert sent == [Refused(tuple(waiting))]
    forwarder.heard()
    waiting.clear()
    forwarder.forward()
    assert len(sent) == 1
    waiting.append(Refusal("no CURVE key", "10.0.0.7", 40))
    forwarder.forward()
    assert [refused.refusals[0].count for refused in sent] == [1, 40]


def test_peers_without_number_are_counted_together(screen: Screen) -> None:
    log = RefusalNews(screen.clock)
    with logs_on(screen.screen, EVENTS_LOG):
        log.log([Refusal("no CURVE key", f"10.0.{high}.{low}") for high in range(10) for low in range(100)])
        assert len(screen.lines()) == 32
        screen.clock.advance_ns(MINUTE_NS)
        log.log([])
        assert screen.lines() == ["968 more refused in a minute: many kinds"]


def test_refusals_are_logged_as_before_once_the_screen_is_gone(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    with logs_on(screen.screen, EVENTS_LOG):
        pass
    with caplog.at_level(logging.WARNING, "surgnav.wire"):
        RefusalNews(screen.clock).log([Refusal("no CURVE key\x1b[2J", "10.0.0.7")])
    assert caplog.messages == ["refused 10.0.0.7: no CURVE key\ufffd[2J"]
    assert screen.lines() == []


def test_a_screen_that_takes_nothing_more_ends_nothing(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(text: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(screen.file, "write", full)
    screen.event(hello())
    screen.screen.say("and so on")


def test_what_is_the_matter_is_said_once_and_again_when_it_comes_back(screen: Screen) -> None:
    for matter in ("", "the disk is full", "the disk is full", "", "the disk is full"):
        screen.screen.say_if_new("disk", matter)
    assert screen.lines() == ["the disk is full"] * 2


def test_what_the_service_logs_of_clients_is_foreign_text_too_and_not_said_twice(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    failed = ControlEvent(NASTY, 0, SelfTestVerdict(challenge=1, state=SelfTestState.FAILED, reasons=(NASTY,)))
    asked = ControlEvent(NASTY, 0, event_of(NASTY), answer_of(STREAM, 1, Outcome(NASTY)))
    with caplog.at_level(logging.INFO, EVENTS_LOG):
        log_events([failed, asked])
        assert len(caplog.messages) == 2
        assert all("\ufffd" in message and not set(message) & set("\x1b\u202e\n") for message in caplog.messages)
        with logs_on(screen.screen, EVENTS_LOG):
            log_events([failed, asked])
        assert len(caplog.messages) == 2
    assert screen.lines() == []
