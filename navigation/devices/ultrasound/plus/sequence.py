"""A sequence metafile of PLUS or 3D Slicer (``.igs.mha``, ``.igs.mhd``) as a recording."""

from __future__ import annotations

import math
import re
from itertools import accumulate
from pathlib import Path

import numpy as np

from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.plus.header import RECORD_AGAIN, PlusHeader, read_header
from navigation.devices.ultrasound.plus.pixel_data import CompressedData, DamagedDataError, PlainData
from navigation.devices.ultrasound.plus.poses import Poses, read_poses
from navigation.devices.ultrasound.plus.times import read_numbers, read_stamps_ns
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame

# To which sides of the transducer x (Marked, Unmarked) and y (Far, Near) grow; a third letter is about slices.
ORIENTATION = re.compile(r"([MU])([FN])[AD]?")
MOST_PIXELS = 10_000  # along one side


class PlusSequence:
    """Images, times and tracked transforms of a recorded sequence.

    Every image is brought into PLUS's own orientation MF: row 0 at the transducer, x towards the marked side of the
    transducer, which is on the right. PLUS does the same, so calibrations made with it hold. `notes` says what was
    flipped.

    ``ElementSpacing`` is taken as the size of a pixel unless it is 1 1, which PLUS writes whatever the size is. A frame
    is numbered by PLUS's ``FrameNumber`` if all frames have one and they increase, so that lost frames are seen; else
    by its place. A frame whose time goes back comes with `missing`, since nothing may be older than what was shown;
    repeated times are kept and noted. See `read_poses` for the transforms.

    Args:
        path: the file; the pixels of an ``.mhd`` lie beside it.

    Raises:
        DeviceError: not such a sequence, damaged, without images, without times, of other than 8 bits, or of an
            orientation that is not one of MF, MN, UF, UN.
    """

    def __init__(self, path: Path) -> None:
        header = read_header(path)
        _check_images(header)
        self._path = path
        self._shape = (header.height, header.width)
        self._flips, orientation_note = _orientation(header)
        self._channels = _choice(header, "ElementNumberOfChannels", {"1": 1, "3": 3}, "1")
        self._pixel_mm = _pixel_mm(header)
        self._stamps_ns = read_stamps_ns(header)
        latest = list(accumulate(self._stamps_ns, max))
        self._times_ns = tuple(time_ns - latest[0] for time_ns in latest)
        self._missing = tuple(_missing(header, latest, self._stamps_ns))
        self._sequences, number_notes = read_numbers(header)
        self._poses, pose_notes = read_poses(header)
        self._data, data_notes = _data(header, self._channels)
        time_notes = _time_notes(self._stamps_ns, self._missing)
        self._notes = (orientation_note, *data_notes, *time_notes, *number_notes, *pose_notes)

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def times_ns(self) -> tuple[int, ...]:
        return self._times_ns

    @property
    def sequences(self) -> tuple[int, ...]:
        return self._sequences

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def __len__(self) -> int:
        return len(self._times_ns)

    def frame(self, index: int) -> UltrasoundFrame:
        """As `UltrasoundRecording.frame`; of compressed sequences going back is slow, see `CompressedData`."""
        index = range(len(self))[index]
        missing, pixels = self._missing[index], None
        if not missing:
            try:
                pixels = self._pixels(self._data.frame(index))
            except DamagedDataError as error:
                missing = str(error)
        return UltrasoundFrame(
            self._sequences[index],
            self._times_ns[index],
            pixels,
            source_ns=self._stamps_ns[index],
            missing=missing,
            pixel_mm=self._pixel_mm,
            poses=self._poses[index],
        )

    def poses(self, index: int) -> Poses:
        """The transforms of a frame, without its image."""
        return self._poses[index]

    def _pixels(self, data: bytes) -> GreyPixels:
        values = np.frombuffer(data, np.uint8).reshape(*self._shape, self._channels)
        grey = values[..., 0] if self._channels == 1 else mean_of_colours(values)
        flip_x, flip_y = self._flips
        return np.ascontiguousarray(grey[:: -1 if flip_y else 1, :: -1 if flip_x else 1])


def has_images(path: Path) -> bool:
    """Whether a sequence holds images, and not transforms alone.

    Raises:
        DeviceError: no such sequence.
    """
    header = read_header(path)
    return header.width * header.height > 1  # 1 x 1 is what PLUS writes when it is told to leave the images out


