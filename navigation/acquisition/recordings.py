"""Recorded poses as streams for a calibration: sequences of PLUS, MCAP, tables, and folders of matrices as text."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np

from calibration.errors import PoseStreamError
from calibration.result import InputFile
from calibration.streams import PoseStream
from case.atomic import file_sha256
from geometry import Transform
from geometry.frames import TRACKER
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.driver import Device, Role, Stamps, Tool
from navigation.devices.replay import ReplaySettings, read_recording
from navigation.devices.replay.recording import RecordedFrame, Recording

MM_PER: dict[str, float] = {"mm": 1.0, "m": 1000.0}
# Times in the names of files: nanoseconds since 1970 have 19 digits, and there is no other unit with so many.
_NANOSECONDS = re.compile(r"\d{19}")
_NUMBERED = re.compile(r"(\d+)(?!.*\d)")
# Printed digits put a rotation off orthonormal by this much at most; a scale or a shear by far more.
_MOST_OFF_ORTHONORMAL = 1e-3
# Single frames come late over a network. Where this share is out of order, the recording is.
_MOST_LATE = 0.1


def read_stream(
    path: Path,
    tool: str,
    id_in_file: str | None = None,
    *,
    topic: str | None = None,
    unit: str = "mm",
    rate_hz: float | None = None,
    to_frame: str = TRACKER,
    relative_to: str | None = None,
) -> PoseStream:
    """Reads the poses of one tool.

    Args:
        path: a sequence of PLUS (.mha, .mhd, .nrrd), a recording (.mcap), a table (.csv), or a folder of text files
            with 4x4 matrices.
        tool: the name of the tool here, which becomes the frame of its marker.
        id_in_file: what the file calls it, such as ``StylusToTracker``; `tool` by default.
        topic: which device of an MCAP file, where there are several.
        unit: of the translations in text files, which do not say it: "mm" or "m".
        rate_hz: of text files whose names are no times: frames a second.
        to_frame: the frame that the poses of text files lead to.
        relative_to: another tool of the recording, by its name there, that the poses are given relative to.

    Raises:
        DeviceError: no such recording, damaged, or without the tool.
        PoseStreamError: as `PoseStream`, or a recording whose times run backwards.
    """
    if path.is_dir() and relative_to is None:
        return _read_folder(path, to_frame, tool, unit, rate_hz)
    if not path.is_file():
        raise PoseStreamError(
            f"{path}, which is {'a folder with one tool' if path.is_dir() else 'not there'}",
            "a recording: a sequence of PLUS, MCAP, CSV, or a folder of text files with 4x4 matrices of one tool",
            "correct the path; text files must hold poses that are relative to the other tool already",
        )
    tools = [Tool(name=tool, role=Role.INSTRUMENT, id=id_in_file or tool, settings=None)]
    if relative_to is not None:
        tools.append(Tool(name=relative_to, role=Role.REFERENCE, id=relative_to, settings=None))
    recording = _read_file(path, tools, topic)
    seen = [(frame.time_ns, _pose(frame, tool, relative_to)) for frame in recording.frames]
    poses = [(time_ns / NS_PER_S, pose) for time_ns, pose in seen if pose is not None]
    times_s, transforms = [time_s for time_s, _ in poses], [pose for _, pose in poses]
    return PoseStream.of(times_s, transforms, len(seen) - len(poses), path.name)


def _read_file(path: Path, tools: list[Tool], topic: str | None) -> Recording:
    device = Device(
        name="recording",
        driver="replay",
        settings=ReplaySettings.model_construct(file=path, topic=topic),
        stamps=Stamps(None),
        tools=tuple(tools),
    )
    recording = read_recording(device)
    n_all = len(recording.frames) + recording.n_late
    if recording.n_late > _MOST_LATE * n_all:
        raise PoseStreamError(
            f"{path.name} with {recording.n_late} of {n_all} frames older than one before them: times run backwards",
            "frames in the order of time",
            "record or export it again, with the times of the device",
        )
    return recording


def _pose(frame: RecordedFrame, tool: str, relative_to: str | None) -> Transform | None:
    pose = frame.tools[tool].T_tracker_tool
    if relative_to is None or pose is None:
        return pose
    other = frame.tools[relative_to].T_tracker_tool
    return None if other is None else other.inverse() @ pose


def input_of(path: Path) -> InputFile:
    """What a result says of a file, or of a folder of text files: its name and the SHA-256 of its bytes."""
    if not path.is_dir():
        return InputFile(name=path.name, sha256=file_sha256(path))
    digest = hashlib.sha256()
    for file in _text_files(path):
        digest.update(f"{file.name}\0{file_sha256(file)}\n".encode())
    return InputFile(name=path.name, sha256=digest.hexdigest())


def input_of_stream(stream: PoseStream) -> InputFile:
    """What a result says of poses that came from a device."""
    digest = hashlib.sha256(stream.time_s.tobytes() + stream.poses.tobytes())
    return InputFile(name=stream.source, sha256=digest.hexdigest())


# ------------------------------------------------------------------------------------------------------- text files
def _text_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt" and path.is_file())


def _read_folder(folder: Path, to_frame: str, tool: str, unit: str, rate_hz: float | None) -> PoseStream:
    if unit not in MM_PER:
        raise PoseStreamError(f"the unit {unit!r}", f"one of {', '.join(MM_PER)}", "say the unit of the text files")
    files = _text_files(folder)
    if not files:
        raise PoseStreamError(
            f"{folder.name} without text files",
            "a folder of .txt files with a 4x4 matrix each",
            "name the folder that holds them; unpack an archive first",
        )
    files, times_s = _in_time(folder, files, rate_hz)
    poses = np.stack([_read_matrix(file) for file in files])
    poses[:, :3, :3] = _orthonormal(poses[:, :3, :3])
    poses[:, :3, 3] *= MM_PER[unit]
    return PoseStream(to_frame, tool, times_s, poses, 0, folder.name)


def _in_time(folder: Path, files: list[Path], rate_hz: float | None) -> tuple[list[Path], Floats]:
    """The files in the order of time, and their times: from names in nanoseconds, or by number at a stated rate."""
    if rate_hz is None and all(_NANOSECONDS.fullmatch(file.stem) for file in files):
        files = sorted(files, key=lambda file: int(file.stem))
        first_ns = int(files[0].stem)
        return files, np.array([(int(file.stem) - first_ns) / NS_PER_S for file in files])
    numbered = {int(match[1]): file for file in files if (match := _NUMBERED.search(file.stem))}
    if rate_hz is None or rate_hz <= 0.0 or len(numbered) < len(files):
        raise PoseStreamError(
            f"{folder.name} with files such as {files[0].name}, whose names are no times",
            "names in nanoseconds since 1970 (19 digits), or another number in each name, with a rate above zero",
            "say at how many frames a second they were recorded: --rate-hz 20",
        )
    return [numbered[number] for number in sorted(numbered)], np.arange(len(files)) / rate_hz


def _read_matrix(file: Path) -> Floats:
    try:
        numbers = np.array(file.read_text("utf-8").replace(",", " ").split(), dtype=np.float64)
    except (UnicodeDecodeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (16,):
        raise PoseStreamError(
            f"{file.parent.name}/{file.name}, which does not hold 16 numbers",
            "a 4x4 matrix as text, row by row",
            "remove the file if it was cut short or is something else",
        )
    return numbers.reshape(4, 4)


def _orthonormal(rotations: Floats) -> Floats:
    """Rotations without the rounding of their text; whatever is farther off stays as it is, for `PoseStream`."""
    finite = np.isfinite(rotations).all(axis=(1, 2))
    off = np.full(len(rotations), np.inf)
    off[finite] = np.abs(rotations[finite] @ rotations[finite].transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    rounded = off <= _MOST_OFF_ORTHONORMAL
    u, _, vt = np.linalg.svd(rotations[rounded])
    nearest = rotations.copy()
    nearest[rounded] = u @ vt
    return nearest
