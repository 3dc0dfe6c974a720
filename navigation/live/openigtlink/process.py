"""The process of the OpenIGTLink server, and its handle in the service: neither poses nor headsets wait for it."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.errors import ServiceError
from navigation.live.openigtlink.scene_files import SceneFile, SceneKeeper
from navigation.live.openigtlink.server import LinkServer, LinkServerSettings
from navigation.live.pose_mirror import TAKEN
from navigation.terminal.repeated_news import LineBudget

_STOP, _HEARD = "stop", "heard"
_TICK_S = 0.02
_MOST_LINES = 20
_AT_ONCE, _EVERY_NS = 20, 10 * NS_PER_S  # lines in a burst, and the time until one more
_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class LinkNews:
    """What the process tells: where it listens, and lines for the operator."""

    address: str
    lines: tuple[str, ...]


class LinkProcess:
    """The server in a process of its own.

    Args:
        settings: where it listens, and its bounds.
        poses: the reader's end of the pipe of a `PoseMirror`; it is closed here once the process has it.

    Attributes:
        address: where it listens, such as ``127.0.0.1:18944``; empty until it does.
    """

    def __init__(self, settings: LinkServerSettings, poses: Any) -> None:
        spawning = multiprocessing.get_context("spawn")  # fork would copy only half of ZeroMQ's threads
        self.address = ""
        self._wanted: dict[str, SceneFile] = {}
        self._pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(
            target=run_link_process, args=(settings, poses, theirs), name="surgnav-openigtlink", daemon=True
        )
        self._process.start()
        theirs.close()
        poses.close()

    def want(self, files: Mapping[str, SceneFile]) -> None:
        """What clients shall be shown; told to the process if it has changed."""
        if files != self._wanted:
            self._wanted = dict(files)
            self._send(self._wanted)

    def poll(self) -> tuple[str, ...]:
        """Lines for the operator.

        Raises:
            SurgNavError: what made the process end, such as a port in use.
            ServiceError: it ended without a word.
        """
        lines: list[str] = []
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if isinstance(message, SurgNavError):
                    raise message
                self.address = message.address
                lines += message.lines
                self._send(_HEARD)
        except (EOFError, OSError) as error:
            raise ServiceError(
                f"an OpenIGTLink server that ended by itself (exit code {self._process.exitcode})",
                "one that runs until it is stopped",
                "see its output above, and start the service again",
            ) from error
        return tuple(lines)

    def close(self) -> None:
        """Stops the process."""
        self._send(_STOP)
        self._process.join(_STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(_STOP_TIMEOUT_S)
        self._pipe.close()

    def _send(self, what: object) -> None:
        try:
            self._pipe.send(what)
        except OSError:
            return  # it has ended: `poll` says why


def run_link_process(settings: LinkServerSettings, poses: Any, pipe: Any) -> None:
    """Entry point of the process.

    It sends `LinkNews` first when it listens and then when there is any, each answered by a word; or the `SurgNavError`
    because of which it ends.
    """
    # Ctrl-C at the terminal reaches every process started there; only the service decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _Worker(settings, poses, pipe).run()
    except SurgNavError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return  # the service has ended


class _Worker:
    """Connects the server with both pipes."""

    def __init__(self, settings: LinkServerSettings, poses: Any, pipe: Any) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._clock = MonotonicClock()
        self._budget = LineBudget(_AT_ONCE, _EVERY_NS, self._clock.now_ns())
        self._server = LinkServer(settings, self._clock, time.time_ns, self._say)
        self._scene = SceneKeeper(self._server.show, self._server.withdraw, time.time_ns, self._say)
        self._poses, self._pipe = poses, pipe
        self._may_send, self._is_running = True, True
        self._server.watch(poses, self._take_poses)
        self._server.watch(pipe, self._take_order)

    def run(self) -> None:
        self._tell()
        try:
            while self._is_running:
                self._server.poll(_TICK_S)
                self._scene.poll()
                if self._lines:
                    self._tell()
        finally:
            self._scene.close()
            self._server.close()

    def _take_poses(self) -> None:
        try:
            tools = self._poses.recv()
            self._poses.send_bytes(TAKEN)
        except (EOFError, OSError):  # the pose process has ended; what was sent ages until the service says what now
            self._server.unwatch(self._poses)
            return
        self._server.show_poses(tools)

    def _take_order(self) -> None:
        order = self._pipe.recv()
        if order == _STOP:
            self._is_running = False
        elif order == _HEARD:
            self._may_send = True
        else:
            self._scene.want(order)

    def _say(self, line: str) -> None:
        if self._budget.allows(self._clock.now_ns()):
            withheld = self._budget.take_withheld()
            self._lines.append(f"{line} (and {withheld} lines before)" if withheld else line)

    def _tell(self) -> None:
        if self._may_send:
            self._may_send = False
            self._pipe.send(LinkNews(f"{self._server.address}:{self._server.port}", tuple(self._lines)))
            self._lines.clear()
