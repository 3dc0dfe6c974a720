"""The recorder's process, and what the service holds of it: neither waits for the other."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.processes.child import STOP, Child, ChildSettings, ChildState
from navigation.recorder.tap import MOST_IMAGES, MOST_WAITING, images_address, tapped
from navigation.recorder.translate import Translator
from navigation.recorder.writing import RecorderState, RecordingWriter

_HEARD = "heard"
_STOP_TIMEOUT_S = 20.0
_POLL_MS = 50
_MOST_AT_ONCE = 256
_TELL_EVERY_NS = NS_PER_S
_QUIET_MS = 200  # without a message for that long after the order to stop, no tap has anything left


@dataclass(frozen=True, kw_only=True)
class RecorderConfig:
    """What the recorder's process is started with; can be pickled.

    Attributes:
        folder: of the recordings.
        tool_ids: topic of a device's frames -> name of a tool -> its id at the device.
    """

    folder: Path
    tool_ids: Mapping[str, Mapping[str, str]]


class RecorderProcess:
    """The recorder in a process of its own, started again where it ends by itself; call `poll` often.

    Attributes:
        address: where taps connect; only this user may enter the folder that it is in.
        state: how it stands; None until it has said so.
    """

    def __init__(self, config: RecorderConfig) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="surgnav-"))
        self.address = f"ipc://{self._folder}/recorder"
        self.state: RecorderState | None = None
        self._said = ""
        arguments = (config, self.address)
        settings = ChildSettings(stop_timeout_s=_STOP_TIMEOUT_S)
        self._child = Child("recorder", run_recorder_process, lambda: arguments, MonotonicClock(), settings=settings)

    @property
    def process(self) -> ChildState:
        """How its process stands."""
        return self._child.state

    @property
    def process_id(self) -> int | None:
        return self._child.process_id

    def poll(self) -> tuple[tuple[str, bool], ...]:
        """Lines for the operator, each with True if it reports a problem; starts a recorder that has ended again.

        Raises:
            SurgNavError: what keeps it from running at all.
        """
        for state in self._child.poll():
            self.state = state
            self._child.send(_HEARD)
        return (*self._child.take_news(), *self._lines())

    def close(self) -> None:
        """Lets it write what it was given, and ends it; call this once the taps are closed."""
        self._child.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _lines(self) -> tuple[tuple[str, bool], ...]:
        state = self.state
        if state is None or not self._child.state.is_running:
            return ()
        warning = "" if state.outlook is None else state.outlook.warning
        line, is_bad = f"recording to {state.file}", False
        if state.problem:
            line, is_bad = f"nothing is recorded: {state.problem}", True
        elif warning:
            line, is_bad = warning.split(":")[0], True
        elif state.lost:
            line, is_bad = f"{state.lost} messages could not be recorded", True
        if line == self._said:
            return ()
        self._said = line
        return ((line, is_bad),)


def run_recorder_process(config: RecorderConfig, address: str, pipe: Any) -> None:
    """Entry point of the process: it sends `RecorderState`, each answered by a word, or what makes it end."""
    # Ctrl-C at the terminal reaches every process started there; only the service decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _Worker(config, address, pipe).run()
    except SurgNavError as error:
        with contextlib.suppress(OSError):
            pipe.send(error)


class _Worker:
    """Connects the taps, the writer and the service."""

    def __init__(self, config: RecorderConfig, address: str, pipe: Any) -> None:
        self._clock, self._pipe = MonotonicClock(), pipe
        self._folder = Path(address.removeprefix("ipc://")).parent
        epoch_ns = time.time_ns() - self._clock.now_ns()
        name = time.strftime("%Y-%m-%d_%H-%M-%S")
        translator = Translator(config.tool_ids, epoch_ns)
        self._writer = RecordingWriter(config.folder, name, translator, self._clock, epoch_ns)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, MOST_WAITING)
        self._socket.bind(address)
        self._socket.setsockopt(zmq.RCVHWM, MOST_IMAGES)  # holds for what is bound after it
        self._socket.bind(images_address(address))
        self._told_ns, self._may_tell, self._is_running = 0, True, True

    def run(self) -> None:
        """Until the service says so, or has ended; then what is under way is written, and the file ended."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._pipe.fileno(), zmq.POLLIN)
        while self._is_running:
            self._writer.tick()  # first of all, so that there is a file
            self._tell()
            poller.poll(_POLL_MS)
            self._take()
            self._hear()
        while self._socket.poll(_QUIET_MS):
            self._take()
            self._writer.tick()
        self._writer.close()
        self._context.destroy(linger=0)

    def _take(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                message = self._socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._writer.take(tapped(message))

    def _hear(self) -> None:
        try:
            while self._pipe.poll():
                if self._pipe.recv() == STOP:
                    self._is_running = False
                self._may_tell = True
        except (EOFError, OSError):
            self._is_running = False  # the service has ended, and clears nothing up
            shutil.rmtree(self._folder, ignore_errors=True)

    def _tell(self) -> None:
        now_ns = self._clock.now_ns()
        if self._may_tell and now_ns - self._told_ns >= _TELL_EVERY_NS:
            self._told_ns, self._may_tell = now_ns, False
            with contextlib.suppress(OSError):  # the service has ended, which `_hear` notices
                self._pipe.send(self._writer.state)
