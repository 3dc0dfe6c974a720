"""Starts the ultrasound process, takes its results and notices when it dies."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType

import zmq

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, PacedClock
from navigation.errors import DeviceError
from navigation.ultrasound.messages import Ended, Started, unpack
from navigation.ultrasound.pipeline import FrameResult
from navigation.ultrasound.worker import (
    ACCEPT_GEOMETRY,
    QUEUED_RESULTS,
    STOP,
    WorkerConfig,
    run_ultrasound_process,
)

_START_NS = 60 * NS_PER_S  # importing, loading and compiling, on a machine that is busy with other things
_STOP_S = 5.0


class UltrasoundProcess:
    """The ultrasound process as a context: it runs from entry to exit.

    Args:
        config: settings; the endpoint is chosen here: a socket file in a folder that only this user can open.
        clock: for the wait until it is ready.

    Attributes:
        started: what the process said when it was ready.
        ended: what it said at its end, or why it died; None while it runs.
    """

    started: Started

    def __init__(self, config: WorkerConfig, clock: PacedClock) -> None:
        self.ended: Ended | None = None
        self._config, self._clock = config, clock
        self._stack = ExitStack()
        self._received = 0

    def __enter__(self) -> UltrasoundProcess:
        """Starts it and waits until it is ready.

        Raises:
            SurgNavError: as the process raised it: an unreadable source, an unknown model, no engine.
            DeviceError: it died, or was not ready within a minute.
        """
        with self._stack:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="surgnav-ultrasound-"))
            socket = self._stack.enter_context(self._stack.enter_context(zmq.Context()).socket(zmq.PULL))
            socket.setsockopt(zmq.RCVHWM, QUEUED_RESULTS)
            socket.setsockopt(zmq.LINGER, 0)
            config = replace(self._config, endpoint=f"ipc://{folder}/results")
            socket.bind(config.endpoint)
            self._socket = socket
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=run_ultrasound_process, args=(config, theirs), daemon=True)
            self._process.start()
            theirs.close()
            self._stack.callback(self._end_process)
            self.started = self._wait_until_ready()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int | None:
        """Its number to the system."""
        return self._process.pid

    def take(self, timeout_ns: int) -> Iterator[FrameResult]:
        """All results that have come, oldest first; waits up to `timeout_ns` for the first.

        When the process has ended, `ended` is set, and what it had sent before still comes.
        """
        timeout_ms = max(0, timeout_ns) // 1_000_000
        while self._socket.poll(timeout_ms):
            timeout_ms = 0
            self._received += 1
            yield unpack(self._socket.recv_multipart(copy=False))
        self._notice_end()

    def accept_geometry(self) -> None:
        """A person accepts the frames' new size or depth."""
        self._order(ACCEPT_GEOMETRY)

    def stop(self) -> None:
        """Asks the process to end; `ended` follows."""
        self._order(STOP)

    def no_answer(self) -> Ended:
        """What is said of a process that was asked to end and does not; it is killed on leaving the context."""
        return Ended("stopped; the ultrasound process did not answer and was killed", self._received, 0, 0)

    def _order(self, order: str) -> None:
        try:
            self._connection.send(order)
        except OSError:
            self._notice_end()

    def _notice_end(self) -> None:
        if self.ended is not None:
            return
        try:
            if self._connection.poll():
                self.ended = self._ended(self._connection.recv())
        except (EOFError, OSError):  # its end of the pipe closes when it dies, however it dies
            self._process.join(_STOP_S)
            self.ended = self._died()

    def _ended(self, message: object) -> Ended:
        if isinstance(message, Ended):
            return message
        return Ended(str(message), self._received, 0, 0)

    def _died(self) -> Ended:
        return Ended(f"the ultrasound process died (exit code {self._process.exitcode})", self._received, 0, 0)

    def _wait_until_ready(self) -> Started:
        deadline_ns = self._clock.now_ns() + _START_NS
        while self._clock.now_ns() < deadline_ns:
            try:
                message = self._connection.recv() if self._connection.poll(0.1) else None
            except EOFError:
                break
            if isinstance(message, Started):
                return message
            if isinstance(message, SurgNavError):
                raise message
        self._process.join(0.1)
        raise DeviceError(
            f"an ultrasound process that was not ready within a minute (exit code {self._process.exitcode})",
            "a process that starts",
            "run it again; if it stays so, run 'surgnav doctor'",
        )

    def _end_process(self) -> None:
        self.stop()
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()
