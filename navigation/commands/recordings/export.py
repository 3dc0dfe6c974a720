"""``surgnav export``: the ending of the new file says what is made."""

from __future__ import annotations

from case.atomic import atomic_write
from navigation.commands.recordings.command import ExportRequest
from navigation.devices.replay.table import write_table
from navigation.devices.ultrasound.plus.write import write_transforms
from navigation.errors import RecordingError
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
        device = device_of(recording, request.device)
        write = write_table if ending == ".csv" else write_transforms
        said = f"{write(target, device_frames(recording, device))} frames of {device}"
    closed = "" if recording.is_closed else "; the recording was never closed: its last moments are missing"
    return said + closed + "".join(f"; damaged: {fault}" for fault in recording.faults)
