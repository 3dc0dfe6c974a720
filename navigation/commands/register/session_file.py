"""A session's steps on the disk as they are made: one JSON line each, appended and flushed before the next is asked.

A line that a crash cut short was never answered for: it is taken off when the session goes on. The file lies in the
case's ``registration/`` and is never rewritten; the attempts that are computed from it are kept by themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from case.atomic import sync
from geometry.points import Floats, read_only
from navigation.commands.register.session import Session
from registration.errors import RegisteringError
from registration.measurements import TouchedPoint

FOLDER = "registration"
PATTERN = "session-*.jsonl"
SCHEMA = {"schema_name": "surgnav.session", "schema_version": 1}
Event = dict[str, Any]


class SessionFile:
    """Where the steps of one session go. The file appears with the first measurement.

    Args:
        folder: the case's ``registration``.
        began: what the measurements rest on; the first line.
        now: tells the time, ISO 8601 with a time zone.
        path: an older session's file that is gone on with.
    """

    def __init__(self, folder: Path, began: Event, now: Callable[[], str], path: Path | None = None) -> None:
        self._folder = folder
        self._now = now
        self._path = path
        self._waiting = [] if path is not None else [{"step": "began", **SCHEMA, "time": now(), **began}]

    @property
    def path(self) -> Path | None:
        """None before anything was measured."""
        return self._path

    def wait(self, event: Event) -> None:
        """Keeps an event for when something is measured; where something was, at once."""
        self._waiting.append({"time": self._now(), **event})
        if self._path is not None:
            self._write()

    def append(self, event: Event) -> None:
        """Writes an event, and returns once it is on the disk.

        Raises:
            RegisteringError: it could not be written.
        """
        self._waiting.append({"time": self._now(), **event})
        if self._path is None:
            self._folder.mkdir(exist_ok=True)
            self._path = _free_path(self._folder)
        self._write()

    def _write(self) -> None:
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in self._waiting)
        if self._path is None:
            return
        size = self._path.stat().st_size if self._path.exists() else None
        try:
            with self._path.open("ab") as file:
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())
            if size is None:
                sync(self._folder)
        except OSError as error:
            self._waiting.pop()
            with suppress(OSError):  # half a line would spoil the next one
                os.truncate(self._path, size or 0)
            raise RegisteringError(
                f"a step that could not be kept in {self._path.name} ({error.strerror or error})",
                "a case that can be written",
                "make room, or the folder writable, and do the step again",
            ) from error
        self._waiting.clear()


class KeptSession(Session):
    """A session whose every step is in its file before the person is asked for the next."""

    def __init__(
        self, landmarks_ct: Mapping[str, Floats], targets_ct: Mapping[str, Floats], file: SessionFile | None = None
    ) -> None:
        super().__init__(landmarks_ct, targets_ct)
        self.file = file

    def touch(self, name: str, touch: TouchedPoint, how: Mapping[str, str] | None = None) -> None:
        """As in a session; `how` it was touched, where that was not with this program's stylus, is kept beside it."""
        before = list(self._moments)
        super().touch(name, touch)
        position = [float(value) for value in touch.point_reference_mm]
        what = {"position_mm": position, "spread_rms_mm": touch.spread_rms_mm, "frames": touch.n_frames}
        self._keep(before, {"step": "touch", "name": name, **what, **(how or {})})

    def skip(self, name: str) -> None:
        before = list(self._moments)
        super().skip(name)
        self._keep(before, {"step": "skip", "name": name})

    def redo(self, name: str) -> None:
        before = list(self._moments)
        super().redo(name)
        self._keep(before, {"step": "redo", "name": name})

    def sweep(self, points_reference_mm: Floats) -> None:
        before = list(self._moments)
        super().sweep(points_reference_mm)
        self._keep(before, {"step": "sweep", "points_mm": np.asarray(points_reference_mm).tolist()})

    def computed(self, attempt: str) -> None:
        before = list(self._moments)
        super().computed(attempt)
        self._keep(before, {"step": "computed", "attempt": attempt})

    def accepted(self, attempt: str) -> None:
        before = list(self._moments)
        super().accepted(attempt)
        self._keep(before, {"step": "accepted", "attempt": attempt})

    def start_over(self) -> None:
        before = list(self._moments)
        super().start_over()
        self._keep(before, {"step": "start_over"})

    def undo(self) -> Any:
        before = list(self._moments)
        undone = super().undo()
        self._keep(before, {"step": "undo"})
        return undone

    def _keep(self, before: list[Any], event: Event) -> None:
        """What cannot be kept has not happened."""
        if self.file is None:
            return
        try:
            self.file.append(event)
        except RegisteringError:
            self._moments = before
            raise


@dataclass(frozen=True, eq=False)
class Kept:
    """An older session's file, read back.

    Attributes:
        began: its first line. `last_time`: of its last step, ISO 8601; `tip_stylus_mm` ``(3,)`` of its last pivot.
        steps: all others, in order.
    """

    path: Path
    began: Event
    steps: tuple[Event, ...]
    last_time: str
    tip_stylus_mm: Floats | None

    def replay(self, session: Session) -> None:
        """Does the same steps again.

        Raises:
            RegisteringError, KeyError, TypeError, ValueError: they do not follow from one another.
        """
        for event in self.steps:
            _do(session, event)


def newest(folder: Path) -> Kept | None:
    """The newest session's file; None if there is none, or it is none that this program can read."""
    paths = sorted(folder.glob(PATTERN))
    return _read(paths[-1]) if paths else None


def take_off_torn_line(path: Path) -> None:
    """What a crash left of a line that was never whole."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def minutes_between(earlier: str, later: str) -> float:
    """Between two times in ISO 8601."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() / 60.0


def _free_path(folder: Path) -> Path:
    taken = [int(path.stem.rpartition("-")[2]) for path in folder.glob(PATTERN) if path.stem[8:].isdecimal()]
    return folder / f"session-{max(taken, default=0) + 1:04d}.jsonl"


def _read(path: Path) -> Kept | None:
    events: list[Event] = []
    try:
        whole = path.read_bytes().rpartition(b"\n")[0]
        events += [json.loads(line) for line in whole.split(b"\n")]
        began, *steps = events
        times = [str(event["time"]) for event in events if "time" in event]
        tips = [event["tip_stylus_mm"] for event in steps if event["step"] == "pivot"]
        known = all(began.get(key) == value for key, value in SCHEMA.items())
        tip = read_only(np.array(tips[-1], dtype=np.float64)) if tips else None
        return Kept(path, began, tuple(steps), times[-1], tip) if known else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _do(session: Session, event: Event) -> None:
    step = event["step"]
    if step == "touch":
        point = read_only(np.array(event["position_mm"], dtype=np.float64))
        session.touch(event["name"], TouchedPoint(point, event["spread_rms_mm"], event["frames"]))
    elif step == "sweep":
        session.sweep(read_only(np.array(event["points_mm"], dtype=np.float64).reshape(-1, 3)))
    elif step in ("skip", "redo"):
        getattr(session, step)(event["name"])
    elif step in ("computed", "accepted"):
        getattr(session, step)(event["attempt"])
    elif step in ("start_over", "undo"):
        getattr(session, step)()
