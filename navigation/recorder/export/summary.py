"""An operation in numbers: how long each tool could be navigated, when and why it could not, and what happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from navigation.clock import NS_PER_S
from navigation.devices.replay.mcap_messages import StoredMessage
from navigation.recorder.contents import RecordingFile, note_of
from navigation.recorder.forms import RECORDER
from navigation.recorder.service_tap import EVENTS
from navigation.recorder.tap import POSES
from unity_bridge.errors import WireError
from unity_bridge.poses.batch import PoseBatch, PoseBatchDecoder
from unity_bridge.wire.envelope import Validity

# A batch stands for the time until the next one; a longer silence is one, and counts for no state.
_LONGEST_STEP_NS = NS_PER_S // 2


@dataclass
class Loss:
    """One time in which a tool was not valid: from when, for how long, the worst state, and its first reason."""

    since_ns: int
    seconds: float
    validity: Validity
    reason: str


@dataclass
class ToolTimes:
    """How long a tool was in each state, and its losses in the order of time."""

    seconds: dict[Validity, float] = field(default_factory=lambda: dict.fromkeys(Validity, 0.0))
    losses: list[Loss] = field(default_factory=list)

    def take(self, validity: Validity, reason: str, at_ns: int, seconds: float) -> None:
        """One batch, that holds for so long."""
        before = self.losses[-1] if self.losses else None
        self.seconds[validity] += seconds
        if validity is Validity.VALID:
            self._is_lost = False
        elif self._is_lost and before is not None:
            before.seconds += seconds
            before.validity = max(before.validity, validity, key=_GRAVITY.index)
        else:
            self._is_lost = True
            self.losses.append(Loss(at_ns, seconds, validity, reason))

    _is_lost: bool = False

    @property
    def valid_share(self) -> float:
        whole = sum(self.seconds.values())
        return self.seconds[Validity.VALID] / whole if whole else 0.0


_GRAVITY = (Validity.VALID, Validity.SUSPECT, Validity.STALE, Validity.LOST)


@dataclass
class Summary:
    """What a recording says of an operation.

    Attributes:
        started: local time of the first pose; None without one.
        duration_s: from the first pose to the last.
        batches, batches_missing: number of pose batches, and of gaps in their numbers.
        silences: pauses between two batches of more than half a second, in s.
        tools: name -> its times, in the order of the batches.
        registrations: (time in ns, id or why there is none, expected error in mm) each time that it changed.
        events: (time in ns, who, what) of everything that happened.
        frames: topic of a device -> number of its frames.
        not_recorded: number of messages that the recorder says it lost.
        is_closed, faults: of the file.
    """

    started: datetime | None = None
    duration_s: float = 0.0
    batches: int = 0
    batches_missing: int = 0
    silences: list[float] = field(default_factory=list)
    tools: dict[str, ToolTimes] = field(default_factory=dict)
    registrations: list[tuple[int, str, float | None]] = field(default_factory=list)
    events: list[tuple[int, str, str]] = field(default_factory=list)
    frames: Counter[str] = field(default_factory=Counter)
    not_recorded: int = 0
    is_closed: bool = False
    faults: list[str] = field(default_factory=list)
    first_ns: int = 0


def summarise(recording: RecordingFile) -> Summary:
    """Reads the whole recording once."""
    summary, decoder = Summary(), PoseBatchDecoder()
    before: PoseBatch | None = None
    for message in recording.messages():
        if message.topic == POSES:
            try:
                batch = decoder.decode(message.data)
            except WireError:
                continue  # another message of the pose socket
            _take_batch(summary, before, batch, message.time_ns)
            before = batch
        elif message.topic == EVENTS:
            summary.events.append(_event(note_of(message), message))
        elif message.topic == RECORDER:
            note = note_of(message)
            summary.not_recorded += note["messages"] if note["kind"] == "lost" else 0
        elif message.topic.startswith("/devices/"):
            summary.frames[message.topic] += 1
    summary.is_closed, summary.faults = recording.is_closed, recording.faults
    if before is not None:
        moment = datetime.fromtimestamp((summary.first_ns + recording.epoch_ns) / NS_PER_S, UTC)
        summary.started = moment.astimezone()
    return summary


def _take_batch(summary: Summary, before: PoseBatch | None, batch: PoseBatch, at_ns: int) -> None:
    """Counts a batch; the one before it held until now."""
    summary.batches += 1
    if before is None:
        summary.first_ns = at_ns
    else:
        summary.batches_missing += max(0, batch.sequence - before.sequence - 1)
        step_ns = batch.header.capture_ns - before.header.capture_ns
        if step_ns > _LONGEST_STEP_NS:
            summary.silences.append(step_ns / NS_PER_S)
        seconds = min(max(0, step_ns), _LONGEST_STEP_NS) / NS_PER_S
        for name, tool in before.tools.items():
            times = summary.tools.setdefault(name, ToolTimes())
            times.take(tool.validity, tool.reason, before.capture_ns, seconds)
    summary.duration_s = (at_ns - summary.first_ns) / NS_PER_S
    patient = batch.tools.get("patient")
    if patient is not None:
        said = patient.registration_id or patient.reason
        is_known = bool(summary.registrations) and summary.registrations[-1][1] == said
        if not is_known:
            summary.registrations.append((at_ns, said, patient.expected_error_mm))


def _event(said: dict[str, Any], message: StoredMessage) -> tuple[int, str, str]:
    who, kind = said.pop("who"), said.pop("kind")
    words = ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
    return message.time_ns, who, f"{kind}: {words}" if words else kind
