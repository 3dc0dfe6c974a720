"""Recorded tracking as CSV, whose header names every column with its frame and unit.

One row for each tool in each frame; the rows of a frame follow one another. Columns, in any order:

    frame                                       number of the frame, a whole number that increases
    time_s                                      time on the recording's own clock
    tool                                        the tool's id
    state                                       visible, occluded, out_of_volume, ..., as `Visibility` has them
    tracker_x_mm, tracker_y_mm, tracker_z_mm    the tool's origin in the frame of the tracker, right-handed
    tracker_qx, tracker_qy, tracker_qz, tracker_qw   rotation of the tool's axes into the tracker's
    fit_rms_mm, reason                          may be left out, and may be empty

The pose is empty exactly if the tool is not visible.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import groupby
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import TRACKER
from navigation.clock import NS_PER_S
from navigation.devices.driver import Tool
from navigation.devices.replay.recording import RecordedFrame, Recording, check_ids, in_order
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.errors import DeviceError

POSITION = tuple(f"{TRACKER}_{axis}_mm" for axis in "xyz")
ROTATION = tuple(f"{TRACKER}_q{axis}" for axis in "xyzw")
COLUMNS = ("frame", "time_s", "tool", "state", *POSITION, *ROTATION)
OPTIONAL = ("fit_rms_mm", "reason")
STATES: Mapping[str, Visibility] = {each.name.lower(): each for each in Visibility}
_UNIT_LENGTH = 1e-3
_MOST_SECONDS = Decimal(9_000_000_000)


def read_table(path: Path, tools: Sequence[Tool]) -> Recording:
    """Reads a recording in CSV; the tools are told apart by their ids.

    Raises:
        DeviceError: a column that is missing or not known, a row that is not whole, a tool without a row in a frame,
            frames out of order, or a tool that is nowhere.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_columns(path, list(reader.fieldnames or ()))
            rows = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise _refuse(path, f"what is not CSV in UTF-8: {error}", "rows of the same columns") from error
    check_ids(path, tools, sorted({str(row["tool"]) for _, row in rows}))
    frames: list[RecordedFrame] = []
    for _, group in groupby(rows, key=lambda numbered: numbered[1]["frame"]):
        frame = _frame(path, list(group), tools)
        if frames and frame.sequence <= frames[-1].sequence:
            raise _refuse(path, f"frame {frame.sequence} after frame {frames[-1].sequence}", "frames that increase")
        frames.append(frame)
    return in_order(path.name, frames)


def write_table(path: Path, frames: Iterable[TrackerFrame]) -> int:
    """Writes frames as CSV that `read_table` reads again, numbers with all their digits; returns how many frames."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, (*COLUMNS, *OPTIONAL))
        writer.writeheader()
        for frame in frames:
            seconds, rest_ns = divmod(frame.capture_ns, NS_PER_S)
            shared = {"frame": frame.sequence, "time_s": f"{seconds}.{rest_ns:09}"}
            writer.writerows(shared | {"tool": tool} | _row(seen) for tool, seen in frame.tools.items())
            count += 1
    return count


def _row(seen: ToolObservation) -> dict[str, object]:
    row: dict[str, object] = {"state": seen.visibility.name.lower(), "reason": seen.reason}
    pose = seen.T_tracker_tool
    if pose is not None:
        numbers = [*pose.translation_mm.tolist(), *pose.rotation.as_quat().tolist()]
        row |= dict(zip((*POSITION, *ROTATION), map(repr, numbers), strict=True)) | {"fit_rms_mm": seen.fit_rms_mm}
    return row


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [column for column in COLUMNS if column not in columns]
    unknown = [column for column in columns if column not in (*COLUMNS, *OPTIONAL)]
    if missing or unknown or len(set(columns)) < len(columns):
        came = "no column " + ", ".join(missing) if missing else "the columns " + ", ".join(columns)[:200]
        came += "; unknown: " + ", ".join(unknown)[:200] if unknown else ""
        raise _refuse(path, came, f"{', '.join(COLUMNS)} once each, and perhaps {', '.join(OPTIONAL)}")


def _frame(path: Path, rows: Sequence[tuple[int, Mapping[str, str | None]]], tools: Sequence[Tool]) -> RecordedFrame:
    line, first = rows[0]
    where = f"line {line}: "
    if not re.fullmatch(r"[0-9]{1,18}", first["frame"] or ""):
        raise _refuse(path, f"{where}frame = {first['frame']!r}", "a whole number")
    times = {row["time_s"] for _, row in rows}
    if len(times) > 1:
        raise _refuse(path, f"{where}several times in frame {first['frame']}: {', '.join(map(str, times))}", "one")
    seen = {str(row["tool"]): (number, row) for number, row in rows}
    if len(seen) < len(rows):
        raise _refuse(path, f"{where}a tool twice in frame {first['frame']}", "one row for each tool")
    observed = {}
    for tool in tools:
        if tool.id not in seen:
            raise _refuse(path, f"{where}no row of {tool.id!r} in frame {first['frame']}", "one row for each tool")
        observed[tool.name] = _observation(path, *seen[tool.id], tool.name)
    return RecordedFrame(int(first["frame"] or 0), _time_ns(path, where, first["time_s"]), observed)


def _time_ns(path: Path, where: str, text: str | None) -> int:
    try:
        seconds = Decimal(text or "")
    except InvalidOperation:
        seconds = Decimal("NaN")
    if not seconds.is_finite() or abs(seconds) > _MOST_SECONDS:
        raise _refuse(path, f"{where}time_s = {text!r}", "a time in seconds")
    return round(seconds * NS_PER_S)


def _observation(path: Path, line: int, row: Mapping[str, str | None], tool: str) -> ToolObservation:
    where = f"line {line}: "
    state = STATES.get(row["state"] or "")
    if state is None:
        raise _refuse(path, f"{where}state = {row['state']!r}", f"one of {', '.join(STATES)}")
    reason = row.get("reason") or ""
    texts = [row[column] or "" for column in (*POSITION, *ROTATION)]
    if state is not Visibility.VISIBLE:
        if any(texts) or row.get("fit_rms_mm"):
            raise _refuse(path, f"{where}a pose of a tool that is {row['state']}", "a pose exactly if it is visible")
        return ToolObservation(state, reason=reason)
    numbers = np.array([_number(path, where, text) for text in texts])
    length = float(np.linalg.norm(numbers[3:]))
    if abs(length - 1.0) > _UNIT_LENGTH:
        raise _refuse(path, f"{where}a quaternion of length {length:.4g}", "length 1")
    fit = row.get("fit_rms_mm")
    pose = Transform.from_rotation(Rotation.from_quat(numbers[3:]), numbers[:3], TRACKER, tool)
    return ToolObservation(state, pose, _number(path, where, fit) if fit else None, reason=reason)


def _number(path: Path, where: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise _refuse(path, f"{where}{text!r} in a pose that is visible", "finite numbers")
    return number


def _refuse(path: Path, came: str, allowed: str) -> DeviceError:
    return DeviceError(
        f"{path.name} with {came}", allowed, "correct the file; docs/navigation/trackers/replay.md has it"
    )
