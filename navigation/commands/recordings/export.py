"""``surgnav export``: the ending of the new file says what is made."""

from __future__ import annotations

from contextlib import suppress

from case.atomic import atomic_write
from navigation.commands.recordings.command import ExportRequest
from navigation.commands.recordings.images import frames_at_images
from navigation.devices.replay.table import write_table
from navigation.devices.ultrasound.mcap import McapImages
from navigation.devices.ultrasound.plus.write import write_images, write_transforms
from navigation.errors import DeviceError, RecordingError
from navigation.recorder.contents import RecordingFile
from navigation.recorder.export.frames import device_frames, device_of
from navigation.recorder.export.page import summary_page
from navigation.recorder.export.slicer import write_scene
from navigation.recorder.export.summary import summarise

ENDINGS = (".igs.mha", ".igs.nrrd", ".csv", ".mrml", ".html")


def export(request: ExportRequest) -> str:
    """Writes the file; returns what is in it, and what is wrong with the recording.

    Raises:
        RecordingError: no recording of a service, an ending that says no format, or a device that is not in it.
        OSError: a file cannot be written.
    """
    target = request.target
    ending = next((each for each in ENDINGS if target.name.endswith(each)), None)
    if ending is None:
        raise RecordingError(f"{target.name}, whose ending says no format", f"one of {', '.join(ENDINGS)}", "rename it")
    recording = RecordingFile(request.recording)
    target.parent.mkdir(parents=True, exist_ok=True)
    if ending == ".mrml":
        said = write_scene(target, recording)
    elif ending == ".html":
        summary = summarise(recording)
        atomic_write(target, summary_page(request.recording.name, summary).encode())
        said = f"{summary.duration_s:.0f} s, {len(summary.tools)} tools, {len(summary.events)} events"
    else:
        said = _frames(request, recording, ending)
    closed = "" if recording.is_closed else "; the recording was never closed: its last moments are missing"
    return said + closed + "".join(f"; damaged: {fault}" for fault in recording.faults)


def _frames(request: ExportRequest, recording: RecordingFile, ending: str) -> str:
    """The frames of one device; in ``.igs.mha`` those at the times of the ultrasound images, where there are some."""
    device = device_of(recording, request.device)
    images = None
    if ending == ".igs.mha":
        with suppress(DeviceError):
            images = McapImages(request.recording)
    if images is not None:
        frames = frames_at_images(recording, device, images)
        return f"{write_images(request.target, frames, images)} images with the poses of {device} at their times"
    write = write_table if ending == ".csv" else write_transforms
    return f"{write(request.target, device_frames(recording, device))} frames of {device}"
