"""Made frames of two tools, written as CSV and, by the mcap library, as MCAP."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import Writer
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.driver import Role, Tool
from navigation.devices.replay.mcap_file import MESSAGE_ENCODING, SCHEMA_ENCODING, SCHEMA_NAME, FrameMessage
from navigation.devices.replay.recording import RecordedFrame
from navigation.devices.replay.table import COLUMNS
from navigation.devices.tracker import ToolObservation, Visibility

TOOLS = (
    Tool(name="reference", role=Role.REFERENCE, id="ref 1", settings=None),
    Tool(name="stylus", role=Role.STYLUS, id="pointer", settings=None),
)


def made_frames(count: int = 40) -> list[RecordedFrame]:
    """At 20 ms; the stylus is hidden in every fifth, with a reason; numbers 100, 102, ..."""
    rng = np.random.default_rng(3)
    frames = []
    for index in range(count):
        tools = {}
        for tool in TOOLS:
            pose = Transform.from_rotation(
                Rotation.random(random_state=rng), rng.normal(size=3) * 400.0, TRACKER, tool.name
            )
            seen = ToolObservation(Visibility.VISIBLE, pose, round(float(rng.uniform(0.1, 0.4)), 3))
            if tool.name == "stylus" and index % 5 == 4:
                seen = ToolObservation(Visibility.PARTLY_OUT, reason="2 of 4 spheres")
            tools[tool.name] = seen
        frames.append(RecordedFrame(100 + 2 * index, 5_000_000_000 + 20_000_000 * index, tools))
    return frames


def write_table(
    path: Path, frames: list[RecordedFrame], change: Callable[[dict[str, Any]], None] = lambda row: None
) -> Path:
    """The documented columns; `change` spoils a row."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, (*COLUMNS, "fit_rms_mm", "reason"))
        writer.writeheader()
        for frame in frames:
            for tool in TOOLS:
                seen = frame.tools[tool.name]
                row: dict[str, Any] = {"frame": frame.sequence, "time_s": f"{frame.time_ns / 1e9:.9f}", "tool": tool.id}
                row |= {"state": seen.visibility.name.lower(), "reason": seen.reason}
                if seen.T_tracker_tool is not None:
                    numbers = [
                        *seen.T_tracker_tool.translation_mm.tolist(),
                        *seen.T_tracker_tool.rotation.as_quat().tolist(),
                    ]
                    row |= dict(zip(COLUMNS[4:], map(repr, numbers), strict=True)) | {"fit_rms_mm": seen.fit_rms_mm}
                change(row)
                writer.writerow(row)
    return path


def as_message(frame: RecordedFrame) -> dict[str, Any]:
    tools = {}
    for tool in TOOLS:
        seen = frame.tools[tool.name]
        tools[tool.id] = {"state": seen.visibility.name.lower(), "reason": seen.reason}
        if seen.T_tracker_tool is not None:
            matrix = seen.T_tracker_tool.matrix.ravel().tolist()
            tools[tool.id] |= {"T_tracker_tool": matrix, "fit_rms_mm": seen.fit_rms_mm}
    return {"sequence": frame.sequence, "capture_ns": frame.time_ns, "tools": tools}


def write_mcap(path: Path, by_topic: dict[str, list[dict[str, Any]]]) -> Path:
    """One channel for each device, as the mcap library writes it."""
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        schema = json.dumps(FrameMessage.model_json_schema()).encode()
        schema_id = writer.register_schema(SCHEMA_NAME, SCHEMA_ENCODING, schema)
        for topic, messages in by_topic.items():
            channel = writer.register_channel(topic, MESSAGE_ENCODING, schema_id)
            for message in messages:
                written_ns = message["capture_ns"] + 3_000_000  # MCAP's times say when it was written
                writer.add_message(channel, written_ns, json.dumps(message).encode(), written_ns)
        writer.finish()
    return path