def _check_images(header: PlusHeader) -> None:
    if header.width * header.height <= 1:
        raise header.refuse(
            f"images of {header.width} x {header.height} pixels: transforms without ultrasound",
            "a sequence with ultrasound images",
            "name the sequence that was recorded with the images",
        )
    if max(header.width, header.height) > MOST_PIXELS:
        came = f"images of {header.width} x {header.height} pixels"
        raise header.refuse(came, f"at most {MOST_PIXELS} pixels along a side")
    _choice(header, "BinaryData", {"TRUE": True}, "True")
    _choice(header, "HeaderSize", {"0": 0}, "0")
    _choice(header, "ElementType", {"MET_UCHAR": 8}, "", "export the images with 8 bits: no scale is guessed")
    _choice(
        header,
        "UltrasoundImageType",
        {"BRIGHTNESS": 1, "RGB_COLOR": 3},
        "BRIGHTNESS",
        "convert radio-frequency data into B-mode images with PLUS (RfProcessor), and name what they are",
    )


def _choice(header: PlusHeader, field: str, allowed: dict[str, int], default: str, action: str = RECORD_AGAIN) -> int:
    value = header.fields.get(field, default)
    if value.upper() not in allowed:
        raise header.refuse(f"{field} = {value[:60] or '(not stated)'}", " or ".join(allowed), action)
    return allowed[value.upper()]


def _orientation(header: PlusHeader) -> tuple[tuple[bool, bool], str]:
    """Whether to flip x and y to come to MF, and the note on it."""
    value = header.fields.get("UltrasoundImageOrientation", "")
    letters = ORIENTATION.fullmatch(value.upper())
    if letters is None:
        raise header.refuse(
            f"UltrasoundImageOrientation = {value[:60] or '(not stated)'}",
            "MF, MN, UF or UN",
            "find out how the device showed the image, and write it into the header: MF if the transducer is at the "
            "top and a finger on the marked side of the transducer shows on the right",
        )
    flips = letters[1] == "U", letters[2] == "N"
    done = [what for what, flip in zip(("left and right", "top and bottom"), flips, strict=True) if flip]
    how = f"brought to MF by exchanging {' and '.join(done)}" if done else "as stored"
    return flips, f"orientation {value}, {how}: transducer at the top, its marked side on the right"


def _pixel_mm(header: PlusHeader) -> tuple[float, float] | None:
    text = header.fields.get("ElementSpacing", "1 1 1")
    try:
        along_row, along_column = [float(part) for part in text.split()[:2]]
        usable = all(math.isfinite(size) and size > 0 for size in (along_row, along_column))
    except ValueError:
        usable = False
    if not usable:
        raise header.refuse(f"ElementSpacing = {text[:60]}", "positive sizes in mm")
    return None if along_row == along_column == 1.0 else (along_column, along_row)


def _missing(header: PlusHeader, latest_ns: list[int], stamps_ns: tuple[int, ...]) -> list[str]:
    reasons = []
    for frame, newest_ns, stamp_ns in zip(header.frames, latest_ns, stamps_ns, strict=True):
        status = frame.get("ImageStatus", "OK")
        if status.upper() != "OK":
            reasons.append(f"the sequence marks this image as {status[:60]}")
        elif stamp_ns < newest_ns:
            reasons.append(f"its time is {(newest_ns - stamp_ns) / NS_PER_S:g} s before that of an earlier frame")
        else:
            reasons.append("")
    return reasons


def _time_notes(stamps_ns: tuple[int, ...], missing: tuple[str, ...]) -> list[str]:
    notes = []
    if repeated := int((np.diff(stamps_ns) == 0).sum()):
        notes.append(f"{repeated} of {len(stamps_ns)} frames have the time of the frame before")
    if without := sum(map(bool, missing)):
        first = next(filter(None, missing))
        notes.append(f"{without} of {len(stamps_ns)} frames come without an image; the first: {first}")
    return notes


def _data(header: PlusHeader, channels: int) -> tuple[PlainData | CompressedData, list[str]]:
    """The pixels, and a note if their file is shorter than the header says."""
    frame_bytes, count = header.width * header.height * channels, len(header.frames)
    announced = header.fields.get("CompressedDataSize", "0")
    data: PlainData | CompressedData
    if _choice(header, "CompressedData", {"TRUE": True, "FALSE": False}, "False"):
        data = CompressedData(header.data_file, header.data_offset, frame_bytes, count)
        wanted = int(announced) if re.fullmatch(r"[0-9]{1,15}", announced) else 0
    else:
        data = PlainData(header.data_file, header.data_offset, frame_bytes)
        wanted = frame_bytes * count
    short = wanted - (header.data_file.stat().st_size - header.data_offset)
    return data, [f"the pixels are cut short by {short} bytes: the last frames are missing"] if short > 0 else []
