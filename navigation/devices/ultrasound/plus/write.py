"""Writes sequences of PLUS: tracked transforms alone, as its own ``TrackerOnly`` recordings, or with images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from navigation.clock import NS_PER_S
from navigation.devices.tracker import ToolObservation, TrackerFrame
from navigation.devices.ultrasound.source import UltrasoundFrame, UltrasoundRecording
from navigation.errors import DeviceError

_FIELDS = (
    "ObjectType = Image",
    "NDims = 3",
    "BinaryData = True",
    "BinaryDataByteOrderMSB = False",
    "CompressedData = False",
    "DimSize = {width} {height} {count}",
    "Kinds = domain domain list",
    "ElementNumberOfChannels = 1",
    "ElementSpacing = {spacing} 1",
    "ElementType = {type}",
    "Offset = 0 0 0",
    "TransformMatrix = 1 0 0 0 1 0 0 0 1",
    "UltrasoundImageOrientation = {orientation}",
    "UltrasoundImageType = {kind}",
)
_NRRD_FIELDS = (
    "NRRD0004",
    "type: uchar",
    "dimension: 3",
    "space dimension: 3",
    "sizes: 0 0 {count}",
    "kinds: domain domain list",
    "encoding: raw",
    "UltrasoundImageOrientation:=XX",
    "UltrasoundImageType:=XX",
)
_NO_IMAGES = {"width": 0, "height": 0, "spacing": "1 1", "type": "MET_OTHER", "orientation": "XX", "kind": "XX"}
_NO_POSE = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"  # what PLUS writes beside a status that is not OK


def write_transforms(path: Path, frames: Iterable[TrackerFrame]) -> int:
    """Writes the tools of each frame as ``<Tool>ToTrackerTransform`` with status, number and time; returns how many.

    Times are in s, to the nanosecond; numbers have all digits, so that the same poses are read again.

    Args:
        path: ends in ``.mha``, or in ``.nrrd`` for the same as key/value pairs of NRRD.
    """
    lines: list[tuple[str, str]] = []
    count = 0
    for frame in frames:
        lines += _lines(count, frame, "INVALID")
        count += 1
    is_nrrd = path.suffix == ".nrrd"
    values = _NO_IMAGES | {"count": count}
    fields = [field.format(**values) for field in (_NRRD_FIELDS if is_nrrd else _FIELDS)]
    told = (f"{name}:={value}" if is_nrrd else f"{name} = {value}" for name, value in lines)
    path.write_text("\n".join([*fields, *told, "" if is_nrrd else "ElementDataFile = LOCAL", ""]), "ascii")
    return count


def write_images(path: Path, frames: Sequence[TrackerFrame], images: UltrasoundRecording) -> int:
    """Writes images with the tools at their times; returns how many.

    An image that is missing, or of another size than the first, is black and has the status ``INVALID``.

    Args:
        path: ends in ``.mha``.
        frames: one for each image, with its number and time.
        images: in the order of `frames`.

    Raises:
        DeviceError: no image at all.
    """
    sizes = [(image.pixels.shape, image.pixel_mm) for image in _each(images) if image.pixels is not None]
    if not sizes:
        raise DeviceError(f"{images.name} without an image", "one at least", "leave the images away")
    (height, width), pixel_mm = sizes[0]
    values = {
        "width": width,
        "height": height,
        "count": len(frames),
        "spacing": "1 1" if pixel_mm is None else f"{pixel_mm[1]!r} {pixel_mm[0]!r}",
        "type": "MET_UCHAR",
        "orientation": "MF",  # row 0 at the transducer: as every source of ours gives them
        "kind": "BRIGHTNESS",
    }
    told = [field.format(**values) for field in _FIELDS]
    for count, (frame, image) in enumerate(zip(frames, _each(images), strict=True)):
        status = "OK" if _is_of(image, (height, width)) else "INVALID"
        told += [f"{name} = {value}" for name, value in _lines(count, frame, status)]
    with path.open("wb") as stream:
        stream.write("\n".join([*told, "ElementDataFile = LOCAL", ""]).encode("ascii"))
        for image in _each(images):
            pixels = image.pixels if _is_of(image, (height, width)) else None
            stream.write(bytes(width * height) if pixels is None else pixels.tobytes())
    return len(frames)


def _each(images: UltrasoundRecording) -> Iterator[UltrasoundFrame]:
    return (images.frame(index) for index in range(len(images)))


def _is_of(image: UltrasoundFrame, shape: tuple[int, int]) -> bool:
    return image.pixels is not None and image.pixels.shape == shape


def _lines(count: int, frame: TrackerFrame, image_status: str) -> list[tuple[str, str]]:
    """The fields of one frame."""
    start = f"Seq_Frame{count:04}_"
    lines = []
    for tool, seen in frame.tools.items():
        name = f"{start}{''.join(word.capitalize() for word in tool.split('_'))}ToTrackerTransform"
        lines += [(name, _numbers(seen)), (f"{name}Status", "OK" if seen.T_tracker_tool else "INVALID")]
    seconds, rest_ns = divmod(frame.capture_ns, NS_PER_S)
    return [
        *lines,
        (f"{start}FrameNumber", str(frame.sequence)),
        (f"{start}Timestamp", f"{seconds}.{rest_ns:09}"),
        (f"{start}ImageStatus", image_status),
    ]


def _numbers(seen: ToolObservation) -> str:
    if seen.T_tracker_tool is None:
        return _NO_POSE
    return " ".join(map(repr, seen.T_tracker_tool.matrix.ravel().tolist()))
