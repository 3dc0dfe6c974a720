"""Writes what comes through the taps into one file after another, and says how it stands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from geometry.clock import Clock
from navigation.clock import NS_PER_S
from navigation.errors import RecordingError
from navigation.recorder.disk import DiskOutlook, DiskWatch
from navigation.recorder.forms import RECORDER, note_form
from navigation.recorder.mcap_sink import McapSink
from navigation.recorder.service_tap import MANIFEST, SETTINGS, WELCOME
from navigation.recorder.tap import Kind, Tapped
from navigation.recorder.translate import Translator

# What the sudden end of this process may take, and what a power cut may, beside the time that the disk itself needs.
# Each chunk costs 270 bytes of memory until the file is closed: its place in the index.
FLUSH_EVERY_NS = SYNC_EVERY_NS = NS_PER_S // 2
_LOOK_EVERY_NS = NS_PER_S
_TRY_AGAIN_NS = 5 * NS_PER_S
# What holds until it is said anew: each file begins with it.
_STANDING = (SETTINGS, WELCOME, MANIFEST)


@dataclass(frozen=True)
class RecorderState:
    """How the recorder stands; sent to the service.

    Attributes:
        file: name of the file that is written, or was last.
        written_bytes: over all files of this session.
        messages: that came through the taps.
        lost: that a tap dropped, that never came, or that came while there was no file.
        outlook: how long the disk lasts; None before the first look.
        problem: why nothing is recorded; empty while it is.
    """

    file: str
    written_bytes: int
    messages: int
    lost: int
    outlook: DiskOutlook | None
    problem: str


class RecordingWriter:
    """Takes messages; call `tick` often.

    Args:
        folder: of the recordings; made if it is missing.
        name: of the first file, without its ending; further ones are numbered.
        translator: makes the file's messages.
        clock: the service's.
        epoch_ns: what to add to it for the time since 1970.
        free_bytes: of a folder's disk.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        translator: Translator,
        clock: Clock,
        epoch_ns: int,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folder, self._name, self._translator = folder, name, translator
        self._clock, self._epoch_ns, self._free_bytes = clock, epoch_ns, free_bytes
        self._sink: McapSink | None = None
        self._syncing: Future[None] | None = None
        self._syncer = ThreadPoolExecutor(1, "sync")
        self._watch = DiskWatch()
        self._outlook: DiskOutlook | None = None
        self._parts = self._closed_bytes = 0
        self._messages = self._lost = 0
        self._standing: dict[tuple[str, bytes], Tapped] = {}
        self._last: dict[str, tuple[int, int]] = {}  # source -> number and dropped
        self._problem, self._was_full = "", False
        now_ns = clock.now_ns()
        self._flushed_ns = self._synced_ns = now_ns
        self._looked_ns = self._tried_ns = now_ns - _TRY_AGAIN_NS
        self._file = ""

    @property
    def state(self) -> RecorderState:
        written = self._closed_bytes + (0 if self._sink is None else self._sink.written)
        return RecorderState(self._file, written, self._messages, self._lost, self._outlook, self._problem)

    def take(self, message: Tapped) -> None:
        """Writes one message; counts it, and those missing before it, whether or not there is a file."""
        self._messages += 1
        number, dropped = self._last.get(message.source, (message.number - 1, 0))
        if message.number <= number:  # the process was started again, and counts anew
            number, dropped = 0, 0
        missing = message.number - number - 1 + message.dropped - dropped
        self._last[message.source] = message.number, message.dropped
        if missing > 0:
            self._lost += missing
            self._say({"kind": "lost", "source": message.source, "messages": missing}, message.time_ns)
        if message.topic in _STANDING:
            what = message.data.split(b",", 1)[0] if message.kind is Kind.JSON else b""
            self._standing[message.topic, what] = message
        self._lost += self._sink is None
        self._write(message)

    def tick(self) -> None:
        """Flushes, syncs, looks at the disk and opens files, each when it is due."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns >= _LOOK_EVERY_NS:
            self._look(now_ns)
        if self._sink is None and now_ns - self._tried_ns >= _TRY_AGAIN_NS:
            self._tried_ns = now_ns
            self._open(now_ns)
        if self._sink is None:
            return
        if now_ns - self._flushed_ns >= FLUSH_EVERY_NS:
            self._flushed_ns = now_ns
            self._guarded(self._sink.flush)
        if self._sink is not None and now_ns - self._synced_ns >= SYNC_EVERY_NS and self._is_synced():
            self._synced_ns = now_ns
            self._syncing = self._syncer.submit(self._sink.sync)

    def close(self) -> None:
        """Ends the file with its index."""
        self._syncer.shutdown()
        self._end("")

    def _look(self, now_ns: int) -> None:
        self._looked_ns = now_ns
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._outlook = self._watch.look(now_ns, self.state.written_bytes, self._free_bytes(self._folder))
        except OSError as error:
            self._problem = f"{self._folder.name}: {error.strerror or error}"
            return
        if self._outlook.warning:
            self._say({"kind": "disk", "warning": self._outlook.warning}, now_ns)
        if self._outlook.is_full and self._sink is not None:
            self._was_full = True
            self._end(f"the disk is full: {self._outlook.words}")

    def _open(self, now_ns: int) -> None:
        outlook = self._outlook
        if outlook is None:
            return  # `_look` says why
        if outlook.is_full or (self._was_full and not outlook.has_room_again):
            self._problem = self._problem or f"the disk is full: {outlook.words}"
            return
        self._parts += 1
        path = self._folder / f"{self._name}{f'_{self._parts}' if self._parts > 1 else ''}.mcap"
        try:
            self._sink = McapSink(path)
        except RecordingError as error:
            self._problem = str(error)
            return
        self._file, self._problem, self._was_full = path.name, "", False
        self._sink.note("surgnav", {"epoch_ns": str(self._epoch_ns), "part": str(self._parts)})
        self._say({"kind": "begun", "part": self._parts, "messages_before": self._messages}, now_ns)
        for message in self._standing.values() if self._parts > 1 else ():
            self._write(message)

    def _write(self, message: Tapped) -> None:
        for topic, form, data in self._translator.entries(message):
            if self._sink is not None:
                self._sink.log(topic, form, message.time_ns + self._epoch_ns, data)

    def _end(self, problem: str) -> None:
        """Ends the file; `problem` says why before its time."""
        if self._sink is None:
            return
        self._say({"kind": "ended", "why": problem or "closed"}, self._clock.now_ns())
        if self._syncing is not None:
            self._syncing.exception()  # waits: the file must not be closed under it
        sink, self._sink, self._problem = self._sink, None, problem
        try:
            sink.close()
        except RecordingError as error:
            self._problem = self._problem or str(error)
        self._closed_bytes += sink.written

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except RecordingError as error:
            self._end(str(error))

    def _is_synced(self) -> bool:
        """Whether the last sync has ended; ends the file if it failed, since nobody knows what the disk has then."""
        if self._syncing is None:
            return True
        if not self._syncing.done():
            return False
        error, self._syncing = self._syncing.exception(), None
        if error is not None:
            self._end(f"{self._file}: {error}")
        return self._sink is not None

    def _say(self, values: dict[str, object], time_ns: int) -> None:
        if self._sink is not None:
            self._sink.log(RECORDER, note_form(), time_ns + self._epoch_ns, json.dumps(values).encode())
