"""Recorded ultrasound with the poses of the probe, for the calibrations of a probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geometry.frames import TRACKER
from navigation.acquisition.probe.frames import ProbeMarkers
from navigation.devices.ultrasound.opening import open_recording
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import DeviceError


class ProbeRecording:
    """A sequence of PLUS with ultrasound images and the poses of a probe.

    Args:
        path: the sequence.
        markers: whose poses are used, by their names there, as in ``ProbeToTracker``.

    Raises:
        DeviceError: no such recording, damaged, or without these transforms.
    """

    def __init__(self, path: Path, markers: ProbeMarkers) -> None:
        recording = open_recording(path)
        if not isinstance(recording, PlusSequence):
            raise DeviceError(
                f"{path.name}, which holds no poses beside its images",
                "a sequence of PLUS with images and transforms (.igs.mha)",
                "record the probe with PLUS or 3D Slicer, tracked",
            )
        self._sequence = recording
        for tool in markers.tools:
            self._check_poses(path, tool, markers.fixed)

    def __len__(self) -> int:
        return len(self._sequence)

    def frames(self) -> Iterator[UltrasoundFrame]:
        """All frames in their order, those without an image too."""
        for index in range(len(self._sequence)):
            yield self._sequence.frame(index)

    def _check_poses(self, path: Path, tool: str, fixed: str) -> None:
        ways = [{f"T_{fixed}_{tool}"}, {f"T_{TRACKER}_{tool}", f"T_{TRACKER}_{fixed}"}]
        poses = [self._sequence.poses(index) for index in range(len(self._sequence))]
        if not any(all(each.get(name) for name in way) for each in poses for way in ways):
            there = sorted({name for each in poses for name in each})
            raise DeviceError(
                f"{path.name} without a pose of {tool!r} relative to {fixed!r}; it has {', '.join(there) or 'none'}",
                f"T_{fixed}_{tool}, or T_{TRACKER}_{tool} and T_{TRACKER}_{fixed}",
                "name the tool and what it is relative to as the recording does",
            )
