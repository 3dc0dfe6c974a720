"""The event log of a case: every event from a headset, written before it is done and again when it is answered.

``headset/events.jsonl``, one line of JSON each, only ever added to, each line on the disk before the next step. So a
service that starts anew knows what its predecessors did, and answers a repeated event instead of doing it again; what
was begun and never answered is uncertain, and said to be.
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
# JSON says these as they are; whoever shows the file at a terminal would obey them (C1 controls, bidi, separators).
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# A person's events are some hundred bytes each: whoever fills this is no person.
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
    """Appends to the log, and knows the newest answers in it.

    Args:
        case: the case's folder.
        session: this service's, hexadecimal.
        time: of the start, ISO 8601 with a time zone.

    Raises:
        ServiceError: another service writes to it.
        EventLogError: it cannot be written.
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
        """The newest answers to a client's events, of this and of earlier sessions, and what those events were."""
        return tuple(self._answers.get((key, stream), {}).values())

    def begin(self, event: ClientEvent, sender: Sender, time: str, details: dict[str, Any]) -> None:
        """Writes that the event is about to be done.

        Args:
            details: what it means here, such as the position in mm.

        Raises:
            EventRefusedError: the log is full, or the disk.
        """
        if os.fstat(self._file).st_size > _MAX_BYTES:
            raise EventRefusedError(
                f"an event for a log of {_MAX_BYTES} bytes", "fewer", f"move {self.path.name} away and start anew"
            )
        told = {name: value for name, value in asdict(event).items() if value not in (None, "")}
        who = {"client": sender.name, "key": sender.key}
        try:
            self._append({"begun": told, **who, "time": time, **details})
        except OSError as error:
            raise EventRefusedError(
                f"writing the event log: {error.strerror}", "a disk with room", "make some"
            ) from error
        self._remember(sender.key, answer_of(event.stream, event.number, _INTERRUPTED), content_of(event))

    def end(self, answer: EventAnswer, sender: Sender, time: str) -> None:
        """Writes what became of it; if that fails, the event stays one that was begun, as it is in truth."""
        self._remember(sender.key, answer)
        told = {name: value for name, value in asdict(answer).items() if value != ""}
        try:
            self._append({"answered": told, "key": sender.key, "time": time})
        except OSError:
            return

    def close(self) -> None:
        """Lets another service write. May be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line; the last may have been cut by a power failure, and is then ended here."""
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
            return  # not a line of ours: it answers nothing

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
        """Raises OSError if the line is not on the disk; half of one, on a disk that is full, is ended by the next."""
        text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False))
        content = ("\n" * self._is_cut + text + "\n").encode()
        written = os.write(self._file, content)
        if written != len(content):
            self._is_cut = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._is_cut = False
        os.fsync(self._file)


def _content(begun: dict[str, Any]) -> str:
    """What the event held, from its line; empty where that cannot be told, such as from an older version's line."""
    position = begun.get("position_m")
    try:
        return content_of(ClientEvent(**begun | {"position_m": None if position is None else tuple(position)}))
    except (SurgNavError, AttributeError, TypeError, ValueError, struct.error):
        return ""


def _taken(path: Path) -> ServiceError:
    return ServiceError(
        f"the event log {path.name} in '{path.parent.parent.name}': another service writes to it",
        "a log that this service alone writes to",
        "stop the other service",
    )


def _unwritable(path: Path, error: OSError) -> EventLogError:
    return EventLogError(
        f"the event log {path.name} in '{path.parent.parent.name}': {error.strerror}",
        "a case that can be written to, and a disk with room",
        "check the folder's permissions and the disk, and start the service anew",
    )
