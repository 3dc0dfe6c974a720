"""The ultrasound of a recording of ``surgnav serve``: every image that the live process worked on, as it was.

Two topics, whose messages of one frame have the same time of recording: `FRAMES` has a `FrameNote` as JSON, `IMAGES`
Foxglove's RawImage, grey values without loss, so that the same program finds the same contours in them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geometry import Transform
from geometry.errors import SurgNavError
from navigation.devices.replay.mcap_messages import McapMessages, StoredMessage
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame
from navigation.errors import DeviceError

SUFFIX = ".mcap"
FRAMES, IMAGES = "/ultrasound/frames", "/ultrasound/images"
SCHEMA_NAME, ENCODING = "surgnav.UltrasoundFrame.v1", "mono8"
Matrix = Annotated[list[float], Field(min_length=16, max_length=16)]

_FIXED32 = struct.Struct("<I")
# Fields of Foxglove's RawImage.
_WIDTH, _HEIGHT, _ENCODING, _STEP, _DATA = 2, 3, 4, 5, 6


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class ContourNote(_Part):
    """A contour as it was found; see `reconstruction.ultrasound.contours.Contour`."""

    structure: str
    closed: bool
    confidence: float | None
    area_px2: float
    points_px: list[tuple[float, float]]


class DistanceNote(_Part):
    """How far a contour was from something: `navigation.ultrasound.distances.distance.ContourDistance`."""

    contour: int
    structure: str
    to: str
    is_tip: bool
    in_frame: str
    validity: str
    reason: str
    distance_mm: float | None
    p95_mm: float | None
    is_inside: bool | None
    is_least: bool
    nearest_px: tuple[float, float] | None


class PlaceNote(_Part):
    """Where the frame was placed; see `navigation.ultrasound.live.placed_frame.PlacedFrame`.

    Matrices have 16 numbers row by row, in mm.
    """

    validity: str
    reason: str
    shows_ns: int | None
    T_probe_image_px: Matrix
    T_reference_probe: Matrix | None = None
    T_ct_reference: Matrix | None = None
    expected_p95_mm: float | None = None


class FrameNote(_Part):
    """One frame without its pixels.

    Attributes:
        sequence, capture_ns, source_ns, pixel_mm, missing, label, poses: as in `UltrasoundFrame`.
        state, reason, contours: what was made of it live.
        place: None where it was not placed by a probe.
        distances: of its contours; none in recordings from before they were measured.
    """

    sequence: int
    capture_ns: int | None
    source_ns: int | None
    pixel_mm: tuple[float, float] | None
    missing: str
    label: str
    poses: dict[str, Matrix | None]
    state: str
    reason: str
    contours: list[ContourNote]
    place: PlaceNote | None
    distances: list[DistanceNote] = []


def note_schema() -> bytes:
    """The JSON schema of `FrameNote`, which every recording with ultrasound holds."""
    return json.dumps(FrameNote.model_json_schema()).encode()


class McapImages:
    """The ultrasound frames of a recording, as an `UltrasoundRecording`.

    Frames that the process did not come to are gaps in `sequences`, as are those that the recorder did not get. Going
    forward is fast; going back reads from the start.

    Args:
        path: the recording, closed in order or not.

    Raises:
        DeviceError: no such file, no ultrasound in it, frames without times, or one that is not as it should be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        stored = McapMessages(path)
        try:
            found = [(message.time_ns, _note(path, message)) for message in stored if message.topic == FRAMES]
        except OSError as error:
            came = f"{path.name}: {error.strerror or error}"
            raise DeviceError(came, "a file that can be read", "check the path") from error
        if not found:
            came = f"{path.name} without ultrasound{f' ({stored.faults[0]})' if stored.faults else ''}"
            raise DeviceError(came, f"a recording of surgnav serve with frames on {FRAMES}", "name another recording")
        self._recorded_ns = [time_ns for time_ns, _ in found]
        self.frame_notes = tuple(note for _, note in found)
        self._times_ns = _since_first(path, self.frame_notes)
        self._sequences = _counted([note.sequence for note in self.frame_notes])
        closed = () if stored.is_closed else ("it was never closed: its last moments are missing",)
        self._notes = (*closed, *(f"damaged: {fault}" for fault in stored.faults))
        self._images: Iterator[StoredMessage] = iter(())
        self._position = len(found)

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
        """As `UltrasoundRecording.frame`; fast for the frames in their order, slow for an earlier one."""
        index = range(len(self))[index]
        note, missing, pixels = self.frame_notes[index], self.frame_notes[index].missing, None
        if not missing:
            try:
                pixels = self._pixels(index)
            except DamagedImageError as error:
                missing = str(error)
        return UltrasoundFrame(
            self._sequences[index],
            self._times_ns[index],
            pixels,
            source_ns=note.source_ns,
            missing=missing,
            pixel_mm=note.pixel_mm,
            poses=_poses(note),
            label=note.label,
        )

    def _pixels(self, index: int) -> GreyPixels:
        """Raises `DamagedImageError` if the image is not there or not whole."""
        if index <= self._position:
            self._images = (message for message in McapMessages(self._path) if message.topic == IMAGES)
        self._position, wanted_ns = index, self._recorded_ns[index]
        try:
            message = next((each for each in self._images if each.time_ns >= wanted_ns), None)
        except OSError as error:
            raise DamagedImageError(f"the recording can no longer be read: {error.strerror or error}") from error
        if message is None or message.time_ns != wanted_ns:
            self._position = len(self)  # it has been gone past
            raise DamagedImageError("its image is not in the recording")
        return grey_of(message.data)


