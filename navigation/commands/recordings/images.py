"""The tools of a device at the times of the ultrasound images of the same recording."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.devices.ultrasound.mcap import McapImages
from navigation.live.timeline.between import between
from navigation.live.timeline.timeline import LONGEST_GAP_NS
from navigation.recorder.contents import RecordingFile
from navigation.recorder.export.frames import device_frames

Seen = tuple[int, ToolObservation]


def frames_at_images(recording: RecordingFile, device: str, images: McapImages) -> list[TrackerFrame]:
    """One frame for each image, with its number and its time of capture: the calibrated lag is not taken off.

    A tool lies between the two observations around that time; it is not visible where one of them is not, or where
    they are further apart than a live pose is filled in over.
    """
    tools: dict[str, list[Seen]] = {}
    for frame in device_frames(recording, device):
        for name, seen in frame.tools.items():
            tools.setdefault(name, []).append((frame.capture_ns if seen.capture_ns is None else seen.capture_ns, seen))
    for observed in tools.values():
        observed.sort(key=lambda each: each[0])
    made = []
    for sequence, note in zip(images.sequences, images.frame_notes, strict=True):
        at_ns = note.capture_ns or 0
        made.append(TrackerFrame(sequence, at_ns, {name: _seen_at(seen, at_ns) for name, seen in tools.items()}))
    return made


def _seen_at(observed: Sequence[Seen], at_ns: int) -> ToolObservation:
    after = bisect_left(observed, at_ns, key=lambda each: each[0])
    if after < len(observed) and observed[after][0] == at_ns:
        return observed[after][1]
    if not 0 < after < len(observed):
        return _hidden("the image is outside the recorded poses")
    (first_ns, first), (second_ns, second) = observed[after - 1], observed[after]
    for each in (first, second):
        if each.T_tracker_tool is None:
            return each
    if first.T_tracker_tool is None or second.T_tracker_tool is None or second_ns - first_ns > LONGEST_GAP_NS:
        return _hidden("no pose came for too long around the image")
    pose = between(first.T_tracker_tool, second.T_tracker_tool, (at_ns - first_ns) / (second_ns - first_ns))
    return _hidden("it turned too far around the image") if pose is None else ToolObservation(Visibility.VISIBLE, pose)


def _hidden(why: str) -> ToolObservation:
    return ToolObservation(Visibility.NO_DATA, reason=why)
