"""The golden messages of the ultrasound socket."""

from __future__ import annotations

import numpy as np

from unity_bridge.ultrasound.placed import PlacedImage, contour, placing_fields
from unity_bridge.wire import messages as m
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.schema import Declared

# A quarter turn about z: exact in binary, so that both languages have the same numbers to the last bit.
PLACE = np.array([[0.0, -0.125, 0.0, 16.0], [0.25, 0.0, 0.0, -32.0], [0.0, 0.0, 0.03125, 64.0], [0.0, 0.0, 0.0, 1.0]])


def ultrasound_messages() -> dict[str, Declared]:
    common = {"shows_ns": 1_700_000_000_123_456_789, "source": "the simulated probe", "width_px": 400, "height_px": 320}
    return {
        "ultrasound_request": m.UltrasoundRequest(token=bytes(range(32)), newer_than=41, wants_image=True),
        "ultrasound_frame": m.UltrasoundFrame(
            number=42,
            state="usable",
            contours=(
                contour("vessel", np.array([[10.5, 20.25], [30.0, 40.0], [12.0, 44.5]]), closed=True, confidence=0.875),
                contour("bone", np.array([[1.0, 2.0], [3.0, 4.0]])),
            ),
            image=b"\xff\xd8 not a real JPEG \xff\xd9",
            **placing_fields(PlacedImage("ct", PLACE, 1.25)),
            **common,
        ),
        "ultrasound_frame_measured": m.UltrasoundFrame(
            number=44,
            state="usable",
            contours=(contour("vessel", np.array([[10.5, 20.25], [30.0, 40.0], [12.0, 44.5]]), closed=True),),
            distances=(
                m.UltrasoundDistance(
                    contour=0,
                    to="artery",
                    in_frame="ct",
                    validity=Validity.VALID,
                    distance_mm=-1.5,
                    p95_mm=1.125,
                    is_inside=True,
                    nearest_px=(30.0, 40.0),
                ),
                m.UltrasoundDistance(
                    contour=0,
                    to="nerve",
                    in_frame="ct",
                    validity=Validity.VALID,
                    distance_mm=42.5,
                    is_least=True,
                    nearest_px=(12.0, 44.5),
                ),
                m.UltrasoundDistance(
                    contour=0, to="stylus", is_tip=True, validity=Validity.LOST, reason="no pose: lost: occluded"
                ),
            ),
            **placing_fields(PlacedImage("ct", PLACE, 1.25)),
            **common,
        ),
        "ultrasound_frame_doubted": m.UltrasoundFrame(
            number=45,
            state="usable",
            placing_reason="the image exchanges left and right",
            contours=(contour("vessel", np.array([[10.5, 20.25], [30.0, 40.0], [12.0, 44.5]]), closed=True),),
            **placing_fields(PlacedImage("reference", PLACE, None), Validity.SUSPECT),
            **common,
        ),
        "ultrasound_frame_not_placed": m.UltrasoundFrame(
            number=43,
            state="no contact",
            reason="the transducer does not touch: 4 % of the rows show anything",
            placing=Validity.LOST,
            placing_reason="no pose of 'probe' at the time that the image shows",
            **common,
        ),
    }
