"""What is made of a recording holds what the devices gave and what was published."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry.frames import REFERENCE, STYLUS
from geometry.orientation import flip_ras_lps
from navigation.commands.recordings.command import ExportRequest
from navigation.commands.recordings.export import export
from navigation.devices.replay.mcap_file import read_mcap
from navigation.devices.replay.plus import read_plus
from navigation.devices.replay.recording import RecordedFrame
from navigation.devices.replay.table import read_table
from navigation.errors import RecordingError
from navigation.live.pose_graph import PoseGraph
from navigation.recorder.contents import RecordingFile
from navigation.recorder.export.page import summary_page
from navigation.recorder.export.summary import Summary, ToolTimes, summarise
from navigation.recorder.tap import POSES
from navigation.simulation.operating_room import OperatingRoom
from tests.case.slicers_core import read_by_slicer
from tests.navigation.live.served_room import TETRAHEDRON, room_config, service_config
from tests.navigation.recorder.recorded_room import Recorded
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.wire.convention import pose_from_unity
from unity_bridge.wire.envelope import Validity

TOOLS = service_config(PoseGraph()).devices[0].tools


def exported(recorded: Recorded, target: Path, device: str | None = None) -> str:
    return export(ExportRequest(recording=recorded.path, target=target, device=device))


def assert_same(found: tuple[RecordedFrame, ...], expected: tuple[RecordedFrame, ...], atol: float) -> None:
    assert [frame.time_ns for frame in found] == [frame.time_ns for frame in expected]
    for one, other in zip(found, expected, strict=True):
        for tool in TOOLS:
            mine, theirs = one.tools[tool.name].T_tracker_tool, other.tools[tool.name].T_tracker_tool
            assert (mine is None) == (theirs is None)
            if mine is not None and theirs is not None:
                np.testing.assert_allclose(mine.matrix, theirs.matrix, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["a.igs.mha", "a.igs.nrrd", "a.csv"])
def test_frames_are_read_again_as_the_device_gave_them(recorded: Recorded, tmp_path: Path, name: str):
    """To rounding: of quaternions in a CSV, and of the reader of PLUS, which makes rotations of what it reads."""
    said = exported(recorded, tmp_path / "new" / name)
    read = read_table if name.endswith(".csv") else read_plus
    expected = read_mcap(recorded.path, TOOLS).frames
    found = read(tmp_path / "new" / name, TOOLS).frames
    assert said == f"{len(found)} frames of simulated"
    assert len(found) >= len(recorded.received)
    assert_same(found, expected, 1e-9)


def test_the_frames_are_those_that_the_poses_were_made_of(recorded: Recorded):
    """By the batches that a subscriber received: the recorded frame of each has the pose that was published."""
    frames = {frame.time_ns: frame for frame in read_mcap(recorded.path, TOOLS).frames}
    decoder, checked = PoseBatchDecoder(), 0
    for message in recorded.received:
        batch = decoder.decode(message)
        reference = batch.tools[REFERENCE]
        if reference.pose is not None:
            seen = frames[batch.capture_ns].tools[REFERENCE].T_tracker_tool
            assert seen is not None
            # The wire has float32 or float64 in metres: 1e-4 mm covers both at 2 m.
            np.testing.assert_allclose(pose_from_unity(reference.pose).matrix, seen.matrix, rtol=0, atol=1e-3)
            checked += 1
    assert checked > len(recorded.received) // 2


def test_slicer_has_the_surfaces_the_registration_and_the_tips_where_they_were(recorded: Recorded, tmp_path: Path):
    assert exported(recorded, tmp_path / "scene.mrml") == "1 surfaces, 1 registrations, 4 paths of tools"
    found = read_by_slicer([tmp_path / "scene.mrml"])["scene.mrml"]
    assert found["tetrahedron"] == len(TETRAHEDRON.vertices_mm)
    room = OperatingRoom(room_config())
    expected = np.diag([-1.0, -1.0, 1.0, 1.0]) @ room.T_reference_ct.inverse().matrix  # from the device's own axes
    np.testing.assert_allclose(found["r1 reference to RAS"], expected, rtol=0, atol=1e-3)
    path = np.array(found["path of stylus"])
    tips = []
    decoder = PoseBatchDecoder()
    published = (message.data for message in RecordingFile(recorded.path).messages() if message.topic == POSES)
    for message in published:
        batch = decoder.decode(message)
        stylus, patient = batch.tools[STYLUS], batch.tools["patient"]
        if stylus.validity is Validity.VALID and patient.validity is Validity.VALID:
            assert stylus.pose is not None
            T_reference_tip = pose_from_unity(stylus.pose)
            tips.append((room.T_reference_ct.inverse() @ T_reference_tip).translation_mm)
    apart = np.linalg.norm(flip_ras_lps(path)[:, None] - np.array(tips)[None], axis=2).min(axis=1)
    assert apart.max() < 0.001  # the wire's float32


def test_an_ending_or_a_device_that_is_none_is_refused(recorded: Recorded, tmp_path: Path):
    with pytest.raises(RecordingError, match="whose ending says no format"):
        exported(recorded, tmp_path / "a.txt")
    with pytest.raises(RecordingError, match="the device 'camera'; expected one of simulated"):
        exported(recorded, tmp_path / "a.csv", device="camera")


def test_a_cut_recording_is_exported_and_says_so(recorded: Recorded, tmp_path: Path):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(recorded.path.read_bytes()[:-200])
    said = exported(replace(recorded, path=cut), tmp_path / "a.csv")
    assert said.endswith("; the recording was never closed: its last moments are missing")


# -------------------------------------------------------------------------------------------------------------- summary
def test_times_and_losses_by_hand():
    times = ToolTimes()
    states = [("valid", ""), ("suspect", "bent"), ("lost", "a hand"), ("valid", ""), ("lost", "gone")]
    for number, (state, reason) in enumerate(states):
        times.take(Validity(state), reason, number, 0.5 + number)
    assert times.seconds == {
        Validity.VALID: 0.5 + 3.5,
        Validity.SUSPECT: 1.5,
        Validity.LOST: 2.5 + 4.5,
        Validity.STALE: 0.0,
    }
    assert [(loss.since_ns, loss.seconds, loss.validity, loss.reason) for loss in times.losses] == [
        (1, 1.5 + 2.5, Validity.LOST, "bent"),
        (4, 4.5, Validity.LOST, "gone"),
    ]
    assert times.valid_share == pytest.approx(4.0 / 12.5)


def test_the_summary_agrees_with_what_was_published(recorded: Recorded):
    summary = summarise(RecordingFile(recorded.path))
    assert summary.batches >= len(recorded.received)
    assert (summary.batches_missing, summary.not_recorded, summary.is_closed) == (0, 0, True)
    assert [said for _, said, _ in summary.registrations][-2:] == ["r1", "not registered"]
    assert summary.frames["/devices/simulated"] >= len(recorded.received)
    patient, stylus = summary.tools["patient"], summary.tools[STYLUS]
    assert patient.valid_share < 0.9 < stylus.valid_share
    assert {"surface_approved", "registration_withdrawn"} <= {what.split(":")[0] for _, _, what in summary.events}
    assert sum(patient.seconds.values()) == pytest.approx(summary.duration_s, abs=0.2)


def test_the_page_has_all_of_it_and_no_word_of_others_is_markup(recorded: Recorded, tmp_path: Path):
    exported(recorded, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    for word in ("registration_withdrawn", "stylus", "not registered", recorded.path.name):
        assert word in page
    summary = Summary(events=[(0, "<script>", "<b>")], tools={"<i>": ToolTimes()})
    page = summary_page("<u>", summary)
    assert not any(word in page for word in ("<script>", "<b>", "<i>", "<u>"))
