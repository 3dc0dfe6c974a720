"""The wires of a phantom in all images of a recording, as the samples of a calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.wires.in_image import WireSettings, WiresSeen, find_wires
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from geometry import Transform
from navigation.acquisition.probe_images import ProbeImage, ProbeRecording


@dataclass(frozen=True, eq=False)
class WireSweep:
    """What was seen in a recording.

    Attributes:
        samples: of the images with wires and a pose, in the order of time.
        size_px: width and height of the images.
        n_images: all images of the recording.
        n_turned: images left out because their pattern was seen from the other side than in most.
    """

    samples: tuple[ProbeSample, ...]
    size_px: tuple[int, int]
    n_images: int
    n_turned: int


def wires_of(recording: ProbeRecording, phantom: NWirePhantom, spacing_mm: float) -> WireSweep:
    """Finds the wires in every image that has a pose of the probe.

    Args:
        recording: images and poses.
        phantom: the wires.
        spacing_mm: size of a pixel, roughly: within a quarter.
    """
    settings = WireSettings(spacing_mm=spacing_mm)
    seen: list[tuple[ProbeImage, Transform, WiresSeen]] = []
    size_px, n_images = (0, 0), 0
    for image in recording.images():
        size_px, n_images = (image.pixels.shape[1], image.pixels.shape[0]), n_images + 1
        wires = find_wires(image.pixels, phantom, settings) if image.T_fixed_probe is not None else None
        if wires is not None and image.T_fixed_probe is not None:
            seen.append((replace(image, pixels=image.pixels[:0]), image.T_fixed_probe, wires))
    mirrored = 2 * sum(wires.mirrored for _, _, wires in seen) > len(seen)
    samples = tuple(
        ProbeSample(image.index, image.time_s, wires.points_px, pose, wires.names)
        for image, pose, wires in seen
        if wires.mirrored == mirrored
    )
    return WireSweep(samples, size_px, n_images, len(seen) - len(samples))


def with_lag(samples: tuple[ProbeSample, ...], motion: ProbeMotion, lag_s: float) -> tuple[ProbeSample, ...]:
    """The samples with the poses of their time plus the lag; those whose pose is not known are left out."""
    poses, known = motion.at(np.array([sample.time_s for sample in samples]) + lag_s)
    frames = [(sample.T_fixed_probe.to_frame, sample.T_fixed_probe.from_frame) for sample in samples]
    return tuple(
        replace(sample, T_fixed_probe=Transform(pose, *ends))
        for sample, pose, good, ends in zip(samples, poses, known, frames, strict=True)
        if good
    )
