"""Contact of the probe: made air on made and recorded frames, and air as real scanners recorded it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reconstruction.training.images.files import read_pixels, to_grey
from reconstruction.ultrasound.frame_contact import on_grid, share_in_air
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState
from tests.reconstruction.ultrasound.frames import made_frame
from tests.reconstruction.ultrasound.made_states import Air, lifted

# Frames of usgra_train with the probe's edge in air, and the columns in air, marked by eye.
RECORDED_AIR = {"0070": (330, 660), "0126": (45, 200), "0081": (0, 140), "0123": (0, 90), "0218": (0, 60)}


@pytest.mark.parametrize("air", [Air(), Air(step=0.015, kept=0.4), Air(step=0.1, kept=0.7), Air(noise=40.0)])
def test_a_lifted_probe_has_no_contact(air: Air):
    judged = FrameJudge(None).judge(lifted(made_frame(None), air), 0)
    assert judged.state is FrameState.NO_CONTACT
    assert "100% of the columns" in judged.reason


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_the_share_without_contact_is_measured(share: float):
    assert share_in_air(on_grid(lifted(made_frame(None), Air(share=share)))) == pytest.approx(share, abs=0.06)


def test_contact_that_comes_back_is_seen_at_once():
    judge, frame = FrameJudge(None), made_frame(None)
    seen = [judge.judge(f, i).state for i, f in enumerate([frame, lifted(frame, Air()), made_frame(None, 1)])]
    assert seen == [FrameState.USABLE, FrameState.NO_CONTACT, FrameState.USABLE]


@pytest.mark.parametrize("row", [120.0, 160.0, 220.0])
def test_the_shadow_of_bone_is_not_air(row: float):
    bone = row + 12.0 * np.cos(np.arange(300) / 40.0)
    assert share_in_air(on_grid(made_frame(bone))) < 0.1


def test_air_as_real_scanners_recorded_it(shared_data: Path):
    for name, (left, right) in RECORDED_AIR.items():
        frame = to_grey(read_pixels(shared_data / "us" / "usgra_train" / "images" / f"{name}.png")).astype(np.uint8)
        assert share_in_air(on_grid(np.ascontiguousarray(frame[:, left:right]))) > 0.8, name


def test_of_204_recorded_frames_only_the_one_half_in_air_has_no_contact(shared_data: Path):
    paths = sorted((shared_data / "us" / "usgra_train" / "images").glob("*.png"))
    shares = {path.stem: share_in_air(on_grid(to_grey(read_pixels(path)).astype(np.uint8))) for path in paths}
    assert [name for name, share in shares.items() if share >= 0.5] == ["0070"]
    assert sorted(shares.values())[-2] < 0.4
