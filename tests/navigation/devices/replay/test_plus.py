"""Sequences of PLUS as a device: poses, states and times as they stand in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import Role, Tool
from navigation.devices.replay.player import ReplayTracker
from navigation.devices.replay.plus import read_plus
from navigation.devices.tracker import Connection, TrackerFrame, Visibility
from navigation.devices.ultrasound.plus.write import write_transforms
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.plus.made_sequence import write_sequence

TOOLS = tuple(
    Tool(name=name, role=role, id=f"{name.capitalize()}ToTracker", settings=None)
    for name, role in (("reference", Role.REFERENCE), ("stylus", Role.STYLUS), ("probe", Role.PROBE))
)
REAL = "tracking/pluslib/TestImages"


def all_frames(path: Path, tools: tuple[Tool, ...]) -> list[TrackerFrame]:
    """Everything that a tracker gives when the recording is played on its own clock."""
    recording = read_plus(path, tools)
    tracker = ReplayTracker(recording, tuple(tool.name for tool in tools), VirtualClock(recording.frames[0].time_ns))
    tracker.start()
    frames = []
    while tracker.state.connection is Connection.CONNECTED:
        if (frame := tracker.next_frame(NS_PER_S)) is not None:
            frames.append(frame)
    return frames


def as_it_stands(path: Path) -> dict[str, str]:
    """The fields of the header, read without the code under test."""
    text = path.read_bytes().split(b"ElementDataFile")[0].decode("latin-1")
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in text.splitlines())}


@pytest.mark.parametrize(
    ("name", "tools", "hidden"),
    [
        ("EightLandmarkPointsTrackedForPhantomRegistration.igs.mha", TOOLS[:2], False),
        ("NwirePhantomFreehand.igs.mha", TOOLS, True),
    ],
)
def test_poses_states_and_times_are_those_of_pluss_own_recordings(
    shared_data: Path, name: str, tools: tuple[Tool, ...], hidden: bool
) -> None:
    path = shared_data / REAL / name
    fields, frames = as_it_stands(path), all_frames(path, tools)
    count = int(fields["DimSize"].split()[2])
    stamps = [round(float(fields[f"Seq_Frame{i:04}_Timestamp"]) * NS_PER_S) for i in range(count)]
    assert [frame.capture_ns for frame in frames] == sorted(set(stamps))
    lost = 0
    for frame in frames:
        index = max(i for i, stamp in enumerate(stamps) if stamp == frame.capture_ns)  # the newest of an instant
        for tool in tools:
            field = f"Seq_Frame{index:04}_{tool.id}Transform"
            seen = frame.tools[tool.name]
            if fields[f"{field}Status"] == "OK":
                recorded = np.array(fields[field].split(), float).reshape(4, 4)
                # What is printed with six digits is made orthonormal again; the origin is as it stands.
                np.testing.assert_allclose(seen.T_tracker_tool.matrix, recorded, atol=1e-3)
                np.testing.assert_array_equal(seen.T_tracker_tool.translation_mm, recorded[:3, 3])
            else:
                lost += 1
                assert seen.visibility is Visibility.NO_DATA
                assert seen.reason == f"the recording says {fields[f'{field}Status']}"
    assert bool(lost) is hidden


def test_what_is_written_is_read_again_to_the_last_bit(shared_data: Path, tmp_path: Path) -> None:
    frames = all_frames(shared_data / REAL / "NwirePhantomFreehand.igs.mha", TOOLS)
    path = tmp_path / "again.igs.mha"
    assert write_transforms(path, frames) == len(frames)
    for before, after in zip(frames, all_frames(path, TOOLS), strict=True):
        assert (after.sequence, after.capture_ns) == (before.sequence, before.capture_ns)
        for name, seen in before.tools.items():
            assert (after.tools[name].T_tracker_tool is None) == (seen.T_tracker_tool is None)
            if seen.T_tracker_tool is not None:
                # Made orthonormal once more: the last digits of a rotation may turn.
                np.testing.assert_allclose(
                    after.tools[name].T_tracker_tool.matrix, seen.T_tracker_tool.matrix, atol=1e-12
                )


def test_the_status_of_pluss_is_a_state_in_its_words(tmp_path: Path) -> None:
    said = {0: "MISSING", 1: "OUT_OF_VIEW", 2: None}
    fields = {index: {"ProbeToTrackerTransformStatus": status} for index, status in said.items()}
    frames = all_frames(write_sequence(tmp_path / "made.mha", frame_fields=fields), TOOLS[2:])
    seen = [frame.tools["probe"] for frame in frames]
    assert [each.visibility for each in seen] == [Visibility.OCCLUDED, Visibility.OUT_OF_VOLUME, Visibility.NO_DATA]
    assert seen[1].reason == "the recording says OUT_OF_VIEW"
    assert seen[2].reason == "the recording states no status"


def test_a_sequence_in_nrrd_is_the_same_as_in_a_metafile(tmp_path: Path) -> None:
    fields = {1: {"ProbeToTrackerTransform": "1 0 0 5 0 0 -1 6.5 0 1 0 7 0 0 0 1"}}
    metafile = write_sequence(tmp_path / "made.mha", frame_fields=fields)
    pairs = [pair for pair in as_it_stands(metafile).items() if pair[0].startswith("Seq_Frame")]
    lines = ["NRRD0004", "# as IGSIO writes", "type: unsigned char", "dimension: 3", "sizes: 8 6 3 ", "encoding: raw"]
    lines += ["kinds: domain domain list", *(f"{name}:={value}" for name, value in pairs), "", ""]
    path = tmp_path / "made.igs.nrrd"
    path.write_text("\n".join(lines))
    ours, theirs = all_frames(path, TOOLS[2:]), all_frames(metafile, TOOLS[2:])
    assert [frame.capture_ns for frame in ours] == [frame.capture_ns for frame in theirs]
    assert ours[1].tools["probe"].T_tracker_tool.translation_mm.tolist() == [5.0, 6.5, 7.0]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(
            one.tools["probe"].T_tracker_tool.matrix, other.tools["probe"].T_tracker_tool.matrix
        )
    path.write_text("\n".join(lines).replace("sizes: 8 6 3", "sizes: 8 6 4"))
    with pytest.raises(DeviceError, match="4 frames by its sizes and fields of 3 frames"):
        all_frames(path, TOOLS[2:])


def test_a_tool_that_is_not_in_the_sequence_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = write_sequence(tmp_path / "made.mha")
    with pytest.raises(DeviceError, match=r"without the tool 'StylusToTracker'; expected one of ProbeToTracker"):
        read_plus(path, TOOLS[1:2])
    by_name = Tool(name="us", role=Role.PROBE, id="probe", settings=None)
    assert all_frames(path, (by_name,))[0].tools["us"].T_tracker_tool.from_frame == "us"
