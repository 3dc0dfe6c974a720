"""Prepares surfaces for headsets in another process, since each takes a second or more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from case.atomic import file_sha256
from case.mesh_files import read_surface
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, Clock
from navigation.errors import ServiceError
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from unity_bridge.surfaces.levels import EncodedLevel

_NICE = 5  # lower priority than the poses
_PATIENCE_S = 300.0
_END_S = 2.0
_IDLE_NS = 30 * NS_PER_S


@dataclass(frozen=True)
class LevelRequest:
    """A surface to prepare; its file must have the hash `sha256` before and after it is read."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """The levels of a surface, coarsest first; or the reason why there are none."""

    request: LevelRequest
    levels: tuple[EncodedLevel, ...] = ()
    problem: str = ""


class LevelMaker:
    """Prepares one surface at a time. The process starts with the first one, and ends after 30 s without work."""

    def __init__(self, clock: Clock, settings: LevelSettings | None = None) -> None:
        self._clock = clock
        self._settings = settings or LevelSettings()
        self._process: Any = None
        self._pipe: Any = None
        self._job: _Job | None = None
        self._idle_since_ns = clock.now_ns()

    @property
    def is_busy(self) -> bool:
        return self._job is not None

    def start(self, request: LevelRequest) -> None:
        """Starts to prepare a surface, whose result `poll` returns. It must not be called while `is_busy`."""
        try:
            if self._process is None or not self._process.is_alive():
                self._spawn()
            self._job = _Job(self._pipe, request)
            self._job.start()
        except (OSError, RuntimeError) as error:  # out of memory, processes or threads
            self._job = _Job(None, request, f"nothing to prepare it with: {error}")

    def poll(self) -> Prepared | None:
        """The result, once, when it is ready; None otherwise. It never waits."""
        now_ns = self._clock.now_ns()
        if self._job is None:
            if self._process is not None and now_ns - self._idle_since_ns > _IDLE_NS:
                self._end()
            return None
        if self._job.is_alive():
            return None
        job, self._job, self._idle_since_ns = self._job, None, now_ns
        if job.is_broken:
            self._end()
        return job.result

    def close(self) -> None:
        """Ends the process at once. May be called again."""
        self._end()

    def _spawn(self) -> None:
        self._end()
        spawning = multiprocessing.get_context("spawn")  # fork would copy only half of ZeroMQ's threads
        self._pipe, theirs = spawning.Pipe()
        process = spawning.Process(
            target=_make_levels, args=(theirs, self._settings), name="surgnav-levels", daemon=True
        )
        try:
            process.start()
        finally:
            theirs.close()  # so that the pipe closes when the process ends
        self._process = process

    def _end(self) -> None:
        """Ends the process and waits for it only briefly, since it may hang on a drive that does not answer."""
        if self._process is not None:
            self._process.kill()  # it writes nothing that could be left incomplete
            self._process.join(_END_S)
            self._process = None
        if self._job is not None and self._job.is_alive():
            self._job.join(_END_S)
        self._job = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


class _Job(threading.Thread):
    """Waits for one answer in a thread, since a large answer takes longer than one pass of the control loop.

    Attributes:
        is_broken: whether the process did not answer and must be ended.
        result: the answer, or the reason why there is none.
    """

    def __init__(
        self, pipe: Any, request: LevelRequest, problem: str = "the process that prepares surfaces ended"
    ) -> None:
        super().__init__(name="surgnav-levels", daemon=True)
        self._pipe, self._request = pipe, request
        self.is_broken = True
        self.result = Prepared(request, problem=problem)

    def run(self) -> None:
        try:
            self._pipe.send(self._request)
            if not self._pipe.poll(_PATIENCE_S):
                self.result = Prepared(self._request, problem=f"not prepared within {_PATIENCE_S:g} s")
                return
            self.result = self._pipe.recv()
        except (EOFError, OSError):
            return  # `result` has the reason already
        self.is_broken = False


def _make_levels(pipe: Any, settings: LevelSettings) -> None:
    """Answers requests, as the main function of the process, until the service has ended; ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    while True:
        try:
            pipe.send(_prepared(pipe.recv(), settings))
        except (EOFError, OSError):
            return


def _prepared(request: LevelRequest, settings: LevelSettings) -> Prepared:
    try:
        _check(request)
        surface = replace(read_surface(request.path), name=request.name)
        _check(request)
        return Prepared(request, encode_levels(surface, settings))
    except SurgNavError as error:
        return Prepared(request, problem=error.came)
    except OSError as error:
        return Prepared(request, problem=f"its file: {error.strerror or error}")


def _check(request: LevelRequest) -> None:
    if file_sha256(request.path) != request.sha256:
        raise ServiceError(
            f"the file of '{request.name}', which changed meanwhile",
            "the file on which the decision was made",
            "wait for the next reading of the case",
        )
