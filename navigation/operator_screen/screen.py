"""The operator's screen of a running service: one line for each event, with the local time.

Text from clients is sanitised by `foreign_text` and never interpreted as markup; the number of lines is limited.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from navigation.clock import NS_PER_S, Clock
from navigation.live.refusals import LOG
from navigation.operator_screen.presence import Presence
from navigation.terminal.foreign_text import quoted, shown
from navigation.terminal.repeated_news import EVERY_NS, LineBudget, RepeatedNews
from unity_bridge.control.server import ControlEvent
from unity_bridge.wire.generated.constants import EventOutcome, SelfTestState
from unity_bridge.wire.messages import ClientEvent, ClientReport, Goodbye, Hello, SelfTestVerdict

WARNING, PLAIN = "yellow", ""
_MOST_LINE = 600
_LOOK_EVERY_NS = NS_PER_S // 2
# Number of lines in a burst, and the time until one more. Events by people are rare: they have a budget of their own,
# which messages from programs cannot use up.
_PERSONS, _PROGRAMS = (60, 2 * NS_PER_S), (30, 15 * NS_PER_S)
_AT_ONCE = {ClientReport: 4, SelfTestVerdict: 4}


class OperatorScreen:
    """Shows what happens in the service; call `poll` often, since it shows the counts of withheld lines.

    Args:
        console: where the lines are printed.
        clock: times the limits.
        now: returns the local time.
    """

    def __init__(self, console: Console, clock: Clock, now: Callable[[], datetime]) -> None:
        self._console, self._clock, self._now = console, clock, now
        self._presence = Presence()
        self._repeated = RepeatedNews()
        self._matters: dict[str, str] = {}
        now_ns = self._looked_ns = self._summed_up_ns = clock.now_ns()
        self._persons, self._programs = LineBudget(*_PERSONS, now_ns), LineBudget(*_PROGRAMS, now_ns)

    def say(self, line: str, style: str = PLAIN) -> None:
        """Prints one line; where it is longer than the terminal is wide, it is wrapped with an indent.

        Output that fails, such as to a file on a full disk, is ignored, so that the service goes on.
        """
        with contextlib.suppress(OSError):
            self._print(f"{self._now():%H:%M:%S}", Text(shown(line, _MOST_LINE), style))

    def _print(self, time: str, text: Text) -> None:
        if not self._console.is_terminal:
            self._console.print(Text.assemble((time, "dim"), " ", text), soft_wrap=True)
            return
        grid = Table.grid(padding=(0, 1))
        grid.add_row(Text(time, "dim"), text)
        self._console.print(grid)

    def say_if_new(self, topic: str, line: str) -> None:
        """Shows the problem of a topic if it differs from the last one; `line` is empty while there is none."""
        before, self._matters[topic] = self._matters.get(topic, ""), line
        if line and line != before:
            self.say(line, WARNING)

    def event(self, event: ControlEvent) -> None:
        """Shows what a client did, within the limits for repeated lines."""
        name, what, now_ns = event.client_name, event.what, self._clock.now_ns()
        if isinstance(what, ClientEvent):
            line, style = _done(event, what)
            if self._persons.allows(now_ns):
                self.say(line, style)
            return
        line = self._program_line(name, what, now_ns)
        if line and self._programs.allows(now_ns):
            self.say(line, WARNING if isinstance(what, SelfTestVerdict) and what.reasons else PLAIN)

    def poll(self) -> None:
        """Shows what was counted since the last call, at most twice a second."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns < _LOOK_EVERY_NS:
            return
        self._looked_ns = now_ns
        counted = [f"{count} more {kind or 'lines of others'}" for kind, count in self._repeated.due(now_ns)]
        for line in (*self._presence.due(now_ns), *counted):
            if self._programs.allows(now_ns):
                self.say(line)
        if now_ns - self._summed_up_ns >= EVERY_NS:
            self._summed_up_ns = now_ns
            withheld = self._persons.take_withheld() + self._programs.take_withheld()
            if withheld:
                self.say(f"{withheld} more lines about clients were withheld in the last minute", WARNING)

    def _program_line(self, name: str, what: Hello | Goodbye | ClientReport | SelfTestVerdict, now_ns: int) -> str:
        if isinstance(what, Hello):
            return self._presence.joined(name, what.program, now_ns)
        if isinstance(what, Goodbye):
            return self._presence.left(name, what.reason, now_ns)
        kind, line = _tested(name, what) if isinstance(what, SelfTestVerdict) else _reported(name, what)
        return line if self._repeated.is_news(kind, now_ns, at_once=_AT_ONCE[type(what)]) else ""


class _ScreenHandler(logging.Handler):
    """Shows log records, such as refusals, as lines of the screen."""

    def __init__(self, screen: OperatorScreen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.say(record.getMessage(), WARNING)


@contextlib.contextmanager
def logs_on(screen: OperatorScreen, hushed: str) -> Iterator[None]:
    """While the block runs, shows the log of refusals on the screen instead of on standard error.

    Args:
        screen: where the log is shown.
        hushed: name of a log that is suppressed, since the screen shows the same through `event`.
    """
    handlers = {LOG: _ScreenHandler(screen), hushed: logging.NullHandler()}
    logs = {name: logging.getLogger(name) for name in handlers}
    before = {name: log.propagate for name, log in logs.items()}
    for name, log in logs.items():
        log.propagate = False
        log.addHandler(handlers[name])
    try:
        yield
    finally:
        for name, log in logs.items():
            log.removeHandler(handlers[name])
            log.propagate = before[name]


def _tested(name: str, verdict: SelfTestVerdict) -> tuple[str, str]:
    said = f"{quoted(name)}, self-test: {verdict.state.value}"
    gets = ", is admitted to the poses" if verdict.state is SelfTestState.PASSED else ", gets no poses"
    reasons = f": {shown('; '.join(verdict.reasons), 300)}" if verdict.reasons else ""
    return f"of {said}", said + gets + reasons


def _reported(name: str, report: ClientReport) -> tuple[str, str]:
    if report.batches_received == 0:
        return f"reports of {quoted(name)}", f"{quoted(name)} reports no batch yet"
    p99 = "delay unknown" if report.latency_p99_ms is None else f"p99 {report.latency_p99_ms:.1f} ms"
    said = f"{quoted(name)} reports {report.batches_received} batches, {report.poses_lost} lost, {p99}"
    return f"reports of {quoted(name)}", said


def _done(event: ControlEvent, what: ClientEvent) -> tuple[str, str]:
    """The line and style for an event by a person at a headset, with its outcome."""
    who = quoted(event.client_name) + (f" ({shown(what.person, 40)})" if what.person else "")
    if what.kind == "request_registration":
        said = f"{who} asks for a registration: {shown(what.reason or 'no reason given', 200)}"
    else:
        details = [shown(text, 60) for text in (what.decision, what.name) if text]
        said = f"{who}, {shown(what.kind, 40)}{' ' + ', '.join(details) if details else ''}"
    answer = event.answer
    if answer is None:
        return said, PLAIN
    became = shown(answer.note or answer.came or "", 200)
    refused = answer.outcome is EventOutcome.REFUSED
    return f"{said}: {answer.outcome.value}{', ' + became if became else ''}", WARNING if refused else PLAIN
