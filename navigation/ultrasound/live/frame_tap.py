"""Gives the frames of the live ultrasound to the recorder."""

from __future__ import annotations

import pickle
from dataclasses import asdict

from geometry import Transform
from geometry.clock import Clock
from navigation.devices.ultrasound.mcap import FRAMES
from navigation.recorder.tap import MOST_IMAGES, ULTRASOUND, Kind, Tap, images_address
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.record import contour_values
from unity_bridge.wire.envelope import Validity


class UltrasoundTap:
    """The end of the ultrasound process; never waits, and counts what it could not give.

    Args:
        address: of the recorder; empty without one, and then nothing is given.
        clock: the service's.
    """

    def __init__(self, address: str, clock: Clock) -> None:
        self._tap = Tap(images_address(address), "ultrasound", clock, MOST_IMAGES) if address else None

    def give(self, placed: PlacedFrame) -> None:
        """Gives one frame with its contours and its place."""
        if self._tap is not None:
            self._tap.give(Kind.ULTRASOUND, FRAMES, packed_ultrasound(placed))

    def sent(self, message: bytes) -> None:
        """Gives what clients are given of the last frame, without its image."""
        if self._tap is not None:
            self._tap.give(Kind.WIRE, ULTRASOUND, message)

    def close(self) -> None:
        """May be called again."""
        if self._tap is not None:
            self._tap.close()


def packed_ultrasound(placed: PlacedFrame) -> bytes:
    """A frame as plain numbers, for the recorder of the same program: `FrameNote`'s values, shape and pixels."""
    result = placed.result
    note = {
        "sequence": result.sequence,
        "capture_ns": result.capture_ns,
        "source_ns": result.source_ns,
        "pixel_mm": result.pixel_mm,
        "missing": result.reason if result.pixels is None else "",
        "label": result.label,
        "poses": {name: _numbers(pose) for name, pose in result.poses.items()},
        "state": result.state,
        "reason": result.reason,
        "contours": [contour_values(contour) for contour in result.contours],
        "distances": [asdict(each) | {"validity": each.validity.value} for each in placed.distances],
        "place": {
            "validity": placed.validity.value,
            "reason": placed.reason,
            "shows_ns": placed.shows_ns,
            "T_probe_image_px": placed.T_probe_image_px.ravel().tolist(),
            "T_reference_probe": _numbers(placed.T_reference_probe),
            "T_ct_reference": _numbers(placed.T_ct_reference),
            "expected_p95_mm": placed.expected_p95_mm,
        },
    }
    place = (placed.to_frame, placed.T_placed_image_px) if placed.validity is Validity.VALID else ("", None)
    pixels = None if result.pixels is None else (result.pixels.shape, result.pixels.tobytes())
    return pickle.dumps((note, place, pixels), pickle.HIGHEST_PROTOCOL)


def _numbers(pose: Transform | None) -> list[float] | None:
    return None if pose is None else pose.matrix.ravel().tolist()
