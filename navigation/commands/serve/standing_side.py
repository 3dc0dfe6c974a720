"""How ``surgnav serve`` stands, five times a second: for the lower part of the screen, the metrics and the log."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.live import Live

from case.case import Case
from case.manifest import PROGRAM
from geometry import SurgNavError
from geometry.clock import Clock
from navigation.clock import NS_PER_S
from navigation.commands.serve.command import ServeRequest
from navigation.commands.serve.link_side import LinkSide
from navigation.commands.serve.recorder_side import RecorderSide
from navigation.commands.serve.ultrasound_side import UltrasoundSide
from navigation.live.service import NavigationService
from navigation.live.standing.log import Scrubber, StandingLog
from navigation.live.standing.metrics import LOOPBACK, MetricsServer
from navigation.live.standing.standing import Standing
from navigation.live.supervisor import SupervisorSettings
from navigation.operator_screen.panel import StandingPanel
from navigation.operator_screen.screen import OperatorScreen
from navigation.processes.priority import scheduling_of
from navigation.terminal.quit_key import pressed_keys
from navigation.ultrasound.findings.mark import FlatShape
from navigation.ultrasound.live.process import LiveConfig
from reconstruction.ct.dicom.files import list_files
from reconstruction.ct.dicom.identity import words_of_file
from reconstruction.in_case import CT_ID

_EVERY_NS = NS_PER_S // 5
_TWICE_WITHIN_NS = 3 * NS_PER_S
END, SETTLE, SWEEP, WITHDRAW = "q", "r", "u", "w"
MARKS: dict[str, FlatShape] = {"m": "contour", "p": "point"}
KEYS = f"{END} {END} ends the service   {SETTLE} settles the oldest request   Ctrl-C ends it, too"
MARK_KEYS = "   m marks the contours in the newest ultrasound frame, p their middles"
SWEEP_KEYS = f"   {SWEEP} begins or ends an ultrasound sweep   {WITHDRAW} withdraws its surface"


class StandingSide:
    """Shows how the service stands wherever that was asked for, and does what the operator's keys say.

    Args:
        live: the lower part of a terminal; None where the output is none.
        pressed: the key that was pressed; None for none.

    Attributes:
        is_to_end: whether the operator has asked for the end.
    """

    def __init__(
        self,
        case: Path,
        clock: Clock,
        live: Live | None,
        panel: StandingPanel,
        metrics: MetricsServer | None,
        log: StandingLog | None,
        pressed: Callable[[], str | None],
    ) -> None:
        self._case, self._clock, self._pressed = case, clock, pressed
        self._live, self._panel, self._metrics, self._log = live, panel, metrics, log
        self._shown_ns = clock.now_ns() - _EVERY_NS
        self._end_ns: int | None = None
        self.is_to_end = False

    def poll(
        self,
        service: NavigationService,
        link: LinkSide | None,
        recorder: RecorderSide,
        ultrasound: UltrasoundSide | None,
        screen: OperatorScreen,
    ) -> None:
        """Takes the keys, and shows how the service stands if it is time."""
        sweep = None if ultrasound is None else ultrasound.sweep
        while (key := self._pressed()) is not None:
            self._do(key, service, ultrasound, screen)
        if ultrasound is not None:
            ultrasound.keep_marks(recorder.state, screen)
        now_ns = self._clock.now_ns()
        if now_ns - self._shown_ns < _EVERY_NS:
            return
        self._shown_ns = now_ns
        poses = service.pose_process.process_id
        standing = Standing(
            now_ns=now_ns,
            vitals=service.vitals(),
            tools=service.state.tools,
            registration=service.state.registration,
            clients=service.control.present,
            processes=(
                service.pose_process,
                *recorder.processes,
                *(side.process for side in (link, ultrasound, sweep) if side is not None),
            ),
            ultrasound=None if ultrasound is None else ultrasound.standing,
            sweep=None if sweep is None else sweep.standing,
            recorder=recorder.state,
            scheduling=None if poses is None else scheduling_of(poses),
            disk_free_bytes=shutil.disk_usage(self._case).free,
        )
        self._show(standing)

    def _show(self, standing: Standing) -> None:
        if self._metrics is not None:
            self._metrics.show(standing)
        if self._log is not None:
            self._log.note(standing)
        if self._live is not None:
            with suppress(OSError):  # a terminal that has gone
                self._live.update(self._panel.draw(standing), refresh=True)

    def _do(
        self, key: str, service: NavigationService, ultrasound: UltrasoundSide | None, screen: OperatorScreen
    ) -> None:
        now_ns = self._clock.now_ns()
        sweep = None if ultrasound is None else ultrasound.sweep
        if key == END:
            self.is_to_end = self._end_ns is not None and now_ns - self._end_ns <= _TWICE_WITHIN_NS
            self._end_ns = now_ns
            screen.say("ending the service" if self.is_to_end else f"press {END} once more to end the service")
        elif key == SETTLE and service.state.requests:
            request = service.state.requests[0]
            service.state.settle_request(request)
            screen.say(f"settled: {request}")
        elif key == SETTLE:
            screen.say("no request is open")
        elif key in MARKS and ultrasound is not None:
            ultrasound.marking.mark(MARKS[key], screen)
        elif key == SWEEP and sweep is not None:
            sweep.toggle()
        elif key == WITHDRAW and sweep is not None:
            sweep.withdraw()


@contextmanager
def standing_side(
    request: ServeRequest,
    limits: SupervisorSettings,
    clock: Clock,
    console: Console,
    placed: LiveConfig | None,
) -> Iterator[StandingSide]:
    """The screen's lower part on a terminal, metrics and log where they were asked for, while the block runs.

    Args:
        placed: of a room with live ultrasound.

    Raises:
        ServiceError: the metrics' port is in use.
        EventLogError: the log cannot be written.
    """
    with ExitStack() as stack:
        metrics = log = None
        if request.metrics_port is not None:
            metrics = MetricsServer(request.metrics_port)
            stack.callback(metrics.close)
            console.print(f"metrics http://{LOOPBACK}:{metrics.port}/metrics", highlight=False)
        if request.log is not None:
            log = StandingLog(request.log, Scrubber(identifying(request.case)), lambda: datetime.now().astimezone())
            stack.callback(log.close)
            log.write("started", version=version(PROGRAM))
            stack.callback(log.write, "stopped")
        keys = stack.enter_context(pressed_keys()) if console.is_terminal else None
        live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        if live is not None:
            stack.enter_context(live)
        shown_keys = KEYS if placed is None else KEYS + MARK_KEYS
        if placed is not None and placed.sweep is not None:
            shown_keys += SWEEP_KEYS
        panel = StandingPanel(limits.stale_after_ms, shown_keys if keys is not None else "Ctrl-C ends the service")
        yield StandingSide(request.case, clock, live, panel, metrics, log, keys or (lambda: None))


def identifying(case: Path) -> Collection[str]:
    """Words by which the patient could be told: the case's path, and a header of its CT where that can be read."""
    words = set(case.resolve().parts[1:])
    with suppress(SurgNavError, OSError, LookupError):
        words |= words_of_file(list_files(Case.open(case).path_of(CT_ID))[0])
    return words
