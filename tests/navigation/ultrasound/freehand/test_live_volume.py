"""Live frames, placed or not: what may be believed enters, and the surface lies in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from navigation.ultrasound.freehand.live_volume import LiveVolume, surface_of
from reconstruction.freehand.compounding import Compounded
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.holes import Filled
from tests.navigation.ultrasound.freehand.placed_sweep import T_CT_REFERENCE, placed
from tests.reconstruction.freehand.sweeps import BALL_CENTRE_MM, BALL_RADIUS_MM, Sweep, sweep
from unity_bridge.wire.envelope import Validity


@pytest.fixture(scope="module")
def swept() -> Sweep:
    return sweep("convex", "fan")


def test_a_ball_that_is_scanned_grows_and_lies_where_it_is(swept):
    volume = LiveVolume(swept.mask)
    assert volume.read() is None
    assert volume.filled() is None
    seen = []
    for number in range(len(swept.frames)):
        assert volume.add(placed(swept, number)) == ""
        if number % 19 == 18:
            seen.append(int(volume.read().seen.sum()))
    assert volume.n_frames == len(swept.frames)
    assert seen == sorted(seen)
    surface = surface_of(volume.filled(), 120, "ball")
    assert surface.frame == "reference"
    distances = np.linalg.norm(surface.vertices_mm - BALL_CENTRE_MM, axis=1)
    assert abs(np.median(distances) - BALL_RADIUS_MM) < 0.25
    assert surface_of(volume.filled(), 255, "nothing") is None
    np.testing.assert_allclose(volume.T_reference_image_px, swept.T_reference_image_px, atol=1e-9)


def test_no_registration_is_needed_and_the_newest_is_kept(swept):
    volume = LiveVolume(swept.mask)
    for number in range(len(swept.frames)):
        volume.add(placed(swept, number, T_ct_reference=None))
    surface = surface_of(volume.filled(), 120, "ball")
    assert volume.T_ct_reference is None
    volume.add(placed(swept, 0))
    assert volume.T_ct_reference == T_CT_REFERENCE
    centre = surface_of(volume.filled(), 120, "ball").vertices_mm.mean(axis=0)
    np.testing.assert_allclose(centre, surface.vertices_mm.mean(axis=0), atol=0.05)


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


def test_a_level_among_the_speckle_is_refused_and_not_waited_for():
    shape = (80, 80, 80)
    grey = np.random.default_rng(3).integers(0, 255, shape).astype(np.uint8)
    noise = Compounded(FreehandGrid("reference", np.zeros(3), np.ones(3), shape), grey, np.ones(shape, bool))
    with pytest.raises(FreehandError, match="speckle"):
        surface_of(Filled(noise, np.zeros(shape, bool)), 128, "noise")
