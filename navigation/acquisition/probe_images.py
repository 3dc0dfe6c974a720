"""Recorded ultrasound with the probe's pose, for the calibrations of a probe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.ultrasound_probe.motion import ProbeMotion
from geometry import Transform
from geometry.frames import TRACKER
from navigation.clock import NS_PER_S
from navigation.devices.ultrasound.opening import open_recording
from navigation.devices.ultrasound.plus.poses import Poses
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.devices.ultrasound.source import GreyPixels
from navigation.errors import DeviceError


@dataclass(frozen=True, eq=False)
class ProbeImage:
    """One image of a recording with the pose of the probe at its time.

    Attributes:
        index: its place in the recording, from 0.
        time_s: since the first image.
        pixels: grey values ``(h, w)``.
        T_fixed_probe: None where the probe, or what it is relative to, was not seen.
    """

    index: int
    time_s: float
    pixels: GreyPixels
    T_fixed_probe: Transform | None


class ProbeRecording:
    """A sequence of PLUS with ultrasound images and the pose of a probe.

    Args:
        path: the sequence.
        probe: the probe's name, as in ``ProbeToTracker``.
        fixed: what the poses are relative to: the tracker, or a tool that stands still, such as ``reference``.

    Raises:
        DeviceError: no such recording, damaged, or without these transforms.
    """

    def __init__(self, path: Path, probe: str, fixed: str = TRACKER) -> None:
        recording = open_recording(path)
        if not isinstance(recording, PlusSequence):
            raise DeviceError(
                f"{path.name}, which holds no poses beside its images",
                "a sequence of PLUS with images and transforms (.igs.mha)",
                "record the probe with PLUS or 3D Slicer, tracked",
            )
        self._sequence, self._probe, self._fixed = recording, probe, fixed
        self.notes = recording.notes
        self._poses = [_pose(recording.poses(k), probe, fixed) for k in range(len(recording))]
        if all(pose is None for pose in self._poses):
            there = sorted({name for k in range(len(recording)) for name in recording.poses(k)})
            raise DeviceError(
                f"{path.name} without a pose of {probe!r} relative to {fixed!r}; it has {', '.join(there) or 'none'}",
                f"T_{fixed}_{probe}, or both tools seen by the tracker",
                "name the probe and what it is relative to as the recording does",
            )

    def __len__(self) -> int:
        return len(self._sequence)

    def images(self) -> Iterator[ProbeImage]:
        """The images in the order of time; those that are missing, late or repeat the time of another are left out."""
        last_ns = -1
        for k, time_ns in enumerate(self._sequence.times_ns):
            pixels = self._sequence.frame(k).pixels if time_ns > last_ns else None
            if pixels is not None:
                last_ns = time_ns
                yield ProbeImage(k, time_ns / NS_PER_S, pixels, self._poses[k])

    def motion(self) -> ProbeMotion:
        """All poses of the probe, with the times of the images."""
        times_ns = np.array(self._sequence.times_ns)
        later = np.concatenate([[True], np.diff(times_ns) > 0])
        seen = [(times_ns[k] / NS_PER_S, pose.matrix) for k, pose in enumerate(self._poses) if pose and later[k]]
        return ProbeMotion(np.array([time_s for time_s, _ in seen]), np.array([matrix for _, matrix in seen]))


def _pose(poses: Poses, probe: str, fixed: str) -> Transform | None:
    straight = poses.get(f"T_{fixed}_{probe}")
    if straight is not None:
        return straight
    T_tracker_fixed, T_tracker_probe = poses.get(f"T_{TRACKER}_{fixed}"), poses.get(f"T_{TRACKER}_{probe}")
    if T_tracker_fixed is None or T_tracker_probe is None:
        return None
    return T_tracker_fixed.inverse() @ T_tracker_probe
