"""The ultrasound images that a sender gives beside its poses, such as PLUS with a frame grabber or a scanner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geometry.clock import Clock
from navigation.devices.driver import Device, StampClock
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import Frame, unpack
from navigation.devices.openigtlink.layout import wire_name
from navigation.devices.openigtlink.link_socket import LinkSocket
from navigation.devices.openigtlink.messages import Image
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.devices.sensor_clock import SensorClock
from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame
from navigation.devices.ultrasound.threaded_source import ThreadedSource

_RECEIVE_S = 0.1


class LinkImages(ThreadedSource):
    """Satisfies `UltrasoundSource` over a connection of its own; when that ends, so do the images.

    The sender's clock is learned from all of its messages, the small ones too: an image alone would come out younger
    by the time that it takes on its way. The size of a pixel is not taken from the message: what PLUS writes there is
    the transform that it has of the image, before its calibration anything.

    Args:
        device: the device, whose frames get their time as the room file says.
        settings: where it is.
        image: the name of the images.
        clock: stamps arrivals.
    """

    def __init__(self, device: Device, settings: LinkSettings, image: str, clock: Clock) -> None:
        self._wire_name = wire_name(image)
        super().__init__(f"{self._wire_name} of {device.name}", settings.rate_hz)
        self._device, self._settings, self._clock = device, settings, clock

    def _receive(self) -> None:
        link = LinkSocket(self._settings)
        try:
            sensor_clock = SensorClock(self._device.stamps, link.round_trip_ns, self._clock.now_ns())
            while not self._stopping.is_set():
                self._take(link.frames(_RECEIVE_S), sensor_clock)
        finally:
            link.close()

    def _take(self, frames: Sequence[Frame], sensor_clock: SensorClock) -> None:
        now_ns, by_stamp = self._clock.now_ns(), self._device.stamps.clock is StampClock.SENSOR
        for frame in frames:
            stamp_ns = frame.stamp_ns if by_stamp else None
            if by_stamp and stamp_ns is None:
                continue  # such as an answer without a time
            capture_ns = sensor_clock.capture_ns(stamp_ns, now_ns, frame.device_name)
            if frame.type_name == "IMAGE" and frame.device_name == self._wire_name:
                pixels, missing = _pixels(frame)
                self._give(UltrasoundFrame(0, capture_ns, pixels, source_ns=stamp_ns, missing=missing))


def _pixels(frame: Frame) -> tuple[GreyPixels | None, str]:
    """The grey values ``(h, w)``, or why there are none."""
    try:
        content = unpack(frame).content
    except LinkError as error:
        return None, f"the device sent {error.came}"
    if not isinstance(content, Image) or content.voxels.shape[0] != 1 or content.voxels.dtype != np.uint8:
        shape = content.voxels.shape if isinstance(content, Image) else "none"
        return None, f"the device sent voxels {shape}, where one slice of 8 bits is an ultrasound image"
    slice_ = content.voxels[0]
    return np.ascontiguousarray(mean_of_colours(slice_[..., :3]) if slice_.ndim == 3 else slice_), ""
