"""The driver ``replay``: recorded tracking, played as if its device were running."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from geometry.errors import SurgNavError
from navigation.clock import PacedClock
from navigation.devices.driver import CasePatient, Device, Driver, RoomFile, Settings
from navigation.devices.replay.mcap_file import read_mcap
from navigation.devices.replay.player import ReplayTracker
from navigation.devices.replay.plus import METAFILES, NRRD, read_plus
from navigation.devices.replay.recording import Recording
from navigation.devices.replay.table import read_table
from navigation.devices.schedule import Schedule
from navigation.devices.tracker import Tracker
from navigation.devices.ultrasound.playback import Playback
from navigation.devices.ultrasound.plus.sequence import PlusSequence, has_images
from navigation.devices.ultrasound.source import UltrasoundSource
from navigation.errors import DeviceError


class ReplaySettings(Settings):
    """Of a device with ``driver = "replay"``.

    Attributes:
        file: the recording: a sequence of PLUS (.mha, .mhd, .nrrd), a table (.csv), or one of our own (.mcap).
        topic: which device of an MCAP file; not needed if it has one only.
        speed: 2.0 plays twice as fast: clients then see everything happen in half the time.
        loop: begins again after the end.
    """

    file: RoomFile
    topic: str | None = None
    speed: float = Field(1.0, gt=0.0, le=100.0)
    loop: bool = False


class BegunReplaySettings(ReplaySettings):
    """Of a recording that several processes play, each from what is due when it begins.

    Attributes:
        begun_ns: when its first frame was due.
    """

    begun_ns: int


def _about_patient(device: Device, patient: CasePatient, start_ns: int) -> Device:
    """Poses and images are of one time, although two processes play them, and one may be started again."""
    own = {**dict(_settings(device)), "begun_ns": start_ns}
    return replace(device, settings=BegunReplaySettings.model_construct(**own))


def _settings(device: Device) -> ReplaySettings:
    if not isinstance(device.settings, ReplaySettings):
        raise DeviceError(
            f"settings of type {type(device.settings).__name__} for a recording", "ReplaySettings", "pass these"
        )
    return device.settings


def read_recording(device: Device) -> Recording:
    """Reads the recording of a device.

    Raises:
        DeviceError: it cannot be read, or lacks one of the tools.
        MissingExtraError: its format needs packages that are not installed.
    """
    path, topic = _settings(device).file, _settings(device).topic
    suffix = path.suffix.lower()
    if topic is not None and suffix != ".mcap":
        raise DeviceError(f"topic = {topic!r} with {path.name}", "a topic of an MCAP file", "remove the line topic")
    if suffix in (*METAFILES, *NRRD):
        return read_plus(path, device.tools)
    if suffix == ".csv":
        return read_table(path, device.tools)
    if suffix == ".mcap":
        return read_mcap(path, device.tools, topic)
    endings = (*METAFILES, *NRRD, ".csv", ".mcap")
    raise DeviceError(f"{path.name}, whose ending says no format", f"one of {', '.join(endings)}", "name a recording")


def _open(device: Device, clock: PacedClock) -> Tracker:
    settings = _settings(device)
    recording, begun_ns = read_recording(device), _begun_ns(settings)
    return ReplayTracker(recording, device.tool_names, clock, settings.speed, settings.loop, begun_ns)


def _images(device: Device, clock: PacedClock) -> UltrasoundSource | None:
    """The images of a sequence of PLUS, played beside its poses; None for recordings that hold none."""
    settings = _settings(device)
    if settings.file.suffix.lower() not in METAFILES or not has_images(settings.file):
        return None
    return Playback(PlusSequence(settings.file), clock, settings.speed, settings.loop, _begun_ns(settings))


def _begun_ns(settings: ReplaySettings) -> int | None:
    return settings.begun_ns if isinstance(settings, BegunReplaySettings) else None


def _check(device: Device) -> list[str]:
    try:
        recording = read_recording(device)
        Schedule(recording.name, [frame.time_ns for frame in recording.frames])
    except SurgNavError as error:
        return [f"[devices.{device.name}] got {error.came}; expected {error.allowed}. Fix: {error.action}"]
    return []


DRIVER = Driver(
    summary="recorded tracking, played again",
    settings=ReplaySettings,
    open=_open,
    clocks=(),
    check=_check,
    images=_images,
    about_patient=_about_patient,
)
