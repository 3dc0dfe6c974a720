"""Pixels of images in rooms where everything has an error; benchmarks/ultrasound/bench_placed_image.py counts them."""

from dataclasses import replace

import numpy as np

from tests.navigation.ultrasound.live.probe_room import ProbeRoom


def test_pixels_lie_about_where_they_are_said_to_lie():
    found = [ProbeRoom(seed).placed() for seed in range(4)]
    errors_mm = [np.linalg.norm(each.error_mm) for each in found]
    assert 0.1 < np.mean(errors_mm) < 1.5
    # Of four, the largest squared distance is beyond 20 in 1 of 1,000.
    assert max(each.squared for each in found) < 20.0


def test_a_lag_that_is_wrong_by_100_ms_is_an_error_that_nothing_states():
    room = ProbeRoom(4)
    room.probe = replace(room.probe, lag_s=room.probe.lag_s - 0.1)
    found = max((room.placed() for _ in range(4)), key=lambda each: each.speed_mm_s)
    assert found.links_mm["instant"] > 0.08 * found.speed_mm_s
    assert found.squared > 20.0
