"""The frames of one device in a recording, as its driver gave them."""

from __future__ import annotations

from collections.abc import Iterator

from navigation.devices.replay.mcap_file import FrameMessage, observation_of
from navigation.devices.tracker import TrackerFrame
from navigation.errors import RecordingError
from navigation.recorder.contents import RecordingFile
from navigation.recorder.tap import device_topic


def device_of(recording: RecordingFile, name: str | None) -> str:
    """The device of that name; the one that saw the reference where none is named.

    Raises:
        RecordingError: there is no such device.
    """
    names = [device["name"] for device in recording.settings["devices"]["devices"]]
    if name is None:
        return str(names[0])
    if name not in names:
        raise RecordingError(f"the device {name!r}", f"one of {', '.join(names)}", "name a device of the recording")
    return name


def device_frames(recording: RecordingFile, device: str) -> Iterator[TrackerFrame]:
    """Each frame once, in order, with the room's names of the tools."""
    devices = recording.settings["devices"]["devices"]
    tools = next(each["tools"] for each in devices if each["name"] == device)
    names = {tool["id"]: tool["name"] for tool in tools}
    topic, last_ns = device_topic(device), -1
    for message in recording.messages():
        if message.topic != topic:
            continue
        frame = FrameMessage.model_validate_json(message.data)
        if frame.capture_ns > last_ns:  # the device may give one again
            last_ns = frame.capture_ns
            seen = {names.get(id_, id_): observation_of(tool, names.get(id_, id_)) for id_, tool in frame.tools.items()}
            yield TrackerFrame(frame.sequence, frame.capture_ns, seen)
