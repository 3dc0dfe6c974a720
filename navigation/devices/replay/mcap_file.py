"""Recorded tracking in MCAP: our own recordings. `FrameMessage` is their schema, written into every file.

Format: https://mcap.dev/spec. A message for each frame of a device, as JSON, on a topic of the device's own. The times
that count are those in the message; MCAP's own say when it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geometry import Transform
from geometry.errors import SurgNavError
from geometry.frames import REFERENCE, TRACKER
from navigation.devices.driver import Tool
from navigation.devices.replay.mcap_messages import McapMessages
from navigation.devices.replay.recording import RECORD_AGAIN, RecordedFrame, Recording, check_ids, in_order
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.errors import DeviceError

SCHEMA_NAME, SCHEMA_ENCODING, MESSAGE_ENCODING = "surgnav.TrackerFrame.v1", "jsonschema", "json"

State = Literal[
    "visible", "occluded", "out_of_volume", "partly_out", "interference", "ambiguous", "unconfigured", "no_data"
]
Matrix = Annotated[list[float], Field(min_length=16, max_length=16)]
Covariance = Annotated[list[float], Field(min_length=36, max_length=36)]
STATES = {each.name.lower(): each for each in Visibility}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class ToolMessage(_Part):
    """One tool in one frame.

    Attributes:
        state: as `Visibility` has them: visible, occluded, out_of_volume, ...
        T_tracker_tool: the pose in mm, right-handed, 16 numbers row by row; exactly if the tool is visible.
        fit_rms_mm, covariance, capture_ns, reason, T_tracker_reference, stamp_bound_ns: as in `ToolObservation`; the
            covariance as 36 numbers row by row, the reference's pose as that of the tool.
    """

    state: State
    T_tracker_tool: Matrix | None = None
    fit_rms_mm: float | None = None
    reason: str = ""
    capture_ns: int | None = None
    covariance: Covariance | None = None
    T_tracker_reference: Matrix | None = None
    stamp_bound_ns: int = Field(default=0, ge=0)


class FrameMessage(_Part):
    """All tools of a device at one instant.

    Attributes:
        sequence: the device's own number of the frame.
        capture_ns: time of capture on the recording's own clock.
        tools: by the tool's id.
    """

    sequence: int
    capture_ns: int
    tools: dict[str, ToolMessage]


def frame_schema() -> bytes:
    """The JSON schema of `FrameMessage`, which every recording holds."""
    return json.dumps(FrameMessage.model_json_schema()).encode()


def read_mcap(path: Path, tools: Sequence[Tool], topic: str | None = None) -> Recording:
    """Reads the frames of one device.

    Args:
        topic: of the device; None where only one topic of the file has frames.

    Raises:
        DeviceError: damaged, without frames of a tracker, several topics and none chosen, or without one
            of the tools.
        MissingExtraError: the packages that unpack it are not installed.
    """
    by_topic: dict[str, list[FrameMessage]] = {}
    stored = McapMessages(path)
    for its_topic, data in _frames(path, stored):
        try:
            by_topic.setdefault(its_topic, []).append(FrameMessage.model_validate_json(data))
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            came = f"{path.name} with a message on {its_topic} whose {where or 'form'} is wrong: {fault['msg']}"
            raise DeviceError(came, f"messages as {SCHEMA_NAME}", RECORD_AGAIN) from error
    chosen = topic if topic is not None or len(by_topic) != 1 else next(iter(by_topic))
    if chosen is None or chosen not in by_topic:
        came = f"{path.name} with frames on {', '.join(sorted(by_topic)) or 'no topic'}"
        wanted = f"frames ({SCHEMA_NAME}) on {topic or 'one topic'}"
        raise DeviceError(came, wanted, "name the device's topic in the room file: topic = '...'")
    messages = by_topic[chosen]
    check_ids(path, tools, sorted({tool for message in messages for tool in message.tools}))
    notes = () if stored.is_closed else ("it was never closed: its last moments are missing",)
    return in_order(path.name, [_frame(path, message, tools) for message in messages], notes)


def _frames(path: Path, stored: McapMessages) -> Iterator[tuple[str, bytes]]:
    """Topic and data of every message of our schema, in the order of writing; refuses a damaged file."""
    for message in stored:
        if message.schema == SCHEMA_NAME:
            if message.encoding != MESSAGE_ENCODING:
                raise DeviceError(f"{path.name} with frames as {message.encoding}", MESSAGE_ENCODING, RECORD_AGAIN)
            yield message.topic, message.data
    if stored.faults:
        came = f"{path.name}, which is damaged: {stored.faults[0]}"
        raise DeviceError(came, "a recording as it was written", "take another copy of it")


def _frame(path: Path, message: FrameMessage, tools: Sequence[Tool]) -> RecordedFrame:
    absent = ToolObservation(Visibility.NO_DATA, reason="not recorded in this frame")
    try:
        seen = {
            tool.name: observation_of(message.tools[tool.id], tool.name) if tool.id in message.tools else absent
            for tool in tools
        }
    except SurgNavError as error:
        came = f"{path.name}, frame {message.sequence}: {error.came}"
        raise DeviceError(came, f"tools as {SCHEMA_NAME} has them", RECORD_AGAIN) from error
    return RecordedFrame(message.sequence, message.capture_ns, seen)


def observation_of(tool: ToolMessage, name: str) -> ToolObservation:
    """What was seen of a tool, under its name."""
    pose, reference = _pose(tool.T_tracker_tool, name), _pose(tool.T_tracker_reference, REFERENCE)
    covariance = None if tool.covariance is None else np.array(tool.covariance).reshape(6, 6)
    return ToolObservation(
        STATES[tool.state],
        pose,
        tool.fit_rms_mm,
        tool.reason,
        capture_ns=tool.capture_ns,
        covariance=covariance,
        T_tracker_reference=reference,
        stamp_bound_ns=tool.stamp_bound_ns,
    )


def _pose(numbers: list[float] | None, name: str) -> Transform | None:
    return None if numbers is None else Transform(np.array(numbers).reshape(4, 4), TRACKER, name)