class DamagedImageError(Exception):
    """Why an image of a recording cannot be given."""


def grey_of(message: bytes) -> GreyPixels:
    """The grey values ``(h, w)`` of Foxglove's RawImage (``mono8``).

    Raises:
        DamagedImageError: another encoding, or not what it says of itself.
    """
    fields = dict(_fields(memoryview(message)))
    width, height, step = (_number(fields.get(field)) for field in (_WIDTH, _HEIGHT, _STEP))
    data, encoding = fields.get(_DATA, b""), bytes(fields.get(_ENCODING, b""))
    if encoding != ENCODING.encode() or step != width or not width or len(data) != width * height:
        raise DamagedImageError(f"an image of {width} x {height} px with {len(data)} bytes of {encoding!r}")
    return np.frombuffer(data, np.uint8).reshape(height, width)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of each field of a protobuf message, of the two kinds that a RawImage has."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, length = key & 7, _FIXED32.size
        if kind == 2:
            length, at = _varint(message, at)
        elif kind != 5:
            raise DamagedImageError(f"a field of kind {kind} in an image")
        if length > len(message) - at:
            raise DamagedImageError("an image that was cut")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of protobuf's variable length, and where it ends."""
    value = 0
    for place in range(5):
        if at + place >= len(message):
            break
        value |= (message[at + place] & 0x7F) << 7 * place
        if message[at + place] < 0x80:
            return value, at + place + 1
    raise DamagedImageError("a length in an image that is none")


def _number(field: memoryview | None) -> int:
    return 0 if field is None or len(field) != _FIXED32.size else int(_FIXED32.unpack(field)[0])


def _note(path: Path, message: StoredMessage) -> FrameNote:
    try:
        return FrameNote.model_validate_json(message.data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        came = f"{path.name} with a frame whose {where or 'form'} is wrong: {fault['msg']}"
        raise DeviceError(came, f"frames as {SCHEMA_NAME}", "take another copy of it, or record again") from error


def _since_first(path: Path, notes: tuple[FrameNote, ...]) -> tuple[int, ...]:
    stamps_ns = [note.capture_ns for note in notes if note.capture_ns is not None]
    if len(stamps_ns) < len(notes) or any(after < before for before, after in pairwise(stamps_ns)):
        raise DeviceError(f"{path.name} with frames out of time", "frames whose times increase", "record again")
    return tuple(stamp_ns - stamps_ns[0] for stamp_ns in stamps_ns)


def _counted(sequences: list[int]) -> tuple[int, ...]:
    """From 0 and on, also where another process counted anew."""
    counted: list[int] = []
    base = -sequences[0]
    for before, sequence in zip([sequences[0] - 1, *sequences], sequences, strict=False):
        if sequence <= before:
            base = counted[-1] + 1 - sequence
        counted.append(base + sequence)
    return tuple(counted)


def _poses(note: FrameNote) -> dict[str, Transform | None]:
    poses: dict[str, Transform | None] = {}
    for name, numbers in note.poses.items():
        try:
            _, to, from_ = name.split("_", 2)
            poses[name] = None if numbers is None else Transform(np.array(numbers).reshape(4, 4), to, from_)
        except (SurgNavError, ValueError):
            poses[name] = None
    return poses
