"""Live ultrasound through the recorder: the same pixels, contours and places come out, for us and for Foxglove."""

import json
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import zmq
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from geometry import Transform
from geometry.frames import CT, TRACKER
from navigation.clock import MonotonicClock, VirtualClock
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.devices.ultrasound import mcap
from navigation.devices.ultrasound.mcap import DamagedImageError, McapImages, grey_of
from navigation.devices.ultrasound.opening import open_recording
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.devices.ultrasound.plus.write import write_images
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import DeviceError
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.tap import MOST_IMAGES, Kind, Tapped, images_address
from navigation.recorder.translate import Translator
from navigation.recorder.ultrasound import CONTOURS, IMAGE_FRAME
from navigation.recorder.writing import RecordingWriter
from navigation.ultrasound.distances.measure import Distances
from navigation.ultrasound.finding import BONE, open_finder, open_judge
from navigation.ultrasound.live.frame_tap import UltrasoundTap, packed_ultrasound
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.live.process import LiveUltrasound
from navigation.ultrasound.pipeline import FramePipeline, FrameResult
from navigation.ultrasound.record import as_json
from tests.navigation.commands.ultrasound.results import SIZE_PX
from tests.navigation.ultrasound.live.probes import MS, patient, pose_at, probe_in_force, told
from tests.navigation.ultrasound.live.scanner import Scanner, live_config
from tests.reconstruction.ultrasound.frames import bone_frame
from unity_bridge.wire.envelope import Validity

EPOCH_NS = 1_000_000_000_000
FRAMES = 12


def images() -> list[np.ndarray]:
    return [bone_frame(seed) for seed in range(FRAMES)]


def pipeline(tmp_path: Path) -> FramePipeline:
    return FramePipeline(open_finder(BONE, None, (), MonotonicClock(), tmp_path), open_judge(BONE))


