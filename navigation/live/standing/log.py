"""What happens in the service as JSON lines in a file, for support: without anything that says who the patient is.

Each line is one object with the time and the kind of event; its fields are numbers, states and names of the room. Words
that identify the patient, and paths, are replaced in whatever text is left, such as the reason of a lost tool.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from navigation.clock import NS_PER_S
from navigation.errors import EventLogError
from navigation.live.standing.standing import Standing
from reconstruction.ct.dicom.identity import SHORTEST, words_of

FILE_BYTES, FILES = 5 << 20, 5  # of the log, with those before it
_COUNTED_EVERY_NS = 60 * NS_PER_S
_REMOVED = "[removed]"
_DATE = re.compile(r"\d{8}")


class Scrubber:
    """Takes words that identify the patient, and paths, out of texts.

    Args:
        words: in any case and with or without accents; a word of a text that contains one of them is replaced.
    """

    def __init__(self, words: Collection[str]) -> None:
        folded = {part for word in words for part in words_of(word)}
        dates = {order for word in folded if _DATE.fullmatch(word) for order in _orders(word)}
        self._words = {word for word in folded | dates if len(word) >= SHORTEST or not word.isascii()}

    def clean(self, text: str) -> str:
        """The text with `[removed]` for each such word and path."""
        return " ".join(_REMOVED if self._tells(word) else word for word in text.split())

    def _tells(self, word: str) -> bool:
        if "/" in word or "\\" in word:
            return True
        parts = (*words_of(word), word.casefold(), re.sub(r"\W", "", word))  # the last for 1970-02-03
        return any(known in part for known in self._words for part in parts)


class StandingLog:
    """Writes what changed from one standing to the next; with ever more lines the oldest file goes.

    Args:
        path: the newest file; those before it are beside it with a number.
        scrubber: what every text goes through.
        now: tells the time, with its zone.

    Raises:
        EventLogError: it cannot be written.
    """

    def __init__(self, path: Path, scrubber: Scrubber, now: Callable[[], datetime]) -> None:
        self._scrubber, self._now = scrubber, now
        self._before: Standing | None = None
        self._counted: Standing | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8")
        except OSError as error:
            raise EventLogError(
                f"the log {path}: {(error.strerror or str(error)).lower()}",
                "a file that can be written",
                "choose another: --log",
            ) from error
        # A full disk ends the log and nothing else.
        self._file.handleError = lambda record: None  # type: ignore[method-assign]

    def write(self, event: str, **fields: Any) -> None:
        """Writes one event."""
        told = {"time": self._now().isoformat(timespec="milliseconds"), "event": event, **self._clean(fields)}
        line = json.dumps(told, ensure_ascii=False)
        self._file.emit(logging.LogRecord("surgnav", logging.INFO, "", 0, line, None, None))

    def note(self, standing: Standing) -> None:
        """Writes what is other than in the standing before."""
        before, self._before = self._before, standing
        tools = {} if before is None else before.tools
        for tool, (validity, reason) in standing.tools.items():
            if tools.get(tool, (None, ""))[0] is not validity:
                self.write("tool", tool=tool, validity=validity.value, reason=reason)
        if before is None or before.registration[0] is not standing.registration[0]:
            validity, reason = standing.registration
            self.write("registration", validity=validity.value, reason=reason)
        if before is None or before.clients != standing.clients:
            self.write("clients", here=[{"name": name, "self_test": test.value} for name, test in standing.clients])
        for process in standing.processes:
            if before is None or process not in before.processes:
                self.write("process", **vars(process))
        self._note_recorder(before, standing)
        self._note_ultrasound(before, standing)
        if before is None or before.scheduling != standing.scheduling:
            self.write("scheduling", **({} if standing.scheduling is None else vars(standing.scheduling)))
        if self._counted is None or standing.now_ns - self._counted.now_ns >= _COUNTED_EVERY_NS:
            self._counted = standing
            self.write("poses", **_counts(standing))

    def close(self) -> None:
        self._file.close()

    def _note_recorder(self, before: Standing | None, standing: Standing) -> None:
        recorder, known = standing.recorder, None if before is None else before.recorder
        if recorder is None:
            return
        if known is None or (known.problem, known.lost) != (recorder.problem, recorder.lost):
            self.write("recorder", problem=recorder.problem, lost=recorder.lost)

    def _note_ultrasound(self, before: Standing | None, standing: Standing) -> None:
        now, known = standing.ultrasound, None if before is None else before.ultrasound
        if now is not None and (known is None or (known.state, known.placing) != (now.state, now.placing)):
            self.write("ultrasound", state=now.state, reason=now.reason, placing=now.placing.value, why=now.why)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._scrubber.clean(value)
        if isinstance(value, Mapping):
            return {key: self._clean(each) for key, each in value.items()}
        return [self._clean(each) for each in value] if isinstance(value, list) else value


def _orders(date: str) -> tuple[str, str]:
    """A date as DICOM has it, 19700203, with the day or the month first."""
    year, month, day = date[:4], date[4:6], date[6:]
    return day + month + year, month + day + year


def _counts(standing: Standing) -> dict[str, Any]:
    vitals = standing.vitals
    return {
        "batches": vitals.last_sequence,
        "dropped": vitals.frames_dropped,
        "repeated": vitals.frames_repeated,
        "age_max_ms": round(vitals.age_max_ms, 1),
        "newest_age_ms": None if standing.newest_age_ms is None else round(standing.newest_age_ms, 1),
        "disk_free_bytes": standing.disk_free_bytes,
        **({} if standing.ultrasound is None else {"ultrasound_frames": standing.ultrasound.used}),
    }
