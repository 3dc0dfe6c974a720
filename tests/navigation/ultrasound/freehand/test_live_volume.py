"""Live frames, placed or not: what may be believed enters, and the surface lies in the patient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Transform
from navigation.ultrasound.freehand.live_volume import LiveVolume
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.pipeline import USABLE, FrameResult
from tests.reconstruction.freehand.sweeps import BALL_CENTRE_MM, BALL_RADIUS_MM, Sweep, image_map, sweep
from unity_bridge.wire.envelope import Validity

T_CT_REFERENCE = Transform.from_rotation(
    Rotation.from_euler("xyz", [0.3, -0.5, 1.0]), [10.0, 200.0, -30.0], "ct", "reference"
)


def placed(swept: Sweep, number: int, **changed) -> PlacedFrame:
    px = image_map(swept.mask.shape, (0.5, 0.5))
    state, pixels = changed.pop("state", USABLE), changed.pop("pixels", swept.frames[number])
    result = FrameResult(
        sequence=number,
        capture_ns=number,
        finished_ns=number,
        state=state,
        reason="" if state == USABLE else "the probe is in the air",
        contours=(),
        pixels=pixels,
    )
    pose = Transform(swept.T_reference_image_px[number] @ np.linalg.inv(px), "reference", "probe")
    given = {"validity": Validity.VALID, "reason": "", "T_reference_probe": pose, "T_ct_reference": T_CT_REFERENCE}
    return PlacedFrame(result=result, T_probe_image_px=px, shows_ns=number, **(given | changed))


@pytest.fixture(scope="module")
def swept() -> Sweep:
    return sweep("convex", "fan")


def test_a_ball_that_is_scanned_grows_and_lies_in_the_ct(swept):
    volume = LiveVolume(swept.mask)
    assert volume.read() is None
    assert volume.surface(120, "ball") is None
    seen = []
    for number in range(len(swept.frames)):
        assert volume.add(placed(swept, number)) == ""
        if number % 19 == 18:
            seen.append(int(volume.read().seen.sum()))
    assert volume.n_frames == len(swept.frames)
    assert seen == sorted(seen)
    surface = volume.surface(120, "ball")
    assert surface.frame == "ct"
    distances = np.linalg.norm(surface.vertices_mm - T_CT_REFERENCE.apply(BALL_CENTRE_MM), axis=1)
    assert abs(np.median(distances) - BALL_RADIUS_MM) < 0.25
    assert volume.surface(255, "nothing") is None


def test_a_registration_that_is_renewed_moves_the_surface_and_nothing_is_scanned_again(swept):
    volume = LiveVolume(swept.mask)
    for number in range(len(swept.frames)):
        volume.add(placed(swept, number, T_ct_reference=None))
    assert volume.surface(120, "ball").frame == "reference"
    volume.add(placed(swept, 0))
    centre = volume.surface(120, "ball").vertices_mm.mean(axis=0)
    assert np.linalg.norm(centre - T_CT_REFERENCE.apply(BALL_CENTRE_MM)) < 0.3


def test_what_may_not_be_believed_is_left_out_with_its_reason(swept):
    volume = LiveVolume(swept.mask)
    lost = {
        "validity": Validity.LOST,
        "reason": "the probe is not seen",
        "T_reference_probe": None,
        "T_ct_reference": None,
    }
    frames = [
        placed(swept, 0, **lost),
        placed(swept, 1, validity=Validity.SUSPECT, reason="the reference was bumped"),
        placed(swept, 2, state="no contact"),
        placed(swept, 3, pixels=swept.frames[3][:-1]),
        placed(swept, 4),
    ]
    said = [volume.add(frame) for frame in frames]
    assert said[:3] == ["the probe is not seen", "the reference was bumped", "the probe is in the air"]
    assert "an image of" in said[3]
    assert said[4] == ""
    assert volume.n_frames == 1
    assert volume.left_out.total() == 4
