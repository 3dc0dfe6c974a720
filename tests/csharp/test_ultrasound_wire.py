"""The C# decoder of live ultrasound reads what Python writes, refuses what Python refuses, and makes no garbage."""

import random
from dataclasses import asdict, replace

import numpy as np
import pytest

from geometry.errors import SurgNavError
from scripts.csharp.build import Runtime
from tests.unity_bridge.ultrasound.golden_ultrasound import PLACE, ultrasound_messages
from tests.unity_bridge.wire.golden_vectors import SESSION
from tests.unity_bridge.wire.mutation import damaged
from unity_bridge.ultrasound.placed import (
    PlacedImage,
    check_frame,
    contour,
    contour_points_px,
    placed_image,
    placing_fields,
)
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.messages import UltrasoundFrame, decode_message, encode_message

FRAME = ultrasound_messages()["ultrasound_frame"]
MEASURED = ultrasound_messages()["ultrasound_frame_measured"]
LOST = ultrasound_messages()["ultrasound_frame_not_placed"]
DOUBTED = ultrasound_messages()["ultrasound_frame_doubted"]


def encoded(frame: UltrasoundFrame) -> bytes:
    return encode_message(frame, SESSION, 7)


def meant(data: bytes) -> dict | None:
    """Python's reading in the probe's words; None where it refuses."""
    try:
        _, frame = decode_message(data)
        if not isinstance(frame, UltrasoundFrame):
            return None
        check_frame(frame)
    except SurgNavError:
        return None
    outlines = [
        {
            "structure": each.structure,
            "closed": each.closed,
            "confidence": each.confidence,
            "points": contour_points_px(each).ravel().tolist(),
        }
        for each in frame.contours
    ]
    measured = [
        asdict(each) | {"validity": each.validity.value, "nearest_px": each.nearest_px and list(each.nearest_px)}
        for each in frame.distances
    ]
    words = asdict(frame) | {
        "contours": outlines,
        "distances": measured,
        "image": frame.image.hex() if frame.image else None,
    }
    words["placing"] = frame.placing.value
    if placed_image(frame) is None:  # a part of a place is none
        words |= dict.fromkeys(("first_pixel_m", "along_x_m", "along_y_m"))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in words.items()}


def test_good_frames_mean_the_same_one_after_the_other(probe):
    frames = [
        encoded(each) for each in (FRAME, LOST, MEASURED, DOUBTED, FRAME, replace(FRAME, contours=(), image=None))
    ]
    came = probe("ultrasound", frames)
    assert came == [meant(data) for data in frames]
    assert [each["distance_mm"] for each in came[2]["distances"]] == [-1.5, 42.5, None]
    assert came[0]["contours"][0]["points"] == [10.5, 20.25, 30.0, 40.0, 12.0, 44.5]


@pytest.mark.parametrize(
    "changed",
    [
        {"placing": Validity.LOST},
        {"placing": Validity.STALE},
        {"placing": Validity.SUSPECT, "to_frame": ""},
        {"to_frame": ""},
        {"first_pixel_m": None},
        {"along_y_m": None},
        {"reason": "frozen"},
        {"width_px": 0},
        {"height_px": 8193},
        {"width_px": 2**32 - 1},
        {"contours": (replace(FRAME.contours[0], points_px=bytes(12)),)},
        {"contours": (contour("bone", np.array([[1.0, np.nan]])),)},
    ],
    ids="-".join,
)
def test_what_contradicts_itself_is_refused_by_both(probe, changed):
    wrong = encoded(replace(FRAME, **changed))
    assert meant(wrong) is None
    assert probe("ultrasound", [encoded(FRAME), wrong]) == [meant(encoded(FRAME)), None]


@pytest.mark.parametrize(
    "changed",
    [
        {"contour": 1},
        {"validity": Validity.SUSPECT},
        {"distance_mm": None},
        {"p95_mm": -0.5},
    ],
    ids="-".join,
)
def test_a_distance_that_contradicts_itself_is_refused_by_both(probe, changed):
    wrong = encoded(replace(MEASURED, distances=(replace(MEASURED.distances[0], **changed),)))
    unplaced = encoded(replace(LOST, contours=MEASURED.contours, distances=MEASURED.distances, reason=""))
    assert meant(wrong) is None
    assert probe("ultrasound", [encoded(MEASURED), wrong, unplaced]) == [meant(encoded(MEASURED)), None, None]


def test_both_languages_agree_on_damaged_frames(probe):
    rng = random.Random(20261127)
    small = placing_fields(PlacedImage("ct", PLACE, None))
    vectors = [encoded(each) for each in (FRAME, LOST, MEASURED, DOUBTED, replace(LOST, **small, placing_reason=""))]
    inputs = [damaged(rng.choice(vectors), rng) for _ in range(6000)]
    expected = [meant(data) for data in inputs]
    for data, came, python in zip(inputs, probe("ultrasound", inputs), expected, strict=True):
        assert came == python, data.hex()
    taken = sum(each is not None for each in expected)
    assert 200 < taken < len(inputs) - 200, "too one-sided to tell anything"


@pytest.mark.parametrize("runtime", [Runtime.DOTNET], ids=["dotnet"])  # Mono does not count
def test_frames_make_no_garbage(probe):
    """With an image and without, in turn."""
    frames = (FRAME, replace(FRAME, image=None), MEASURED)
    (steady,) = probe("ultrasound_allocations", [encoded(each) for each in frames])
    assert (steady["frames"], steady["bytes"]) == (3000, 0)