def placed_frames(tmp_path: Path) -> list[PlacedFrame]:
    """As the live process makes them; the fifth has no image, and the seventh never came."""
    timeline, live, distances = PlacingTimeline(probe_in_force()), pipeline(tmp_path), Distances(["stylus", "driver"])
    for at_ms in range(900, 2000, 10):
        timeline.note([told(at_ms * MS), patient()])
        distances.note([replace(told(at_ms * MS), tool="stylus", from_frame="stylus_tip")])
    made = []
    for number, pixels in enumerate(images()):
        if number == 6:
            continue
        capture_ns = (1500 + 33 * number) * MS
        shown = None if number == 4 else pixels
        missing = "cable" if shown is None else ""
        frame = UltrasoundFrame(number + 3, capture_ns, shown, source_ns=capture_ns + 5, missing=missing)
        made.append(distances.measured(timeline.place(live.process(frame))))
    return made


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> list[PlacedFrame]:
    return placed_frames(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def recorded(live: list[PlacedFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    clock = VirtualClock(1_000 * MS)
    with closing(RecordingWriter(folder, "r", Translator({}, EPOCH_NS), clock, EPOCH_NS)) as writer:
        writer.tick()
        for number, placed in enumerate(live):
            clock.advance_ns(33 * MS)
            data = packed_ultrasound(placed)
            writer.take(Tapped(Kind.ULTRASOUND, "ultrasound", mcap.FRAMES, number + 1, 0, clock.now_ns(), data))
            writer.tick()
    return folder / "r.mcap"


def test_the_same_pixels_at_the_same_times(live: list[PlacedFrame], recorded: Path):
    recording = open_recording(recorded)
    assert len(recording) == len(live)
    assert recording.sequences == (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11)
    assert recording.notes == ()
    for index, placed in enumerate(live):
        frame = recording.frame(index)
        assert frame.source_ns == placed.result.source_ns
        assert frame.capture_ns == placed.result.capture_ns - live[0].result.capture_ns
        if placed.result.pixels is None:
            assert (frame.pixels, frame.missing) == (None, "cable")
        else:
            np.testing.assert_array_equal(frame.pixels, placed.result.pixels)
    np.testing.assert_array_equal(recording.frame(1).pixels, live[1].result.pixels)  # going back


def test_the_same_pipeline_finds_the_same_contours_to_the_last_bit(
    live: list[PlacedFrame], recorded: Path, tmp_path: Path
):
    recording, again = McapImages(recorded), pipeline(tmp_path)
    assert sum(len(placed.result.contours) for placed in live) > FRAMES // 2
    for index, placed in enumerate(live):
        note, result = recording.frame_notes[index], again.process(recording.frame(index))
        assert (result.state, result.reason) == (placed.result.state, placed.result.reason) == (note.state, note.reason)
        assert len(note.contours) == len(result.contours) == len(placed.result.contours)
        assert as_json(result)["contours"] == [each.model_dump(mode="json") for each in note.contours]
        for was, stored, found in zip(placed.result.contours, note.contours, result.contours, strict=True):
            assert (was.structure, was.closed) == (stored.structure, stored.closed) == (found.structure, found.closed)
            np.testing.assert_array_equal(found.points_px, was.points_px)
            np.testing.assert_array_equal(np.array(stored.points_px), was.points_px)


def test_distances_are_kept_with_the_reasons_why_there_are_none(live: list[PlacedFrame], recorded: Path):
    kept = [each for note in McapImages(recorded).frame_notes for each in note.distances]
    made = [each for placed in live for each in placed.distances]
    assert {each.to: each.distance_mm is None for each in kept} == {"stylus": False, "driver": True}
    for note, was in zip(kept, made, strict=True):
        assert note.model_dump() == {**asdict(was), "validity": was.validity.value}


def test_places_are_kept_whole(live: list[PlacedFrame], recorded: Path):
    recording = McapImages(recorded)
    assert {placed.validity for placed in live} == {Validity.VALID, Validity.LOST}
    for note, placed in zip(recording.frame_notes, live, strict=True):
        place = note.place
        assert place is not None
        assert (place.validity, place.reason, place.shows_ns) == (placed.validity, placed.reason, placed.shows_ns)
        assert place.expected_p95_mm == placed.expected_p95_mm
        for stored, pose in (
            (place.T_reference_probe, placed.T_reference_probe),
            (place.T_ct_reference, placed.T_ct_reference),
        ):
            assert (stored is None) == (pose is None)
            if stored is not None and pose is not None:
                np.testing.assert_array_equal(np.array(stored).reshape(4, 4), pose.matrix)


def test_foxgloves_reader_sees_images_plane_and_contours(live: list[PlacedFrame], recorded: Path):
    with recorded.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        topics = [mcap.IMAGES, "/transforms", CONTOURS]
        found = [(channel.topic, each) for _, channel, _, each in reader.iter_decoded_messages(topics=topics)]
    pictures, planes, scenes = ([each for topic, each in found if topic == wanted] for wanted in topics)
    shown = [placed for placed in live if placed.validity is Validity.VALID]
    width, height = SIZE_PX
    assert [(each.width, each.height, each.encoding) for each in pictures] == [(width, height, "mono8")] * len(shown)
    assert [each.data for each in pictures] == [placed.result.pixels.tobytes() for placed in shown]
    assert len(planes) == len(shown)
    for plane, placed in zip(planes, shown, strict=True):
        (each,) = plane.transforms
        corner_mm = placed.place_mm(np.zeros((1, 2)))[0]
        assert (each.parent_frame_id, each.child_frame_id) == (CT, IMAGE_FRAME)
        assert each.timestamp.ToNanoseconds() == placed.shows_ns + EPOCH_NS
        np.testing.assert_allclose([1e3 * getattr(each.translation, axis) for axis in "xyz"], corner_mm, atol=1e-9)
    drawn = [each for each in scenes if each.entities]
    assert [len(each.deletions) for each in scenes if not each.entities] == [1]  # the frame without an image
    for scene, placed in zip(drawn, shown, strict=True):
        (entity,) = scene.entities
        assert entity.frame_id == CT
        assert len(entity.lines) == 1 + len(placed.result.contours)
        for line, contour in zip(entity.lines[1:], placed.result.contours, strict=True):
            drawn_mm = 1e3 * np.array([[point.x, point.y, point.z] for point in line.points])
            np.testing.assert_allclose(drawn_mm, placed.place_mm(contour.points_px), atol=1e-9)


def test_an_image_that_may_not_be_shown_is_not_drawn(live: list[PlacedFrame]):
    result = FrameResult(
        sequence=0, capture_ns=5, finished_ns=None, state="usable", reason="", contours=(), pixels=images()[0]
    )
    doubted = replace(live[0], result=result, validity=Validity.SUSPECT, reason="bumped")
    tapped = Tapped(Kind.ULTRASOUND, "ultrasound", mcap.FRAMES, 1, 0, 5, packed_ultrasound(doubted))
    topics = [topic for topic, _, _ in Translator({}, 0).entries(tapped)]
    assert topics == [mcap.FRAMES, mcap.IMAGES, CONTOURS]


def test_sequences_go_on_where_another_process_counted_anew():
    assert mcap._counted([5, 6, 9, 0, 1, 4]) == (0, 1, 4, 5, 6, 9)


@pytest.mark.parametrize("cut", [1, 7, 30, 1000])
def test_an_image_that_was_cut_is_none(recorded: Path, cut: int):
    with recorded.open("rb") as stream:
        data = next(message.data for _, _, message in make_reader(stream).iter_messages(topics=[mcap.IMAGES]))
    grey_of(data)
    with pytest.raises(DamagedImageError):
        grey_of(data[:-cut])


def test_a_recording_without_ultrasound_or_with_another_form_is_refused(tmp_path: Path):
    path = tmp_path / "a.mcap"
    path.write_bytes(b"something else")
    with pytest.raises(DeviceError, match="without ultrasound"):
        McapImages(path)
    message = mcap.StoredMessage(mcap.FRAMES, mcap.SCHEMA_NAME, "json", 0, json.dumps({"sequence": 0}).encode())
    with pytest.raises(DeviceError, match="a frame whose capture_ns is wrong"):
        mcap._note(path, message)


def test_images_are_written_for_plus_and_read_by_others(live: list[PlacedFrame], recorded: Path, tmp_path: Path):
    images, target = McapImages(recorded), tmp_path / "a.igs.mha"
    pose = pose_at(0)
    tracked = Transform(pose.matrix, TRACKER, "probe")
    frames = [
        TrackerFrame(sequence, note.capture_ns, {"probe": ToolObservation(Visibility.VISIBLE, tracked)})
        for sequence, note in zip(images.sequences, images.frame_notes, strict=True)
    ]
    assert write_images(target, frames, images) == len(live)
    by_itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(target)))
    ours = PlusSequence(target)
    assert ours.sequences == images.sequences
    for index, placed in enumerate(live):
        pixels, frame = placed.result.pixels, ours.frame(index)
        assert frame.source_ns == placed.result.capture_ns
        np.testing.assert_array_equal(by_itk[index], np.zeros_like(by_itk[0]) if pixels is None else pixels)
        if pixels is None:
            assert frame.pixels is None
        else:
            np.testing.assert_array_equal(frame.pixels, pixels)
        np.testing.assert_allclose(frame.poses["T_tracker_probe"].matrix, tracked.matrix, atol=1e-9)


def test_the_process_gives_what_it_saw_to_the_recorder(tmp_path: Path):
    """A scanner over OpenIGTLink, the live process and the recorder's: what is on the disk gives the same contours."""
    poses = f"ipc://{tmp_path}/mirror"
    with (
        closing(RecorderProcess(RecorderConfig(folder=tmp_path / "r", tool_ids={}))) as recorder,
        closing(Scanner([image[100:260, :160] for image in images()], poses)) as scanner,
    ):
        config = replace(live_config(scanner.port, tmp_path / "cache"), recorder=recorder.address)
        with closing(LiveUltrasound(config, poses, MonotonicClock())) as process:
            until_s = time.monotonic() + 120.0
            while time.monotonic() < until_s and (process.standing is None or process.standing.used < 30):
                process.poll()
                recorder.poll()
                time.sleep(0.02)
    (path,) = (tmp_path / "r").iterdir()
    recording, again = McapImages(path), pipeline(tmp_path)
    assert len(recording) >= 30
    assert {note.place.validity for note in recording.frame_notes} >= {"valid"}
    found = 0
    for index, note in enumerate(recording.frame_notes):
        result = again.process(recording.frame(index))
        assert (result.state, result.reason) == (note.state, note.reason)
        found += len(result.contours)
        for stored, contour in zip(note.contours, result.contours, strict=True):
            np.testing.assert_array_equal(np.array(stored.points_px), contour.points_px)
    assert found > 0


def test_a_recorder_that_stands_still_gets_few_images():
    """Half a megabyte each: what waits for it is bounded on both sides, and what is dropped is counted."""
    with tempfile.TemporaryDirectory() as folder, zmq.Context() as context, context.socket(zmq.PULL) as recorder:
        address = f"ipc://{folder}/r"
        recorder.setsockopt(zmq.RCVHWM, MOST_IMAGES)
        recorder.bind(images_address(address))
        tap = UltrasoundTap(address, VirtualClock())
        for _ in range(20 * MOST_IMAGES):
            tap._tap.give(Kind.ULTRASOUND, mcap.FRAMES, bytes(1 << 19))
        assert tap._tap.dropped >= 17 * MOST_IMAGES
        tap.close()
