"""The frames of a sweep that is made now, at the devices of a room, as those of a recorded one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.kept_clock import KeptClock
from navigation.devices.ultrasound.source import GreyPixels
from navigation.errors import DeviceError
from navigation.room.opening import begun
from navigation.room.room import Room
from navigation.room.room_images import device_with_images, open_source
from navigation.ultrasound.freehand.sweep import RecordedSweep
from navigation.ultrasound.live.kept_source import KeptSource
from navigation.ultrasound.pipeline import FramePipeline
from navigation.ultrasound.room_poses import RoomPoses
from reconstruction.ultrasound.contours import Contour
from reconstruction.ultrasound.frame_state import FrameJudge
from unity_bridge.wire.envelope import Validity

_PATIENCE_NS = NS_PER_S // 20
# Their look for ghosts wants all of them: two minutes at 30 a second, a gigabyte of large ones.
MOST_FRAMES = 4_000


class _NothingWanted:
    """Satisfies `ContourFinder`: frames are only judged."""

    name = "none"

    def find(self, pixels: GreyPixels, time_ns: int | None) -> tuple[Contour, ...]:
        return ()

    def forget(self) -> None:
        """Nothing is remembered."""


def sweep_now(room: Room, should_stop: Callable[[], bool], show: Callable[[str], object]) -> RecordedSweep:
    """Collects the frames that may be used and have a valid place, until `should_stop` or `MOST_FRAMES` of them.

    Args:
        room: with a probe that is calibrated, and one device that gives images.
        should_stop: asked between two frames.
        show: told how far it is.

    Raises:
        RoomError: no images, no probe, no calibrations in force.
        DeviceError: no frame could be placed.
    """
    clock = MonotonicClock()
    room = begun(room, clock.now_ns())
    device = device_with_images(room.name, room.devices, clock).keeping_clock(KeptClock())
    source, judged = KeptSource(lambda: open_source(device, clock), clock), FrameJudge(None)
    pipeline = FramePipeline(_NothingWanted(), judged, clock)
    pixels: list[GreyPixels] = []
    maps: list[Floats] = []
    times_ns: list[int] = []
    left_out: Counter[str] = Counter()
    with RoomPoses(room, clock) as poses:
        try:
            while len(pixels) < MOST_FRAMES and not should_stop():
                frame = source.next_frame(_PATIENCE_NS)
                show(f"{len(pixels)} frames{f'; {source.why}' if source.why else ''}")
                if frame is None:
                    continue
                placed = poses.placed(pipeline.process(frame))
                where = placed.T_reference_image_px
                if frame.pixels is None or where is None or placed.validity is not Validity.VALID:
                    left_out[placed.reason] += 1
                    continue
                pixels.append(frame.pixels)
                maps.append(where)
                times_ns.append(frame.capture_ns or 0)
        finally:
            source.close()
    if not pixels:
        why = "; ".join(f"{count} frames: {reason}" for reason, count in left_out.items()) or source.why or "no frames"
        raise DeviceError(
            f"live images of {device.name}, of which none could be placed ({why})",
            "images, and poses of the probe",
            "see what the devices say: surgnav room watch",
        )
    return RecordedSweep(REFERENCE, tuple(pixels), np.array(maps), tuple(times_ns), dict(left_out))
