"""Sequences of PLUS as recordings: pixels, orientation, times, numbers, and what is refused in words."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.plus.made_sequence import made_images, write_sequence
from tests.navigation.devices.ultrasound.recordings import MS, check_recording


@pytest.mark.parametrize("suffix", [".igs.mha", ".igs.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_that_were_written_in_any_order(tmp_path: Path, suffix: str, compressed: bool, channels: int):
    images = made_images(9, channels=channels)
    path = write_sequence(tmp_path / f"a{suffix}", images, compressed=compressed)
    recording = PlusSequence(path)
    check_recording(recording)
    grey = images if channels == 1 else np.array([mean_of_colours(image) for image in images])
    for index in [*range(9), 4, 4, 8, 0, -1]:
        np.testing.assert_array_equal(recording.frame(index).pixels, grey[index])
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(stored, images)


@pytest.mark.parametrize(
    ("orientation", "turned", "words"),
    [
        ("MF", lambda image: image, "MF, as stored"),
        ("mfa", lambda image: image, "mfa, as stored"),
        ("UF", np.fliplr, "exchanging left and right:"),
        ("UFD", np.fliplr, "exchanging left and right:"),
        ("MN", np.flipud, "exchanging top and bottom:"),
        ("UN", lambda image: image[::-1, ::-1], "exchanging left and right and top and bottom:"),
    ],
)
def test_images_are_brought_to_mf_and_it_is_said(tmp_path: Path, orientation: str, turned, words: str):
    """The letters are the directions in which x and y grow: the last pixel of the last row of a UN image lies at the
    unmarked side and nearest to the transducer, that of an MF image at the marked side and deepest."""
    images = made_images()
    changes = {"UltrasoundImageOrientation": orientation}
    recording = PlusSequence(write_sequence(tmp_path / "a.mha", images, changes))
    np.testing.assert_array_equal(recording.frame(1).pixels, turned(images[1]))
    assert words in recording.notes[0]
    assert "transducer at the top, its marked side on the right" in recording.notes[0]


def test_times_statuses_and_numbers(tmp_path: Path):
    frame_fields = {
        0: {"FrameNumber": "1449", "Timestamp": "7417.731300"},
        1: {"FrameNumber": "1450", "Timestamp": "7417.831", "ImageStatus": "INVALID"},
        2: {"FrameNumber": "1453", "Timestamp": "7417.831"},
        3: {"FrameNumber": "1454", "Timestamp": "7417.800"},
        4: {"FrameNumber": "1455", "Timestamp": "7418.000"},
    }
    recording = PlusSequence(write_sequence(tmp_path / "a.mha", made_images(5), None, frame_fields))
    check_recording(recording)
    assert recording.sequences == (0, 1, 4, 5, 6)
    assert [time_ns / MS for time_ns in recording.times_ns] == [0, 99.7, 99.7, 99.7, 268.7]
    frames = [recording.frame(index) for index in range(5)]
    assert [frame.source_ns for frame in frames[2:4]] == [7_417_831 * MS, 7_417_800 * MS]
    assert [frame.missing for frame in frames] == [
        "",
        "the sequence marks this image as INVALID",
        "",
        "its time is 0.031 s before that of an earlier frame",
        "",
    ]
    assert recording.notes[1:] == (
        "1 of 5 frames have the time of the frame before",
        "2 of 5 frames come without an image; the first: the sequence marks this image as INVALID",
    )


@pytest.mark.parametrize("numbers", [["5", "5", "6"], ["5", None, "6"], ["5", "six", "7"]])
def test_numbers_that_do_not_increase_are_not_used(tmp_path: Path, numbers: list[str | None]):
    frame_fields = {index: {"FrameNumber": number} for index, number in enumerate(numbers)}
    recording = PlusSequence(write_sequence(tmp_path / "a.mha", frame_fields=frame_fields))
    assert recording.sequences == (0, 1, 2)
    assert "FrameNumber" in recording.notes[-1]


def test_the_size_of_a_pixel_is_stated_or_unknown(tmp_path: Path):
    for spacing, pixel_mm in (("1 1 1", None), ("1 1 0.5", None), ("0.2 0.1 1", (0.1, 0.2)), (None, None)):
        recording = PlusSequence(write_sequence(tmp_path / "a.mha", changes={"ElementSpacing": spacing}))
        assert recording.frame(0).pixel_mm == pixel_mm


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ElementType": "MET_USHORT"}, "MET_USHORT.* no scale is guessed"),
        ({"ElementType": None}, "not stated"),
        ({"ElementNumberOfChannels": "4"}, "ElementNumberOfChannels = 4"),
        ({"UltrasoundImageOrientation": "XX"}, "XX; expected MF, MN, UF or UN. .*finger on the marked side"),
        ({"UltrasoundImageOrientation": "FM"}, "UltrasoundImageOrientation = FM"),
        ({"UltrasoundImageOrientation": None}, "not stated"),
        ({"UltrasoundImageType": "RF_REAL"}, "radio-frequency"),
        ({"BinaryData": "False"}, "BinaryData = False"),
        ({"CompressedData": "perhaps"}, "CompressedData = perhaps"),
        ({"HeaderSize": "-1"}, "HeaderSize"),
        ({"ElementSpacing": "0 1 1"}, "positive sizes in mm"),
        ({"ElementSpacing": "nan 1 1"}, "positive sizes in mm"),
        ({"ElementSpacing": "1"}, "positive sizes in mm"),
        ({"DimSize": "0 0 3"}, "transforms without ultrasound"),
        ({"DimSize": "1 1 3"}, "transforms without ultrasound"),
        ({"DimSize": "999999999 6 3"}, "pixels along a side"),
    ],
)
def test_what_cannot_be_shown_truly_is_refused(tmp_path: Path, changes: dict[str, str | None], words: str):
    with pytest.raises(DeviceError, match=words):
        PlusSequence(write_sequence(tmp_path / "a.mha", changes=changes))


@pytest.mark.parametrize("text", [None, "", "soon", "nan", "1e12"])
def test_a_frame_without_a_time_is_refused(tmp_path: Path, text: str | None):
    with pytest.raises(DeviceError, match="in frame 1"):
        PlusSequence(write_sequence(tmp_path / "a.mha", frame_fields={1: {"Timestamp": text}}))


def test_byte_order_does_not_matter_to_bytes(tmp_path: Path):
    recording = PlusSequence(write_sequence(tmp_path / "a.mha", changes={"BinaryDataByteOrderMSB": "True"}))
    np.testing.assert_array_equal(recording.frame(2).pixels, made_images()[2])


def test_a_sequence_that_is_cut_short_has_its_first_frames(tmp_path: Path):
    images = made_images(5, 60, 80)
    for compressed in (False, True):
        path = write_sequence(tmp_path / "a.mha", images, compressed=compressed)
        path.write_bytes(path.read_bytes()[:-6000])
        recording = PlusSequence(path)
        frames = [recording.frame(index) for index in (0, 4, 3, 2, 1, 4, 0)]
        assert [bool(frame.missing) for frame in frames] == [False, True, True, False, False, True, False]
        np.testing.assert_array_equal(frames[3].pixels, images[2])
        assert recording.notes[1] == "the pixels are cut short by 6000 bytes: the last frames are missing"


def test_damaged_compression_and_a_wrong_checksum_are_noticed(tmp_path: Path):
    images = made_images(5, 60, 80)
    path = write_sequence(tmp_path / "a.mha", images, compressed=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    recording = PlusSequence(path)
    assert [bool(recording.frame(index).missing) for index in range(5)] == [False, False, False, False, True]
    assert "damaged in frame 4" in recording.frame(4).missing
    path.write_bytes(whole[:-9000] + bytes(200) + whole[-8800:])
    recording = PlusSequence(path)
    missing = [bool(recording.frame(index).missing) for index in range(5)]
    assert missing == sorted(missing)
    assert missing[4]
    more = write_sequence(tmp_path / "b.mha", images, {"DimSize": "80 59 5"}, compressed=True)
    assert "more than the header announces" in PlusSequence(more).frame(4).missing


def test_a_file_that_goes_away_gives_missing_frames(tmp_path: Path):
    for compressed in (False, True):
        path = write_sequence(tmp_path / "a.mha", compressed=compressed)
        recording = PlusSequence(path)
        path.unlink()
        assert "can no longer be read" in recording.frame(0).missing


def test_memory_stays_at_a_few_frames(tmp_path: Path):
    images = np.repeat(made_images(1, 400, 500), 60, axis=0)
    path = write_sequence(tmp_path / "a.mha", images, compressed=True)
    tracemalloc.start()
    try:
        recording = PlusSequence(path)
        for index in range(len(recording)):
            recording.frame(index)
        assert tracemalloc.get_traced_memory()[1] < 6 * images[0].nbytes
    finally:
        tracemalloc.stop()


WITHOUT_IMAGES = {"EightLandmarkPointsTrackedForPhantomRegistration", "ReferenceToRASCalibration"}
WITHOUT_IMAGES |= {"TransformInterpolationTest"}


def test_every_recording_of_plus_is_read_as_an_independent_reader_does_or_refused_in_words(shared_data: Path):
    """``pytest -s`` prints what is said of each."""
    folder = shared_data / "tracking" / "pluslib" / "TestImages"
    refused = set()
    for path in sorted(folder.glob("*.mha")):
        try:
            recording = PlusSequence(path)
        except DeviceError as error:
            refused.add(path.name.partition(".")[0])
            print(error)
            continue
        print(path.name, *recording.notes, sep="\n  ")
        stored = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))  # all of them are MF
        assert len(recording) == len(stored)
        for index, image in enumerate(stored):
            frame = recording.frame(index)
            np.testing.assert_array_equal(frame.pixels, image)
            assert frame.sequence == recording.sequences[index]
            assert frame.pixel_mm is None
        assert (np.diff(recording.times_ns) > 0).all()
    volumes = {"NwirePhantomFreehandReconstructed", "SpinePhantomFreehandReconstructed"}
    assert refused == WITHOUT_IMAGES | volumes | {"vtkVolumeReconstructorTestLNMEANvolumeRef"}


def test_lost_frames_of_a_recording_are_seen_in_its_numbers(shared_data: Path):
    name = "WaterTankBottomTranslationCombined.igs.mha"
    recording = PlusSequence(shared_data / "tracking" / "pluslib" / "TestImages" / name)
    assert (len(recording), recording.sequences[-1]) == (201, 202)
    # Where a number is left out, the time has a gap of two intervals as well.
    gaps = np.flatnonzero(np.diff(recording.sequences) == 2)
    steps_ns = np.diff(recording.times_ns)
    assert len(gaps) == 2
    assert (steps_ns[gaps] > 1.8 * np.median(steps_ns)).all()
