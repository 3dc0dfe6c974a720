"""For how long a tip must be held still before it counts, and what is averaged then."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, STYLUS_TIP
from navigation.acquisition.collect import AcquisitionSettings, collect_touch
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.errors import AcquisitionError

TIP = Transform(np.eye(4), STYLUS, STYLUS_TIP)
RATE_HZ = 100.0


class Shaking:
    """A stylus that is moved to and fro by `amplitude_mm` along x until frame `still_from`, and then held."""

    tools, rate_hz = (REFERENCE, STYLUS), RATE_HZ

    def __init__(self, amplitude_mm: float, still_from: int, rest_mm: float = 0.0) -> None:
        self.amplitude_mm, self.still_from, self.rest_mm, self.number = amplitude_mm, still_from, rest_mm, 0

    def next_frame(self, timeout_ns: int) -> TrackerFrame:
        self.number += 1
        amplitude_mm = self.amplitude_mm if self.number <= self.still_from else self.rest_mm
        pose = np.eye(4)
        pose[0, 3] = amplitude_mm * (-1.0) ** self.number
        seen = ToolObservation(Visibility.VISIBLE, Transform(pose, "tracker", STYLUS), 0.1)
        fixed = ToolObservation(Visibility.VISIBLE, Transform(np.eye(4), "tracker", REFERENCE), 0.1)
        return TrackerFrame(self.number, 10_000_000 * self.number, {REFERENCE: fixed, STYLUS: seen})


def test_a_touch_is_the_mean_of_the_whole_time_it_was_held_and_of_nothing_before() -> None:
    # Waved by 30 mm for 2 s, then still: 0.6 s are 60 frames. A frame of waving in them would spread them by 3.9 mm.
    tracker = Shaking(30.0, 200)
    touch = collect_touch(tracker, TIP)
    assert (touch.n_frames, tracker.number) == (60, 260)
    np.testing.assert_allclose(touch.point_reference_mm, 0.0, atol=1e-12)
    longer = Shaking(30.0, 200)
    assert collect_touch(longer, TIP, AcquisitionSettings(hold_s=1.5)).n_frames == 150
    assert longer.number == 350


def test_a_touch_that_is_not_held_long_enough_is_none() -> None:
    class Twitching(Shaking):
        def next_frame(self, timeout_ns: int) -> TrackerFrame:
            self.amplitude_mm = 20.0 if self.number % 50 == 0 else 0.0  # once in half a second
            return super().next_frame(timeout_ns)

    with pytest.raises(AcquisitionError, match="held still within"):
        collect_touch(Twitching(0.0, 10_000), TIP, AcquisitionSettings(touch_timeout_s=3.0))
