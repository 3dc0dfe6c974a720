"""The event log of a case: every event from a headset, written before it is carried out and when it is answered.

``headset/events.jsonl`` has one line of JSON for each; lines are only appended, and each is on the disk before the next
step. So a service that starts later knows what earlier ones did, and answers a repeated event instead of carrying it
out again. An event that was begun and never answered is answered as uncertain.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geometry.errors import SurgNavError
from navigation.errors import EventLogError, ServiceError
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.event_window import MAX_ANSWERS, Known, Outcome, answer_of, content_of
from unity_bridge.errors import EventRefusedError, UncertainEventError
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import ClientEvent, EventAnswer

PATH = "headset/events.jsonl"
_MAX_STREAMS = 4096
# JSON does not escape these (C1 controls, bidirectional marks, separators); a terminal that shows the file would
# interpret them.
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# Events of a person take some hundred bytes each: only a program can fill this.
_MAX_BYTES = 64 * 2**20
_INTERRUPTED = Outcome(
    error=UncertainEventError(
        "an event that the server began before it stopped",
        "an event whose end is known",
        "look at the state; if it was not done, let the person do it again",
    )
)

Answers = OrderedDict[int, Known]


class EventJournal:
    """Appends to the event log, and holds the newest answers in it.

    Args:
        case: the case's folder.
        session: id of this service's session, hexadecimal.
        time: time of the start, ISO 8601 with a time zone.

    Raises:
        ServiceError: another service writes to the log.
        EventLogError: the log cannot be written.
    """

    def __init__(self, case: Path, session: str, time: str) -> None:
        self.path = case / PATH
        self.sessions: set[str] = set()
        self._answers: OrderedDict[tuple[str, str], Answers] = OrderedDict()
        self._is_cut = False
        try:
            self.path.parent.mkdir(exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for line in self._lines():
                self._learn(line)
            self._append({"session": session, "time": time})
        except BlockingIOError as error:
            self.close()
            raise _taken(self.path) from error
        except OSError as error:
            self.close()
            raise _unwritable(self.path, error) from error
        self.sessions.add(session)

    def earlier(self, key: str, stream: str) -> tuple[Known, ...]:
        """The newest answers to a client's events in this and earlier sessions, with the contents of the events."""
        return tuple(self._answers.get((key, stream), {}).values())

    def begin(self, event: ClientEvent, sender: Sender, time: str, details: dict[str, Any]) -> None:
        """Writes that the event is about to be carried out.

        Args:
            time: ISO 8601 with a time zone.
            details: further fields for the line, such as the position in mm.

        Raises:
            EventRefusedError: the log or the disk is full.
        """
        if os.fstat(self._file).st_size > _MAX_BYTES:
            raise EventRefusedError(
                f"an event while the event log has more than {_MAX_BYTES} bytes",
                "a smaller event log",
                f"move {self.path.name} away and restart the service",
            )
        told = {name: value for name, value in asdict(event).items() if value not in (None, "")}
        who = {"client": sender.name, "key": sender.key}
        try:
            self._append({"begun": told, **who, "time": time, **details})
        except OSError as error:
            raise EventRefusedError(
                f"a failure to write the event log: {error.strerror}", "a disk with room", "make room on the disk"
            ) from error
        self._remember(sender.key, answer_of(event.stream, event.number, _INTERRUPTED), content_of(event))

    def end(self, answer: EventAnswer, sender: Sender, time: str) -> None:
        """Writes the answer to an event; if that fails, the log says truthfully that the event was only begun."""
        self._remember(sender.key, answer)
        told = {name: value for name, value in asdict(answer).items() if value != ""}
        try:
            self._append({"answered": told, "key": sender.key, "time": time})
        except OSError:
            return

    def close(self) -> None:
        """Closes the log, so that another service may write to it. May be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Every complete line. If a power failure has cut the last line, a line feed is written to end it."""
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.write(self._file, b"\n")
        for line in content.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found

    def _learn(self, line: dict[str, Any]) -> None:
        try:
            if "session" in line:
                self.sessions.add(str(line["session"]))
            elif "begun" in line:
                begun = line["begun"]
                answer = answer_of(str(begun["stream"]), int(begun["number"]), _INTERRUPTED)
                self._remember(str(line["key"]), answer, _content(begun))
            elif "answered" in line:
                answered = line["answered"] | {"outcome": EventOutcome(line["answered"]["outcome"])}
                self._remember(str(line["key"]), EventAnswer(**answered))
        except (KeyError, TypeError, ValueError):
            return  # not a line that this program wrote: it holds no answer

    def _remember(self, key: str, answer: EventAnswer, content: str = "") -> None:
        answers = self._answers.setdefault((key, answer.stream), OrderedDict())
        self._answers.move_to_end((key, answer.stream))
        before = answers.get(answer.number)
        answers[answer.number] = Known(answer, content or (before.content if before is not None else ""))
        if len(answers) > MAX_ANSWERS:
            answers.pop(min(answers))
        if len(self._answers) > _MAX_STREAMS:
            self._answers.popitem(last=False)

    def _append(self, line: dict[str, Any]) -> None:
        """Appends a line and syncs it to the disk. If a full disk has cut a line, the next append ends it first.

        Raises:
            OSError: the line is not on the disk.
        """
        text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False))
        content = ("\n" * self._is_cut + text + "\n").encode()
        written = os.write(self._file, content)
        if written != len(content):
            self._is_cut = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._is_cut = False
        os.fsync(self._file)


def _content(begun: dict[str, Any]) -> str:
    """The content of an event from its line; empty if it cannot be read, such as from an older version's line."""
    position = begun.get("position_m")
    try:
        return content_of(ClientEvent(**begun | {"position_m": None if position is None else tuple(position)}))
    except (SurgNavError, AttributeError, TypeError, ValueError, struct.error):
        return ""


def _taken(path: Path) -> ServiceError:
    return ServiceError(
        f"the event log {path.name} in '{path.parent.parent.name}', to which another service writes",
        "an event log to which only this service writes",
        "stop the other service",
    )


def _unwritable(path: Path, error: OSError) -> EventLogError:
    return EventLogError(
        f"the event log {path.name} in '{path.parent.parent.name}', which cannot be written: {error.strerror}",
        "a case that can be written to, and a disk with room",
        "check the folder's permissions and the disk, and restart the service",
    )
