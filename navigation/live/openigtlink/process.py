"""The process of the OpenIGTLink server, and its handle in the service: neither poses nor headsets wait for it."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from geometry.clock import Clock
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.live.openigtlink.scene_files import SceneFile, SceneKeeper
from navigation.live.openigtlink.server import LinkServer, LinkServerSettings
from navigation.live.pose_mirror import MirrorReader
from navigation.processes.child import STOP, Child, ChildState
from navigation.terminal.repeated_news import LineBudget

_HEARD = "heard"
_TICK_S = 0.02
_MOST_LINES = 20
_AT_ONCE, _EVERY_NS = 20, 10 * NS_PER_S  # lines in a burst, and the time until one more


@dataclass(frozen=True)
class LinkNews:
    """What the process tells: where it listens, and lines for the operator."""

    address: str
    lines: tuple[str, ...]


class LinkProcess:
    """The server in a process of its own, which is started again where it ends by itself.

    Args:
        settings: where it listens, and its bounds.
        poses: address of the `PoseMirror`.
        clock: times the pauses before it is started again.

    Attributes:
        address: where it listens, such as ``127.0.0.1:18944``; empty until it does.
    """

    def __init__(self, settings: LinkServerSettings, poses: str, clock: Clock) -> None:
        self.address = ""
        self._wanted: dict[str, SceneFile] = {}
        self._settings, self._poses = settings, poses
        self._child = Child(
            "OpenIGTLink server", run_link_process, self._arguments, clock, lambda: [dict(self._wanted)]
        )

    @property
    def state(self) -> ChildState:
        return self._child.state

    @property
    def process_id(self) -> int | None:
        return self._child.process_id

    def want(self, files: Mapping[str, SceneFile]) -> None:
        """What clients shall be shown; told to the process if it has changed."""
        if files != self._wanted:
            self._wanted = dict(files)
            self._child.send(self._wanted)

    def poll(self) -> tuple[tuple[str, bool], ...]:
        """Lines for the operator, each with True if it reports a problem.

        Raises:
            SurgNavError: what keeps it from running at all, such as a port in use.
        """
        lines: list[tuple[str, bool]] = []
        for news in self._child.poll():
            self.address = news.address
            lines += [(line, False) for line in news.lines]
            self._child.send(_HEARD)
        return (*lines, *self._child.take_news())

    def close(self) -> None:
        """Stops the process."""
        self._child.close()

    def _arguments(self) -> tuple[LinkServerSettings, str]:
        """Once it listens somewhere, the next one does there too, where clients look for it."""
        port = int(self.address.rpartition(":")[2]) if self.address else self._settings.port
        return replace(self._settings, port=port), self._poses


def run_link_process(settings: LinkServerSettings, poses: str, pipe: Any) -> None:
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

    def __init__(self, settings: LinkServerSettings, poses: str, pipe: Any) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._clock = MonotonicClock()
        self._budget = LineBudget(_AT_ONCE, _EVERY_NS, self._clock.now_ns())
        self._server = LinkServer(settings, self._clock, time.time_ns, self._say)
        self._scene = SceneKeeper(self._server.show, self._server.withdraw, time.time_ns, self._say)
        self._poses, self._pipe = MirrorReader(poses), pipe
        self._may_send, self._is_running = True, True
        self._server.watch(self._poses, self._take_poses)
        self._server.watch(pipe, self._take_order)

    def run(self) -> None:
        self._tell()
        try:
            while self._is_running:
                self._server.poll(_TICK_S)
                self._take_poses()
                self._scene.poll()
                if self._lines:
                    self._tell()
        finally:
            self._scene.close()
            self._server.close()
            self._poses.close()

    def _take_poses(self) -> None:
        tools = self._poses.newest()
        if tools is not None:
            self._server.show_poses(tools)

    def _take_order(self) -> None:
        order = self._pipe.recv()
        if order == STOP:
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
