"""Prepares surfaces for headsets in a process of its own: a second or more each, which nothing else may wait for."""

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

_NICE = 5  # poses go first
_PATIENCE_S = 300.0
_END_S = 2.0
_IDLE_NS = 30 * NS_PER_S


@dataclass(frozen=True)
class LevelRequest:
    """A surface to prepare: the file must have this hash, before it is read and after."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """The levels, coarse first; or why there are none."""

    request: LevelRequest
    levels: tuple[EncodedLevel, ...] = ()
    problem: str = ""


class LevelMaker:
    """One surface at a time. The process starts with the first, and ends when there was nothing to do for a while."""

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
        """Begins; `poll` has the result. Not while it is busy."""
        try:
            if self._process is None or not self._process.is_alive():
                self._spawn()
            self._job = _Job(self._pipe, request)
            self._job.start()
        except (OSError, RuntimeError) as error:  # no memory, or no process or thread more
            self._job = _Job(None, request, f"nothing to prepare it with: {error}")

    def poll(self) -> Prepared | None:
        """What is ready, once; never waits."""
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
        """Ends the process, whatever it is doing. May be called again."""
        self._end()

    def _spawn(self) -> None:
        self._end()
        spawning = multiprocessing.get_context("spawn")  # fork would copy ZeroMQ's threads half
        self._pipe, theirs = spawning.Pipe()
        process = spawning.Process(
            target=_make_levels, args=(theirs, self._settings), name="surgnav-levels", daemon=True
        )
        try:
            process.start()
        finally:
            theirs.close()  # so that the end of the process is the end of the pipe
        self._process = process

    def _end(self) -> None:
        """Nobody waits long for it: it may hang on a drive that does not answer."""
        if self._process is not None:
            self._process.kill()  # it holds nothing that could be left half done
            self._process.join(_END_S)
            self._process = None
        if self._job is not None and self._job.is_alive():
            self._job.join(_END_S)
        self._job = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


class _Job(threading.Thread):
    """Waits for one answer, so that nobody else has to: a large one takes longer than a turn of the control loop.

    Attributes:
        is_broken: the process did not answer, and is of no use any more.
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
            return  # what it says already is so
        self.is_broken = False


def _make_levels(pipe: Any, settings: LevelSettings) -> None:
    """The process: one request after the other, until the service is gone. Ctrl-C is for the service to hear."""
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
        raise ServiceError(f"the file of '{request.name}' changed meanwhile", "the file that was decided on", "wait")
