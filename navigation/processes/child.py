"""A process beside the program that is started again when it ends by itself, after a pause that grows.

Spawned, not forked: a fork would copy only half of the threads of ZeroMQ and OpenVINO.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from geometry.clock import Clock
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S
from navigation.processes.priority import ask_for_real_time, going_first

STOP = "stop"
_LOOK_S = 0.02


@dataclass(frozen=True, kw_only=True)
class ChildSettings:
    """When a process that ended is started again, and how long it may take to stop.

    Attributes:
        first_pause_s, longest_pause_s: before it is started again: doubled each time, up to the longest.
        settled_s: a process that ran for so long ended for a reason of its own, and the first pause counts again.
        stop_timeout_s: until a process that was told to stop is killed.
        niceness: priority that it is given where the user may do so, -20 before everything; None for that of others.
        real_time: asks for a real-time priority and a core of its own besides.
        standby: keeps another process that has loaded the program and waits, so that it takes over at once.
    """

    first_pause_s: float = 0.25
    longest_pause_s: float = 30.0
    settled_s: float = 60.0
    stop_timeout_s: float = 5.0
    niceness: int | None = None
    real_time: bool = False
    standby: bool = False


@dataclass(frozen=True)
class ChildState:
    """How a process stands.

    Attributes:
        name: what it is, for people, such as ``recorder``.
        is_running: whether it runs, or was just started.
        restarts: how often it was started again.
        why: why it ended last; empty if it never did.
        process_id: its number to the system; None while it does not run.
    """

    name: str
    is_running: bool
    restarts: int
    why: str
    process_id: int | None


class Child:
    """A process that is started again when it ends by itself; call `poll` often.

    Args:
        name: what it is, for people.
        target: what it runs: it is given the arguments, `shared` and its end of a pipe. It ends on `STOP`, and where it
            cannot go on it sends a `SurgNavError`.
        arguments: asked for at each start; can be pickled.
        clock: times the pauses.
        first: what each new process is told first, beyond its arguments.
        is_ready: whether a message of the process says that it runs.
        shared: what can only be given to a process as it is made, such as shared memory.
    """

    def __init__(
        self,
        name: str,
        target: Callable[..., None],
        arguments: Callable[[], tuple[Any, ...]],
        clock: Clock,
        first: Callable[[], Iterable[object]] = tuple,
        settings: ChildSettings | None = None,
        is_ready: Callable[[Any], bool] = lambda message: True,
        shared: tuple[Any, ...] = (),
    ) -> None:
        self._name, self._target, self._arguments, self._first = name, target, arguments, first
        self._clock, self._settings, self._is_ready = clock, settings or ChildSettings(), is_ready
        self._has_run, self._shared = False, shared
        self._standby: tuple[Any, Any] | None = None
        self._restarts, self._why, self._news = 0, "", list[tuple[str, bool]]()
        self._pause_s = self._settings.first_pause_s
        self._again_ns: int | None = None
        self._is_closed = False
        self._start()

    @property
    def state(self) -> ChildState:
        return ChildState(self._name, self._again_ns is None, self._restarts, self._why, self.process_id)

    @property
    def process_id(self) -> int | None:
        """Its number to the system; None while there is none."""
        return self._process.pid if self._again_ns is None else None

    def poll(self) -> list[Any]:
        """What the process has said since the last call; starts one that ended again when its pause is over.

        Raises:
            SurgNavError: a process said why it cannot run, and none before it ever did: another would not either.
        """
        if self._again_ns is not None:
            if self._clock.now_ns() >= self._again_ns:
                self._restarts += 1
                self._start()
                self._news.append((f"the {self._name} is started again", False))
            return []
        said: list[Any] = []
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if isinstance(message, SurgNavError):
                    self._ended(message)
                    return said
                said.append(message)
                if self._is_ready(message):
                    self._has_run = True
                    if self._settings.standby and self._standby is None:  # not before: it would slow this one's start
                        self._standby = self._made()
        except (EOFError, OSError):  # its end of the pipe closes when it ends, however it does
            self._ended(None)
        return said

    def take_news(self) -> list[tuple[str, bool]]:
        """Lines for the operator since the last call, each with True if it reports a problem."""
        news, self._news = self._news, []
        return news

    def send(self, what: object) -> None:
        """Tells the process something; nothing happens while there is none."""
        with contextlib.suppress(OSError):  # it has ended, which `poll` notices
            self._pipe.send(what)

    def close(self) -> None:
        """Stops the process; kills it where it does not stop in time. May be called again."""
        if self._standby is not None:
            process, pipe = self._standby
            self._standby = None
            process.kill()
            process.join()
            pipe.close()
        if self._again_ns is not None or self._is_closed:
            return
        self._is_closed = True
        self.send(STOP)
        for _ in range(round(self._settings.stop_timeout_s / _LOOK_S)):
            if not self._process.is_alive():
                break
            # What it still says is read, since a full pipe would keep it from ending.
            with contextlib.suppress(EOFError, OSError):
                if self._pipe.poll(_LOOK_S):
                    self._pipe.recv()
                    continue
            self._process.join(_LOOK_S)
        self._end()

    def _start(self) -> None:
        self._process, self._pipe = self._standby or self._made()
        self._standby = None
        self._again_ns, self._begun_ns = None, self._clock.now_ns()
        for message in (self._arguments(), *self._first()):
            self.send(message)

    def _made(self) -> tuple[Any, Any]:
        """A process that waits for its arguments, and our end of its pipe."""
        spawning, settings = multiprocessing.get_context("spawn"), self._settings
        pipe, theirs = spawning.Pipe()
        process = spawning.Process(
            target=wait_and_run,
            args=(self._target, self._shared, self._arguments(), theirs),
            name=f"surgnav-{self._name}",
            daemon=True,
        )
        with going_first(settings.niceness is not None, settings.niceness or 0):
            process.start()
        if settings.real_time and process.pid is not None:
            ask_for_real_time(process.pid)
        theirs.close()
        return process, pipe

    def _end(self) -> None:
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def _ended(self, error: SurgNavError | None) -> None:
        settings, now_ns = self._settings, self._clock.now_ns()
        self._process.join(settings.stop_timeout_s)
        self._end()
        if error is not None and not self._has_run:
            self._again_ns = now_ns
            raise error
        self._why = str(error or _how(self._process.exitcode))
        if now_ns - self._begun_ns >= settings.settled_s * NS_PER_S:
            self._pause_s = settings.first_pause_s
        self._again_ns = now_ns + round(self._pause_s * NS_PER_S)
        self._news.append(
            (f"the {self._name} has ended: {self._why}; it is started again in {self._pause_s:g} s", True)
        )
        self._pause_s = min(2.0 * self._pause_s, settings.longest_pause_s)


def wait_and_run(target: Callable[..., None], shared: tuple[Any, ...], like: tuple[Any, ...], pipe: Any) -> None:
    """Entry point of every child: it runs `target` once its arguments come.

    Args:
        like: arguments as they were when this process was made. They are not used, but have loaded what they need.
    """
    # Ctrl-C at the terminal reaches every process started there; only the one that started this decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        arguments = pipe.recv()
    except EOFError:
        return  # who started this has ended
    target(*arguments, *shared, pipe)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"
