"""``surgnav room play``: the same bytes each time, at any rate, paused or not; poses and states are the file's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from navigation.clock import VirtualClock
from navigation.commands.register.keyboard import PipedKeys
from navigation.commands.room.play import Pace, Played, play_room
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from tests.navigation.devices.replay.recorded_frames import made_frames, write_table
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.wire.convention import pose_from_unity

ROOM = """
[devices.table]
driver = "replay"
file = "made.csv"

[tools.reference]
device = "table"
role = "reference"
id = "ref 1"

[tools.stylus]
device = "table"
role = "stylus"
id = "pointer"
"""


@pytest.fixture
def room_file(tmp_path: Path) -> Path:
    write_table(tmp_path / "made.csv", made_frames())
    path = tmp_path / "or.toml"
    path.write_text(ROOM)
    return path


def play(room_file: Path, pace: Pace, keys: str = "", real: VirtualClock | None = None) -> tuple[Played, list[bytes]]:
    kept: list[bytes] = []
    played = play_room(read_room(room_file), pace, real or VirtualClock(), PipedKeys(io.StringIO(keys)), kept.append)
    return played, kept


def test_played_twice_at_any_rate_and_paused_the_bytes_are_identical(room_file: Path) -> None:
    first, bytes_first = play(room_file, Pace())
    assert first.batches == 40
    real = VirtualClock()
    for pace, keys in ((Pace(), ""), (Pace(rate=4.0), ""), (Pace(pause_at_s=0.1), "nnnr")):
        again, bytes_again = play(room_file, pace, keys, real)
        assert again == first
        assert bytes_again == bytes_first
    assert real.now_ns() == pytest.approx(39 * 20e6 / 4.0, abs=40)  # only the second was waited for


def test_paused_each_key_is_one_frame_and_q_ends(room_file: Path) -> None:
    _, all_bytes = play(room_file, Pace())
    played, kept = play(room_file, Pace(pause_at_s=0.0), "nnnq")
    assert played.batches == 3
    assert kept == all_bytes[:3]
    assert play(room_file, Pace(seconds=0.1))[1] == all_bytes[:6]  # 0, 20, ..., 100 ms


def test_poses_states_and_times_downstream_are_those_of_the_file(room_file: Path) -> None:
    _, kept = play(room_file, Pace())
    for frame, message in zip(made_frames(), kept, strict=True):
        batch = PoseBatchDecoder().decode(message)
        assert batch.capture_ns == frame.time_ns
        tool = batch.tools["stylus"]
        reference, stylus = (frame.tools[name].T_tracker_tool for name in ("reference", "stylus"))
        if stylus is None:
            assert (tool.validity, tool.reason) == ("lost", "2 of 4 spheres")
        elif tool.pose is not None:
            expected = reference.inverse() @ stylus
            np.testing.assert_allclose(pose_from_unity(tool.pose).matrix, expected.matrix, atol=1e-3)


def test_what_is_no_recording_or_never_ends_is_refused(room_file: Path) -> None:
    room_file.write_text(ROOM.replace('file = "made.csv"', 'file = "made.csv"\nloop = true'))
    with pytest.raises(RoomError, match="loop = true in"):
        play(room_file, Pace())
    assert play(room_file, Pace(seconds=2.0))[0].batches > 80
    room_file.write_text(
        ROOM.replace('driver = "replay"\nfile = "made.csv"', 'driver = "simulated"')
        .replace('id = "ref 1"', "")
        .replace('id = "pointer"', "")
    )
    with pytest.raises(RoomError, match="with the driver 'simulated'; expected recordings only"):
        play(room_file, Pace())


def test_pluss_own_recording_goes_through_the_live_path_as_it_stands(shared_data: Path, tmp_path: Path) -> None:
    recording = shared_data / "tracking/pluslib/TestImages/NwirePhantomFreehand.igs.mha"
    tools = (("reference", "reference"), ("probe", "probe"), ("stylus", "stylus"))
    text = f'[devices.plus]\ndriver = "replay"\nfile = "{recording}"\n'
    text += "".join(f'[tools.{tool}]\ndevice = "plus"\nrole = "{role}"\n' for tool, role in tools)
    path = tmp_path / "or.toml"
    path.write_text(text)
    played, kept = play(path, Pace())
    assert play(path, Pace())[1] == kept
    header = recording.read_bytes().split(b"ElementDataFile")[0].decode("latin-1")
    fields = dict(line.split(" = ", 1) for line in header.splitlines() if " = " in line)

    def recorded(index: int, name: str) -> np.ndarray:
        return np.array(fields[f"Seq_Frame{index:04}_{name}ToTrackerTransform"].split(), float).reshape(4, 4)

    assert played.batches == int(fields["DimSize"].split()[2])
    assert played.states["stylus"] == {"lost": played.batches}  # INVALID in every frame
    decoder = PoseBatchDecoder()
    for index, message in enumerate(kept):
        batch = decoder.decode(message)
        assert batch.capture_ns == round(float(fields[f"Seq_Frame{index:04}_Timestamp"]) * 1e9)
        assert batch.tools["stylus"].reason == "the recording says INVALID"
        pose = batch.tools["probe"].pose
        assert pose is not None
        expected = np.linalg.inv(recorded(index, "Reference")) @ recorded(index, "Probe")
        # The file prints six digits; 2 m from the tracker that is 0.01 mm, and 1e-6 of a rotation 0.004 mm.
        np.testing.assert_allclose(pose_from_unity(pose).matrix, expected, atol=0.05)
