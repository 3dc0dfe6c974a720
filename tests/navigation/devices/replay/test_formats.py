"""CSV and MCAP hold what was recorded; what is missing in them is an error that says where."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from navigation.devices.replay.mcap_file import State, read_mcap
from navigation.devices.replay.recording import RecordedFrame
from navigation.devices.replay.table import read_table
from navigation.devices.tracker import Visibility
from navigation.errors import DeviceError
from tests.navigation.devices.replay.recorded_frames import TOOLS, as_message, made_frames, write_mcap, write_table


def assert_same(read: tuple[RecordedFrame, ...], written: list[RecordedFrame], within: float) -> None:
    assert [(frame.sequence, frame.time_ns) for frame in read] == [(f.sequence, f.time_ns) for f in written]
    for one, other in zip(read, written, strict=True):
        for name, seen in other.tools.items():
            found = one.tools[name]
            assert (found.visibility, found.reason, found.fit_rms_mm) == (seen.visibility, seen.reason, seen.fit_rms_mm)
            if seen.T_tracker_tool is not None:
                np.testing.assert_allclose(found.T_tracker_tool.matrix, seen.T_tracker_tool.matrix, atol=within)
                assert found.T_tracker_tool.from_frame == name


def test_a_table_holds_what_was_recorded(tmp_path: Path) -> None:
    frames = made_frames()
    assert_same(read_table(write_table(tmp_path / "made.csv", frames), TOOLS).frames, frames, 1e-9)


def spoil(**changes: object) -> Callable[[dict[str, Any]], None]:
    """Changes the row of the pointer in frame 104."""

    def change(row: dict[str, Any]) -> None:
        if row["frame"] == 104 and row["tool"] == "pointer":
            row |= changes

    return change


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "seen"}, "line 7: state = 'seen'; expected one of visible, occluded"),
        ({"state": "occluded"}, "line 7: a pose of a tool that is occluded"),
        ({"tracker_x_mm": ""}, "line 7: '' in a pose that is visible"),
        ({"tracker_y_mm": "nan"}, "line 7: 'nan' in a pose"),
        ({"tracker_qw": "4"}, "line 7: a quaternion of length"),
        ({"time_s": "soon"}, "several times in frame 104"),
        ({"tool": "ref 1"}, "a tool twice in frame 104"),
        ({"tool": "other"}, "no row of 'pointer' in frame 104"),
        ({"frame": "99"}, "no row of 'pointer' in frame 104"),
        ({"frame": "4.5"}, "no row of 'pointer' in frame 104"),
    ],
)
def test_a_row_that_is_not_whole_is_refused_by_its_line(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = write_table(tmp_path / "made.csv", made_frames(4), spoil(**changes))
    with pytest.raises(DeviceError, match=said):
        read_table(path, TOOLS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("tracker_x_mm", "tracker_x_m", "no column tracker_x_mm; unknown: tracker_x_m;"),
        ("time_s", "time", "no column time_s; unknown: time"),
        ("fit_rms_mm", "frame", "the columns frame, time_s"),
    ],
)
def test_columns_without_frame_and_unit_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write_table(tmp_path / "made.csv", made_frames(2))
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DeviceError, match=said):
        read_table(path, TOOLS)


def test_our_own_recording_holds_what_was_recorded_to_the_last_bit(tmp_path: Path) -> None:
    frames = made_frames()
    path = write_mcap(tmp_path / "made.mcap", {"/devices/camera": [as_message(frame) for frame in frames]})
    assert_same(read_mcap(path, TOOLS).frames, frames, 0.0)


def test_of_two_devices_one_is_named(tmp_path: Path) -> None:
    messages = [as_message(frame) for frame in made_frames(4)]
    path = write_mcap(tmp_path / "made.mcap", {"/devices/one": messages, "/devices/two": messages[:3]})
    assert len(read_mcap(path, TOOLS, "/devices/two").frames) == 3
    with pytest.raises(DeviceError, match=r"frames on /devices/one, /devices/two; expected frames .* on one topic"):
        read_mcap(path, TOOLS)
    with pytest.raises(DeviceError, match="on /devices/three"):
        read_mcap(path, TOOLS, "/devices/three")


def test_a_damaged_recording_is_refused_and_a_cut_one_says_so(tmp_path: Path) -> None:
    messages = [as_message(frame) for frame in made_frames(4)]
    path = write_mcap(tmp_path / "made.mcap", {"/devices/one": messages})
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    assert read_mcap(path, TOOLS).notes == ("it was never closed: its last moments are missing",)
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    with pytest.raises(DeviceError, match="which is damaged"):
        read_mcap(path, TOOLS)
    path.write_bytes(b"frame,time_s\n" * 20)
    with pytest.raises(DeviceError, match="it does not begin as MCAP does"):
        read_mcap(path, TOOLS)
    messages[2]["tools"]["pointer"]["state"] = "seen"
    with pytest.raises(DeviceError, match=r"a message on /devices/one whose tools.pointer.state is wrong"):
        read_mcap(write_mcap(path, {"/devices/one": messages}), TOOLS)
    messages[2]["tools"]["pointer"]["state"] = "occluded"
    with pytest.raises(DeviceError, match=r"frame 104: a tool that is occluded"):
        read_mcap(write_mcap(path, {"/devices/one": messages}), TOOLS)


def test_the_schema_knows_every_state() -> None:
    assert set(typing.get_args(State)) == {each.name.lower() for each in Visibility}
